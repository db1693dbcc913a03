"""What a client must know of a service, worked out from the service's spec and the times. Pure."""

import json
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from pydantic import ConfigDict

from .rules import refuse
from .rules.service import deadline_fits, host_of_service
from .specs import ServiceSpec
from .timing import DEFAULT_DEADLINE, Timing

_MAX_HEAD_START = timedelta(milliseconds=500)


@dataclass(frozen=True, kw_only=True)
class ClientContract:
    """How to dial one service, and what to expect of its connections. Times are in seconds."""

    __pydantic_config__ = ConfigDict(use_attribute_docstrings=True)

    target_uri: str
    """What a gRPC channel is opened with: `dns:///<host>:<port>`."""
    host: str
    """The service's name; also the :authority of its calls and, with TLS, the certificate's."""
    port: int
    """Envoy's own port: nothing stands between it and the client."""
    tls: bool
    """Whether the host is served over TLS only; else in plaintext (h2c) only."""
    service_config: str
    """The channel's default service config, as gRPC's JSON."""
    deadline_seconds: float | None = None
    """Envoy ends a call after this long. None (or absent, in a stack's outputs): never."""
    reconnect_interval_seconds: float
    """Envoy asks for a new connection at least this often; a client sees no error of it."""
    rebalance_time_seconds: float
    """From the decision to add an Envoy until it carries its share."""

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON, for a stack's outputs."""
        return asdict(self)


def client_contract(
    service: str,
    spec: ServiceSpec,
    *,
    zone_name: str,
    http_port: int,
    https_port: int,
    timing: Timing,
) -> ClientContract:
    """The contract of one service; ValueError where `service_host` or `route_deadline` refuses."""
    host = service_host(service, spec, zone_name)
    deadline = route_deadline(service, spec, timing.max_deadline)
    tls = spec.tls_secret is not None
    port = https_port if tls else http_port
    return ClientContract(
        target_uri=f"dns:///{host}:{port}",
        host=host,
        port=port,
        tls=tls,
        service_config=json.dumps(service_config(deadline)),
        deadline_seconds=deadline.total_seconds() if deadline else None,
        reconnect_interval_seconds=timing.reconnect_interval.total_seconds(),
        rebalance_time_seconds=timing.rebalance_time.total_seconds(),
    )


def service_host(service: str, spec: ServiceSpec, zone_name: str) -> str:
    """The name clients dial; ValueError for one outside the zone, or the zone itself."""
    refuse(f"GrpcService {service}", host_of_service(service, spec, zone_name))
    return spec.host_of(service, zone_name)


def route_deadline(service: str, spec: ServiceSpec, max_deadline: timedelta) -> timedelta | None:
    """When Envoy ends a call, None for never; ValueError for a deadline the fleet cannot keep."""
    refuse(f"GrpcService {service}", deadline_fits(spec, max_deadline))
    if spec.streaming or spec.deadline == "infinity":
        return None
    return spec.deadline or DEFAULT_DEADLINE


def service_config(deadline: timedelta | None) -> dict[str, Any]:
    """gRPC's service config for every method of a service.

    Fields: https://github.com/grpc/grpc-proto/blob/master/grpc/service_config/service_config.proto.

    round_robin spreads the calls of even a single client over all Envoys, and a lost Envoy costs
    one call in n; it costs a connection from each client to each Envoy. With thousands of client
    pods `pick_first` with `shuffleAddressList` (gRFC A62) may suit better: one connection each.

    There is no retryPolicy: a client already repeats on its own what no server has begun (gRFC A6,
    transparent retries), and UNAVAILABLE also comes of a connection lost after a call took effect
    and of an open circuit breaker, where only the caller knows whether once more is safe.
    """
    config: dict[str, Any] = {"loadBalancingConfig": [{"round_robin": {}}]}
    if deadline is not None:
        # Shorter than the route's, so that a slow call ends as the client's own DEADLINE_EXCEEDED
        # and its server learns of it, instead of a race with Envoy's UNAVAILABLE.
        timeout = deadline - min(_MAX_HEAD_START, deadline / 10)
        config["methodConfig"] = [{"name": [{}], "timeout": f"{timeout.total_seconds():.3f}s"}]
    return config
