"""The platform's times, shortened all by one factor, so that an experiment takes minutes.

What cannot be shortened is left as it is: external-dns's reaction, the drain's poll, the periods of
the autoscaler and the kubelet.
"""

from datetime import timedelta

from grpc_platform import timing
from grpc_platform.timing import Timing, format_duration

TRUE = Timing()
_SCALED = ("ROUTE53_PROPAGATION", "CLIENT_RE_RESOLVE_FLOOR", "POD_READY")
_TRUE_CONSTANTS: dict[str, timedelta] = {name: getattr(timing, name) for name in _SCALED}


def shorten(factor: float) -> Timing:
    """Make `grpc_platform.timing` in this process reckon with shorter waits; the times
    that an operator chooses, as short."""
    for name, value in _TRUE_CONSTANTS.items():
        setattr(timing, name, value / factor)
    return Timing(
        record_ttl=TRUE.record_ttl / factor,
        max_connection_duration=TRUE.max_connection_duration / factor,
        connection_shutdown_grace_period=TRUE.connection_shutdown_grace_period / factor,
        # Bounds the drain from above only, and a service's default is 15 s.
        max_deadline=TRUE.max_deadline,
    )


def sections(times: Timing) -> dict[str, dict[str, object]]:
    """The sections of a stack file that say these times."""
    timeouts = {
        "max_connection_duration": format_duration(times.max_connection_duration),
        "connection_shutdown_grace_period": format_duration(times.connection_shutdown_grace_period),
    }
    return {
        "zone": {"record_ttl": format_duration(times.record_ttl)},
        "contour": {"timeouts": timeouts},
    }
