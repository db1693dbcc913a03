"""Which failures break which claim about changes of routes."""

from typing import Any

import pytest

pytest.importorskip("experiments.plots", reason="needs the local group")

from experiments.route_changes import CHANGED, CHANGES
from experiments.routes import OTHERS, findings
from experiments.routes_page import draw, tell

QUIET = "quiet"
_SPREAD = {"median": 4.0, "low": 2.0, "high": 9.0}
_MEASURED: dict[str, Any] = {
    "one": {"added": [0.2, 0.4], "removed": [0.1, 0.3]},
    "add": {"added": 100, "seconds": 6.0, "missed": 0},
    "remove": {"seconds": 3.0},
}


def row(routes: int = 10, /, **failed: dict[str, int]) -> dict[str, Any]:
    """A row in which so many calls failed, by phase and by whom."""
    counts = {"no route": {CHANGED: 300}, "port": {CHANGED: 20}} | {
        name.replace("_", " "): by for name, by in failed.items()
    }
    phases = [
        {
            "name": name,
            "measured": _MEASURED.get(name),
            **{
                whom: {
                    "calls": 1000,
                    "failed": {"round_robin": counts.get(name, {}).get(whom, 0), "streams": 0},
                    "p99": _SPREAD,
                }
                for whom in (OTHERS, CHANGED)
            },
        }
        for name in (QUIET, *(change.name for change in CHANGES))
    ]
    memory = {"contour": 100.0, "envoy": 2_000.0}
    return {
        "routes": routes,
        "added": routes,
        "seconds": 1.0,
        "missed": 0,
        "slow": 0,
        "mebibytes": memory,
        "rebuild_seconds": 0.01,
        "phases": phases,
    }


def result(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"rows": list(rows), "calls_per_second": 600}


def broken(*rows: dict[str, Any]) -> list[str]:
    return [f.claim for f in findings(result(*rows)) if f.binding and not f.holds]


def test_the_port_and_the_control_may_lose_the_changed_services_calls():
    assert not broken(row(), row(1000))


def test_the_others_may_lose_none_whatever_happens():
    for change in ("one", "port", QUIET):
        assert len(broken(row(**{change: {OTHERS: 1}}))) == 1
    assert len(broken(row(no_route={OTHERS: 1, CHANGED: 300}))) == 1


def test_the_changed_service_may_lose_none_by_the_rest():
    for change in ("timeout", "target", "add"):
        assert [
            "nor one to the service" in claim for claim in broken(row(**{change: {CHANGED: 1}}))
        ] == [True]


def test_a_control_that_loses_nothing_shows_nothing():
    assert ["is taken away" in claim for claim in broken(row(no_route={CHANGED: 0}))] == [True]


def test_memory_above_the_default_is_told():
    (told,) = [f for f in findings(result(row())) if "default memory" in f.claim]
    assert not told.holds
    assert "2,000 of 1,024 MiB" in told.figure


def test_the_page_has_a_row_for_each_change_and_a_plot():
    text = tell(result(row(), row(5000)))
    assert all(f"| {change.what} | " in text for change in CHANGES)
    assert "| 0 and 20 | 4 (9) |" in text
    assert list(draw(result(row(), row(5000)))) == ["routes"]
