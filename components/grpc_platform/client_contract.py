"""What a client must know about a service, from the service's spec and the times. Pure."""

import json
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from pydantic import ConfigDict

from .rules import refuse
from .rules.service import deadline_fits, host_of_service, tries_fit
from .service_config import service_config
from .specs import ServiceSpec
from .timing import DEFAULT_DEADLINE, KEEPALIVE_TIME, KEEPALIVE_TIMEOUT, Timing

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
"""gRPC's default limit for a message that a client or server receives. Envoy has none."""


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
    # Platforms of release 0.1 do not export the fields below.
    keepalive_time_seconds: float = KEEPALIVE_TIME.total_seconds()
    """Ping a connection on which nothing has arrived for so long, only while calls are in
    flight."""
    keepalive_timeout_seconds: float = KEEPALIVE_TIMEOUT.total_seconds()
    """Leave a connection whose ping is not answered for so long. Most gRPC libraries also make TCP
    give up so long after it has sent what is not acknowledged (TCP_USER_TIMEOUT)."""
    min_resolution_interval_seconds: float = Timing.min_resolution_interval.total_seconds()
    """How long a client may cache a look-up of the name."""
    stream_lifetime_seconds: float | None = None
    """A terminating Envoy cuts streams no sooner than so long after it is told to end; resume a
    stream that is cut. None: an older platform exports no value."""
    max_message_bytes: int = MAX_MESSAGE_BYTES
    """The largest message that a client receives with gRPC's defaults."""

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
    """The contract of one service; ValueError if `service_host` or `route_deadline` raises it, and
    for a `try_timeout` that does not fit."""
    refuse(f"GrpcService {service}", tries_fit(spec))
    host = service_host(service, spec, zone_name)
    deadline = route_deadline(service, spec, timing.max_deadline)
    tls = spec.tls_secret is not None
    port = https_port if tls else http_port
    return ClientContract(
        target_uri=f"dns:///{host}:{port}",
        host=host,
        port=port,
        tls=tls,
        service_config=json.dumps(service_config(spec, deadline)),
        deadline_seconds=deadline.total_seconds() if deadline else None,
        reconnect_interval_seconds=timing.reconnect_interval.total_seconds(),
        rebalance_time_seconds=timing.rebalance_time.total_seconds(),
        min_resolution_interval_seconds=timing.min_resolution_interval.total_seconds(),
        stream_lifetime_seconds=timing.termination_grace_period.total_seconds(),
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
