"""What is made of the example clients' calls."""

from typing import Any

import pytest

pytest.importorskip("experiments.plots", reason="needs the local group")

from experiments.clients import CONTRACT, DEFAULTS, account, findings, share
from testbed.clients.pods import Call

SINCE = 1000.0
NEW = "10.244.0.9"


def call(at: float, *, ms: float = 5.0, code: str = "OK", envoy: str = "10.244.0.2") -> Call:
    return Call(
        at=at, ms=ms, code=code, envoy=envoy if code == "OK" else "", message="" if code == "OK"
        else "it is gone",
    )  # fmt: skip


def calls(*others: Call) -> list[Call]:
    """Ten calls a second for a minute around `SINCE`, and these."""
    return [*(call(SINCE - 30 + n / 10) for n in range(600)), *others]


def test_counts_the_failed_and_the_late() -> None:
    given = calls(call(SINCE + 1, code="UNAVAILABLE"), call(SINCE + 2, ms=1500), call(1, ms=900))
    found = account(given, 2, 3, SINCE, NEW)
    assert (found["calls"], found["failed"], found["late"], found["opened"]) == (605, 3, 1, 3)
    assert found["codes"] == {"OK": 602, "UNAVAILABLE": 1}
    assert found["messages"] == ["it is gone"]


def test_tells_when_the_last_bad_call_was_sent() -> None:
    given = calls(call(SINCE + 4, code="DEADLINE_EXCEEDED"), call(SINCE + 7.5, ms=3000))
    assert account(given, 0, 1, SINCE, NEW)["left"] == 7.5
    assert account(calls(), 0, 1, SINCE, NEW)["left"] == 0


@pytest.mark.parametrize(
    ("sent", "adopted"), [((), None), ((SINCE + 12.5, SINCE + 13), 12.5), ((SINCE - 1,), 0.0)]
)
def test_tells_when_a_new_envoy_carried_its_first_call(
    sent: tuple[float, ...], adopted: float | None
) -> None:
    given = calls(*(call(at, envoy=NEW) for at in sent))
    assert account(given, 0, 1, SINCE, NEW)["adopted"] == adopted


def test_a_share_is_of_five_minutes() -> None:
    assert share({"failed": 30, "rate": 10.0}) == 1.0


def result(lossless: bool, **failed: int) -> dict[str, Any]:
    """A run of one scenario; ``failed`` calls by mode."""
    each = {
        mode: {"calls": 3000, "failed": failed[mode], "late": 0, "rate": 10.0}
        for mode in (CONTRACT, DEFAULTS)
    }
    name = "scale-in" if lossless else "envoy-lost"
    scenario = {"name": name, "what": name, "lossless": lossless, "clients": {"go": each}}
    return {"languages": ["go"], "scenarios": [scenario]}


def test_one_failed_call_breaks_a_lossless_promise() -> None:
    kept, late = findings(result(True, contract=0, defaults=5))
    broken, _ = findings(result(True, contract=1, defaults=5))
    assert (kept.holds, broken.holds) == (True, False)
    assert (kept.binding, late.binding) == (True, False), "other load makes calls late"


def test_a_sudden_death_has_a_goal_and_a_control() -> None:
    goal, control = findings(result(False, contract=30, defaults=300))
    assert (goal.holds, control.holds, control.control) == (True, True, True)
    goal, control = findings(result(False, contract=31, defaults=31))
    assert (goal.holds, control.holds) == (False, False)


def test_a_scenario_that_could_not_be_tried_fails_the_run() -> None:
    result = {"languages": ["go"], "scenarios": [{"name": "x", "what": "x", "error": "no reason"}]}
    (found,) = findings(result)
    assert (found.holds, found.figure) == (False, "no reason")
