"""One gRPC service behind Envoy."""

from typing import Annotated, Literal

from pydantic import Field

from .base import DnsName, Duration, Label, LabelKey, LabelValue, ObjectName, Port, Spec

Limit = Annotated[int, Field(ge=1)]
Weight = Annotated[int, Field(ge=0, le=255)]
"""What Route53 takes: https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/routing-policy-weighted.html"""

FULL_WEIGHT: Weight = 100
"""Of a service's only cluster. Any would do; beside this one other weights read as percent."""


class CircuitBreakers(Spec):
    """What one Envoy allows towards this service; beyond it calls fail with UNAVAILABLE."""

    max_connections: Limit | None = None
    """Connections (Envoy: 1,024)."""
    max_pending_requests: Limit | None = None
    """Calls waiting for a connection (`contour.cluster.max_pending_requests`)."""
    max_requests: Limit | None = None
    """Calls in flight (`contour.cluster.max_requests`)."""
    max_retries: Limit | None = None
    """Retries in flight (Envoy: 3)."""


class ServiceSpec(Spec):
    """The bundle of one service: headless Service, Ingress, CNAME."""

    host: DnsName | None = None
    """The name clients dial; `<service>.<zone>` unless given."""
    namespace: Label = "default"
    """Where the service's pods run: one that exists, or one of `namespaces`."""
    port: Port = 50051
    """The port the service's pods listen on (h2c)."""
    selector: dict[LabelKey, LabelValue] | None = None
    """Labels of the service's pods; `app.kubernetes.io/name: <service>` unless given."""
    streaming: bool = False
    """Has calls without an end: the route then never times out."""
    deadline: Duration | Literal["infinity"] | None = None
    """Envoy ends a call after this long: 15s unless given, `infinity` when streaming."""
    tls_secret: ObjectName | None = None
    """A Secret of type kubernetes.io/tls in `namespace`: the host is then served on the TLS port
    only. Whoever owns the service makes it."""
    circuit_breakers: CircuitBreakers = CircuitBreakers()
    """Limits per Envoy; a service with many calls in flight needs more than the defaults."""

    def host_of(self, service: str, zone_name: str) -> str:
        """The name clients dial for a service of this name."""
        return self.host or f"{service}.{zone_name}"
