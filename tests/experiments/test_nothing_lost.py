"""Which calls count as lost; and a control that loses none fails."""

from typing import Any

import pytest

pytest.importorskip("experiments.plots", reason="needs the local group")

from experiments.nothing_lost import CLIENTS, draw, findings, tell


def scenario(*, failed: int = 0, slow: int = 0, **kind: bool) -> dict[str, Any]:
    quiet = {
        "calls": 1000,
        "failed": 0,
        "slow": 0,
        "codes": {"OK": 1000},
        "windows": [{"at": 5.0, "ok": 1, "failed": 0}],
    }
    loud = quiet | {
        "failed": failed,
        "slow": slow,
        "codes": {"OK": 1000 - failed, "UNAVAILABLE": failed},
        "windows": [{"at": 5.0, "ok": 1, "failed": failed}, {"at": 9.0, "ok": 1, "failed": failed}],
    }
    clients = dict.fromkeys(CLIENTS, quiet) | {"pick_first": loud}
    given = {"name": "it", "what": "it happens", "lossless": True, "control": False}
    run = {"events": {"begins": 4.0, "done": 6.0, "settled": 8.0}, "clients": clients}
    return {"scenarios": [given | kind | {"runs": [run]}], "calls": 4000}


def verdict(result: dict[str, Any]) -> tuple[bool, bool]:
    finding, _ = findings(result)
    return finding.holds, finding.binding


def test_a_failed_call_is_lost() -> None:
    assert verdict(scenario()) == (True, True)
    assert verdict(scenario(failed=1)) == (False, True)


def test_too_few_calls_show_nothing() -> None:
    assert verdict(scenario() | {"calls": 4001}) == (False, True)


def test_a_late_call_is_reported_and_fails_no_run() -> None:
    assert verdict(scenario(slow=1)) == (True, True)
    late = findings(scenario(slow=1))[1]
    assert (late.holds, late.binding) == (False, False)
    assert late.figure == "it happens: 1"
    assert findings(scenario())[1].holds


def test_a_control_must_lose_calls() -> None:
    assert verdict(scenario(control=True)) == (False, True)
    assert verdict(scenario(control=True, failed=1)) == (True, True)
    assert verdict(scenario(control=True, slow=1)) == (False, True), "noise makes calls late"


def test_where_calls_may_be_lost_their_number_and_time_are_reported() -> None:
    result = scenario(lossless=False, failed=3)
    finding, _ = findings(result)
    assert not finding.binding
    assert "3 failed" in finding.figure
    assert "within 5 s" in finding.figure
    assert "UNAVAILABLE 3" in tell(result)


def test_every_run_of_a_scenario_counts() -> None:
    result = scenario(lossless=False, failed=3)
    (calm,) = scenario()["scenarios"][0]["runs"]
    result["scenarios"][0]["runs"].append(calm)
    finding, _ = findings(result)
    assert "3 (3 + 0) failed, 0 late, of 8,000; within 5 s" in finding.figure
    assert "| 8,000 | 3 (3 + 0) |" in tell(result)


def test_a_failed_scenario_is_reported_beside_the_others() -> None:
    result = scenario()
    result["scenarios"].append({"name": "that", "what": "that happens", "error": "no room"})
    done, not_done, late = findings(result)
    assert (done.holds, not_done.holds, late.holds) == (True, False, True)
    assert (not_done.claim, not_done.figure) == ("that happens: it can be done", "no room")
    assert "that happens" not in tell(result)
    assert set(draw(result)) == {"nothing_lost"}
