"""The rules between times."""

from collections.abc import Iterator

from ..timing import MAX_TERMINATION_GRACE_PERIOD, Timing, format_duration
from .mistake import Mistake


def times_agree(timing: Timing) -> Iterator[Mistake]:
    """The times of one serving cluster."""
    duration = timing.max_connection_duration
    given = format_duration(duration)
    path = ("contour", "timeouts", "max_connection_duration")
    if timing.termination_grace_period > MAX_TERMINATION_GRACE_PERIOD:
        yield Mistake(
            path,
            given,
            f"lets Envoy take {format_duration(timing.termination_grace_period)} to terminate; a "
            f"node drain allows {format_duration(MAX_TERMINATION_GRACE_PERIOD)}; shorten it, "
            "zone.record_ttl or envoy.max_deadline",
        )
    if duration < timing.min_resolution_interval:
        yield Mistake(
            path,
            given,
            "clients look names up at most every "
            f"{format_duration(timing.min_resolution_interval)}; "
            "a shorter duration only redials the same Envoy",
            against=("zone", "min_resolution_interval"),
        )
    if timing.record_ttl >= duration:
        yield Mistake(
            ("zone", "record_ttl"),
            format_duration(timing.record_ttl),
            f"must be shorter than contour.timeouts.max_connection_duration ({given}), or clients "
            "reconnect to addresses they still have",
            against=path,
        )
