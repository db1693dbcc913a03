"""A client contract for people."""

from collections.abc import Iterator
from typing import Any

from grpc_platform_tools.diff.lines import one_line

MEANINGS: dict[str, str] = {
    "target_uri": "the channel's target",
    "host": "the :authority of calls and, with TLS, the certificate's name",
    "port": "Envoy's own: clients connect to its pods",
    "tls": "yes: served over TLS only; no: in plaintext only",
    "deadline_seconds": "Envoy ends a call then",
    "reconnect_interval_seconds": "Envoy asks for a reconnect at least this often; no call fails",
    "rebalance_time_seconds": "until a new Envoy carries its share",
    "keepalive_time_seconds": "ping a connection that is silent so long, only with calls in flight",
    "keepalive_timeout_seconds": "leave it if the ping is not answered by then",
    "min_resolution_interval_seconds": "cache a look-up of the name no longer",
    "stream_lifetime_seconds": "a terminating Envoy cuts streams no sooner; resume them",
    "max_message_bytes": "gRPC's default limit for a message that a client receives",
    "service_config": "balancing, deadline and retries: the channel's default service config",
}
"""The fields in the order in which they are shown, and what each one means."""

_NEVER = {"deadline_seconds": "never"}
_ENDLESS = 1e12
"""Seconds that no platform exports, and that Python may not be able to divide."""


def lines(contract: dict[str, Any]) -> Iterator[str]:
    """A line for each field that the contract has: name, value and meaning."""
    width = max(map(len, MEANINGS))
    for field, meaning in MEANINGS.items():
        value = contract.get(field)
        if value is not None or field in _NEVER:
            yield f"{field:<{width}}  {_value(field, value)}  ({meaning})"


def not_said(contract: dict[str, Any]) -> list[str]:
    """The fields that an older platform does not export. Pulumi leaves out what is None."""
    return [f for f in MEANINGS if contract.get(f) is None and f not in _NEVER]


def _value(field: str, value: object) -> str:
    if value is None:
        return _NEVER[field]
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float) and field.endswith("_seconds"):
        return _duration(value)
    if isinstance(value, int) and field.endswith("_bytes"):
        return f"{value:,} bytes"
    return one_line(str(value))  # a terminal would obey what is in it


def _duration(seconds: float) -> str:
    if not abs(seconds) < _ENDLESS:  # nor NaN
        return one_line(str(seconds))
    minutes, rest = divmod(seconds, 60)
    parts = [f"{minutes:.0f} min"] if minutes else []
    return " ".join([*parts, f"{rest:g} s"] if rest or not minutes else parts)
