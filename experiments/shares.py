"""How evenly calls fell on a fleet, from the windows of a load client's report. Pure."""

import random
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

Window = Mapping[str, Any]
"""A window of a client's report: `at` (Unix seconds), `callers` (calls by Envoy's address), and
more."""


def unevenness(calls: Mapping[str, float], fleet: Collection[str]) -> dict[str, float]:
    """``max_over_mean`` and the coefficient of variation ``cv``; an idle Envoy counts as zero."""
    shares = [calls.get(envoy, 0.0) for envoy in fleet]
    mean = sum(shares) / len(shares)
    if not mean:
        return {"max_over_mean": float(len(shares)), "cv": 0.0}
    deviation = (sum((share - mean) ** 2 for share in shares) / len(shares)) ** 0.5
    return {"max_over_mean": max(shares) / mean, "cv": deviation / mean}


def calls_by_envoy(windows: Iterable[Window], since: float, until: float) -> Counter[str]:
    """Calls answered in [since, until), by Envoy's address."""
    total: Counter[str] = Counter()
    for window in windows:
        if since <= window["at"] < until:
            total.update(window["callers"])
    return total


def by_period(
    windows: Sequence[Window], since: float, until: float, period: float
) -> list[Counter[str]]:
    """Calls by Envoy in each whole period between."""
    count = int((until - since) // period)
    return [
        calls_by_envoy(windows, since + number * period, since + (number + 1) * period)
        for number in range(count)
    ]


@cache
def random_picks(
    channels: int, envoys: int, periods: int, *, trials: int = 4000
) -> Mapping[str, float]:
    """`max_over_mean` if each channel picked an Envoy at random in each period: the ``median``, and
    the bounds that 95 of 100 (``p95``) and 999 of 1,000 such runs (``p999``) stay below."""
    dice = random.Random(1)
    found: list[float] = []
    for _ in range(trials):
        picks = Counter(str(dice.randrange(envoys)) for _ in range(channels * periods))
        found.append(unevenness(picks, [str(envoy) for envoy in range(envoys)])["max_over_mean"])
    found.sort()
    return {
        "median": found[trials // 2],
        "p95": found[trials * 95 // 100],
        "p999": found[trials * 999 // 1000],
    }


def share_of(windows: Iterable[Window], envoys: Collection[str]) -> list[tuple[float, float]]:
    """These Envoys' share of the calls, by window; windows without calls are left out."""
    shares: list[tuple[float, float]] = []
    for window in windows:
        total = sum(window["callers"].values())
        if total:
            own = sum(count for envoy, count in window["callers"].items() if envoy in envoys)
            shares.append((window["at"], own / total))
    return shares


def time_to_share(
    windows: Iterable[Window], envoys: Collection[str], since: float, share: float
) -> float | None:
    """Seconds after ``since`` until these Envoys first had ``share`` of the calls; None: never."""
    for at, found in share_of(windows, envoys):
        if at >= since and found >= share:
            return at - since
    return None
