"""One gRPC service behind Envoy."""

from typing import Annotated, Literal

from pydantic import Field

from .base import Count, DnsName, Duration, Label, LabelKey, LabelValue, ObjectName, Port, Spec

Weight = Annotated[int, Field(ge=0, le=255)]
"""Route53's range:
https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/routing-policy-weighted.html"""

FULL_WEIGHT: Weight = 100
"""The weight of a service's only cluster. Any value works; with 100, weights read as percent."""


class CircuitBreakers(Spec):
    """Limits of one Envoy towards this service; beyond them calls fail with UNAVAILABLE."""

    max_connections: Count | None = None
    """Connections (Envoy: 1,024)."""
    max_pending_requests: Count | None = None
    """Calls waiting for a connection (`contour.cluster.max_pending_requests`)."""
    max_requests: Count | None = None
    """Calls in flight (`contour.cluster.max_requests`)."""
    max_retries: Count | None = None
    """Retries in flight (Envoy: 3)."""


class ServiceSpec(Spec):
    """One service: headless Service, Ingress, CNAME."""

    host: DnsName | None = None
    """The name that clients dial; by default `<service>.<zone>`."""
    namespace: Label = "default"
    """The namespace of the service's pods: an existing one, or one of `namespaces`."""
    port: Port = 50051
    """The port on which the service's pods listen (h2c)."""
    selector: dict[LabelKey, LabelValue] | None = None
    """Labels of the service's pods; by default `app.kubernetes.io/name: <service>`."""
    streaming: bool = False
    """The service has endless streams: the route then never times out."""
    deadline: Duration | Literal["infinity"] | None = None
    """Envoy ends a call after this long: by default 15s, `infinity` when streaming."""
    idempotent: bool = False
    """Every call of the service may run twice. Clients then retry calls that fail with UNAVAILABLE:
    up to two times, after about 0.1 and 0.3 s, and fewer while many fail. Envoy also tries a call
    again whose server dies, up to four times."""
    try_timeout: Duration | None = None
    """Envoy tries a call again that has no answer after so long, up to four times, so that a server
    whose node is lost costs time and no calls. For `idempotent` services, and longer than any call
    takes that gets an answer. By default Envoy waits for the deadline."""
    clients: Count | None = None
    """About how many client pods call the service. Clients connect to every Envoy (`round_robin`)
    up to 500 or if it is not said, to three up to 2,000 (random subsetting, in languages that have
    it), and to one above (`pick_first`)."""
    tls_secret: ObjectName | None = None
    """A Secret of type kubernetes.io/tls in `namespace`, made by the service's owner. The host is
    then served on the TLS port only."""
    circuit_breakers: CircuitBreakers = CircuitBreakers()
    """Limits per Envoy; a service with many calls in flight needs more than the defaults."""

    def host_of(self, service: str, zone_name: str) -> str:
        """The host that clients dial for a service of this name."""
        return self.host or f"{service}.{zone_name}"
