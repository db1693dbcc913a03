"""What the figures of the experiment `alerts` must show."""

import copy
from typing import Any

import pytest

pytest.importorskip("experiments.plots", reason="needs the local group")

from experiments import alerts_page
from experiments.alerts import BREAKS, EXPLAINED, ROUNDS, findings, scope_of
from experiments.scenarios import SCENARIOS
from grpc_platform.monitoring import rules

FIRED: dict[str, Any] = {"name": "EnvoyNotReady", "labels": [], "at": 0.0, "why": None}
BREAK: dict[str, Any] = {
    "alert": "EnvoyWithoutContour",
    "what": "Contour scaled to zero",
    "for": 30.0,
    "promised": 42.0,
    "after": 33.2,
    "others": [],
    "error": "",
}
RESULT: dict[str, Any] = {
    "factor": 10,
    "breaks": [BREAK],
    "quiet": [{"name": "idle", "what": "no calls", "seconds": 130.0, "alerts": []}],
    "scrapes": {
        "annotations": [["envoy", "8002/stats"]],
        "pod_monitors": [["envoy", "8002/stats"]],
    },
}


def changed(part: str, **values: Any) -> dict[str, Any]:
    result = copy.deepcopy(RESULT)
    item = result[part][0] if isinstance(result[part], list) else result[part]
    item.update(values)
    return result


def wrong(result: dict[str, Any]) -> list[str]:
    return [finding.figure for finding in findings(result) if not finding.holds]


def test_a_run_in_which_all_is_as_promised_holds() -> None:
    assert wrong(RESULT) == []


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (changed("breaks", after=None), "never"),
        (changed("breaks", after=43.0), "after 43 s, promised 42 s"),
        (changed("breaks", others=[FIRED]), "also EnvoyNotReady"),
        (changed("breaks", error="no route"), "no route"),
        (changed("quiet", alerts=[FIRED]), "EnvoyNotReady"),
        (changed("quiet", error="no Envoy"), "no Envoy"),
        (changed("scrapes", annotations=[["envoy", "8003/stats"]]), "8002/stats"),
    ],
)
def test_what_is_not_as_promised_is_told(result: dict[str, Any], said: str) -> None:
    (figure,) = wrong(result)
    assert said in figure


def test_an_alert_with_a_reason_is_told_with_it() -> None:
    explained = changed("breaks", others=[FIRED | {"why": "the pod waits for Contour"}])
    assert wrong(explained) == []
    machine = {"cores": 2, "cpu": "x"}
    record = {"result": explained, "date": "2026-11-30", "machine": machine}
    assert "| EnvoyNotReady: the pod waits for Contour |" in alerts_page.generated(record)


def test_every_alert_has_its_break() -> None:
    """An alert without a break is not proven."""
    assert sorted(BREAKS) == sorted(alert.name for alert in rules.alerts())
    assert sorted(BREAKS) == sorted(name for names in ROUNDS for name in names)


def test_what_is_explained_exists() -> None:
    names = {alert.name for alert in rules.alerts()}
    scenarios = {scenario.name for scenario in SCENARIOS if scenario.lossless}
    assert all(where in scenarios and alert in names for where, alert in EXPLAINED)


def test_what_is_not_shortened_keeps_its_threshold() -> None:
    true, shortened = scope_of(1), scope_of(10)
    for scope in (true, shortened):
        assert scope.seconds(scope.thresholds.sync_seconds) == "180"
    assert shortened.time("15m") == "90s"
