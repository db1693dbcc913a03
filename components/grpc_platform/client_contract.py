"""What a client must know about a service, from the service's spec and the times. Pure."""

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
    """How to dial one service, and how its connections behave. Times are in seconds."""

    __pydantic_config__ = ConfigDict(use_attribute_docstrings=True)

    target_uri: str
    """The target of a gRPC channel: `dns:///<host>:<port>`."""
    host: str
    """The service's DNS name; also the :authority of its calls and, with TLS, the certificate's
    name."""
    port: int
    """Envoy's own port: clients connect to the Envoy pods directly."""
    tls: bool
    """True: the host is served over TLS only. False: in plaintext (h2c) only."""
    service_config: str
    """The channel's default service config, as gRPC's JSON."""
    deadline_seconds: float | None = None
    """Envoy ends a call after this long. None (or absent, in a stack's outputs): never."""
    reconnect_interval_seconds: float
    """Envoy asks the client to reconnect at least this often; no call fails."""
    rebalance_time_seconds: float
    """From the decision to add an Envoy until it carries its share of the connections."""

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
    """The contract of one service; ValueError if `service_host` or `route_deadline` raises it."""
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
    """The host that clients dial; ValueError if it is outside the zone, or the zone itself."""
    refuse(f"GrpcService {service}", host_of_service(service, spec, zone_name))
    return spec.host_of(service, zone_name)


def route_deadline(service: str, spec: ServiceSpec, max_deadline: timedelta) -> timedelta | None:
    """After how long Envoy ends a call, None for never; ValueError for a deadline the fleet cannot
    honour."""
    refuse(f"GrpcService {service}", deadline_fits(spec, max_deadline))
    if spec.streaming or spec.deadline == "infinity":
        return None
    return spec.deadline or DEFAULT_DEADLINE


def service_config(deadline: timedelta | None) -> dict[str, Any]:
    """gRPC's service config for every method of a service.

    Fields: https://github.com/grpc/grpc-proto/blob/master/grpc/service_config/service_config.proto.

    round_robin spreads even a single client's calls over all Envoys, and of n Envoys a lost one
    costs one call in n. The price is a connection from each client to each Envoy. With thousands of
    client pods `pick_first` with `shuffleAddressList` (gRFC A62) may be better: one connection
    each.

    There is no retryPolicy. A client already retries calls that no server has begun (gRFC A6,
    transparent retries). UNAVAILABLE can also mean that the connection was lost after the call took
    effect, or that a circuit breaker is open. Only the caller knows whether a retry is then safe.
    """
    config: dict[str, Any] = {"loadBalancingConfig": [{"round_robin": {}}]}
    if deadline is not None:
        # Shorter than the route's timeout, so that a slow call ends with the client's own
        # DEADLINE_EXCEEDED and the server is told, instead of a race with Envoy's UNAVAILABLE.
        timeout = deadline - min(_MAX_HEAD_START, deadline / 10)
        config["methodConfig"] = [{"name": [{}], "timeout": f"{timeout.total_seconds():.3f}s"}]
    return config
