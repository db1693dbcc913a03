"""Contour's replicas and its contour.yaml."""

from typing import Annotated, Literal

from pydantic import Field

from .. import versions
from ..timing import Timing
from .base import Count, Cpu, Duration, Image, Memory, Spec


class Timeouts(Spec):
    """contour.yaml's `timeouts`. `request-timeout` is left out on purpose: it limits the time to
    receive a whole request, which breaks client streams."""

    max_connection_duration: Duration = Timing.max_connection_duration
    """Envoy asks a client to reconnect after this long, which spreads the load over Envoys."""
    connection_shutdown_grace_period: Duration = Timing.connection_shutdown_grace_period
    """From Envoy's request to reconnect until the connection takes no new calls."""
    connection_idle_timeout: Duration | None = None
    """Close client connections without a call for this long (Contour: 60s)."""
    stream_idle_timeout: Duration | None = None
    """End calls without traffic for this long (Envoy: 5m). Streams that pause longer need more."""
    delayed_close_timeout: Duration | None = None
    """Wait this long for a client to close its side (Envoy: 1s)."""
    connect_timeout: Duration | None = None
    """Give up connecting to a service's pod after this long (Contour: 2s)."""


class ClusterDefaults(Spec):
    """contour.yaml's `cluster`: Envoy's connections to the services."""

    dns_lookup_family: Literal["auto", "v4", "v6", "all"] = "v4"
    """Address family for ExternalName upstreams."""
    max_requests_per_connection: Count | None = None
    """Renew an upstream connection after this many calls."""
    max_connections: Count | None = None
    """Default circuit breaker: connections per service and Envoy (Envoy: 1,024)."""
    max_pending_requests: Count = 10_000
    """Default circuit breaker: calls waiting for a connection (Envoy: 1,024)."""
    max_requests: Count = 10_000
    """Default circuit breaker: calls in flight per service and Envoy. Envoy's own 1,024 makes calls
    to a slow or streaming service fail long before Envoy is busy (docs/experiments, Settings). The
    overload manager protects Envoy's memory."""
    max_retries: Count | None = None
    """Default circuit breaker: retries in flight per service and Envoy (Envoy: 3)."""


class Listener(Spec):
    """contour.yaml's `listener`: the clients' connections to Envoy."""

    connection_balancer: Literal["exact"] | None = None
    """Balance connections over Envoy's worker threads, for few and busy connections."""
    max_requests_per_connection: Count | None = None
    """Ask a client to reconnect after this many calls."""
    http2_max_concurrent_streams: Count | None = None
    """Calls in flight on one client connection (Envoy: unlimited)."""


class NetworkParameters(Spec):
    """contour.yaml's `network`."""

    num_trusted_hops: Annotated[int, Field(ge=0, le=2**32 - 1)] = 0
    """Number of proxies in front of Envoy whose X-Forwarded-For is trusted."""
    strip_trailing_host_dot: bool = False
    """Accept `greeter.example.com.` as the host."""


class ContourSpec(Spec):
    """Contour's Deployment and its configuration file."""

    version: Literal["1.33.6", "1.33.8"] = versions.CONTOUR
    """Contour's release; must match `envoy.version`."""
    image: Image | None = None
    """Image to pull instead of upstream's: repository with a tag, a digest, or both."""
    replicas: Annotated[int, Field(ge=1, le=10)] = 2
    """One leads, all serve Envoy; at least two in production."""
    cpu: Cpu = "250m"
    """CPU request of each replica."""
    memory: Memory = "512Mi"
    """Memory request and limit of each replica. With 1,000 services, 900 of them added at once, a
    replica used about 380 MiB (docs/experiments, Growth)."""
    crds: Literal["minimal", "none"] = "minimal"
    """`minimal`: the two CRDs that Contour cannot start without. `none` if upstream's are
    installed."""
    disable_permit_insecure: bool = False
    """contour.yaml's `disablePermitInsecure`."""
    accesslog_format: Literal["envoy", "json"] = "envoy"
    """Format of Envoy's access log: text or JSON (docs/logs.md)."""
    accesslog_level: Literal["info", "error", "critical", "disabled"] | None = None
    """Which calls Envoy logs, by their HTTP status (Contour: `info`, all; `error`: 300 and above;
    `critical`: 500 and above). Failures that only grpc-status shows are `info`."""
    timeouts: Timeouts = Timeouts()
    cluster: ClusterDefaults = ClusterDefaults()
    listener: Listener = Listener()
    network: NetworkParameters = NetworkParameters()
