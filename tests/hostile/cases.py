"""How many hostile cases a run tries, and what must hold of every refusal."""

import os
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings

LONGEST_LINE = 600


def cases(number: int) -> Callable[[Any], Any]:
    """A property test with so many cases, times what HOSTILE says (`make hostile TIMES=30`).
    Without it the cases are always the same: a change is to blame for what fails."""
    times = os.environ.get("HOSTILE")
    return settings(
        max_examples=number * int(times or 1),
        derandomize=not times,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


def said(lines: list[str]) -> None:
    """Each mistake is one line that a terminal shows and a person reads."""
    assert lines
    for line in lines:
        assert line.strip()
        assert line.isprintable(), line
        assert len(line) <= LONGEST_LINE, line
