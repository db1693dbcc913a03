"""The platform's times, all shortened by one factor, so that an experiment takes minutes.

Some cannot be shortened: external-dns's reaction, the drain's poll, the periods of the autoscaler
and the kubelet.
"""

from dataclasses import replace

from grpc_platform.timing import Timing, format_duration

TRUE = Timing()
_SCALED = (
    "record_ttl",
    "propagation_delay",
    "min_resolution_interval",
    "pod_startup_time",
    "max_connection_duration",
    "connection_shutdown_grace_period",
)  # max_deadline only limits the drain, and a service's default is 15 s


def shorten(factor: float) -> Timing:
    """The default times, shortened."""
    return replace(TRUE, **{name: getattr(TRUE, name) / factor for name in _SCALED})


def sections(times: Timing) -> dict[str, dict[str, object]]:
    """The stack file's sections with these times."""

    def keys(*names: str) -> dict[str, object]:
        return {name: format_duration(getattr(times, name)) for name in names}

    return {
        "zone": keys("record_ttl", "propagation_delay", "min_resolution_interval"),
        "contour": {
            "timeouts": keys("max_connection_duration", "connection_shutdown_grace_period")
        },
        "envoy": keys("pod_startup_time", "max_deadline"),
    }
