"""Measures a step."""

import time

now = time.monotonic


def ms_since(started: float) -> float:
    """Milliseconds since a `now()`, to the microsecond."""
    return round((now() - started) * 1000, 3)
