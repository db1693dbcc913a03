"""Which claims about a lost zone hold when."""

from typing import Any

import pytest

pytest.importorskip("experiments.plots", reason="needs the local group")

from experiments.lost_zone import findings
from experiments.lost_zone_page import draw, tell
from experiments.zone_callers import CALLERS, CONTRACT, CONTRACT_SAFE, DEFAULTS, Caller


def case(failed: dict[Caller, int], until: float = 55.0) -> dict[str, Any]:
    def one(caller: Caller) -> dict[str, Any]:
        lost = failed.get(caller, 500)
        return {
            "calls": 7200,
            "failed": lost,
            "until": until if lost else 0.0,
            "slowest": 2100.0,
            "by_second": [lost, 0],
        }

    return {
        "pods": ["contour", "envoy", "external-dns", "load"],
        "configured": 3,
        "period": 120.0,
        "endpoints": [51.0, 57.0],
        "name": None,
        "empty": 450.0,
        "clients": {str(caller): one(caller) for caller in CALLERS},
    }


def result(**changed: Any) -> dict[str, Any]:
    usual = {CONTRACT: 1000, CONTRACT_SAFE: 3, DEFAULTS: 4000}
    return {
        "lost": case(usual),
        "shift after": case({CONTRACT: 500}, 62.0),
        "shift before": case(dict.fromkeys(CALLERS, 0)),
    } | {name.replace("_", " "): each for name, each in changed.items()}


def broken(told: dict[str, Any]) -> list[str]:
    return [f.claim for f in findings(told) if f.binding and not f.holds]


def test_what_is_expected_of_a_zone_holds():
    assert not broken(result())


def test_one_call_lost_after_a_shift_is_one_too_many():
    before = case(dict.fromkeys(CALLERS, 0) | {DEFAULTS: 1})
    assert ["shifted away before" in claim for claim in broken(result(shift_before=before))] == [
        True
    ]


def test_calls_must_not_be_lost_for_ever_on_the_contract():
    lost = case({CONTRACT: 1000, CONTRACT_SAFE: 3, DEFAULTS: 4000}, until=68.0)
    assert ["endpoints are gone" in claim for claim in broken(result(lost=lost))] == [True]


def test_retries_and_the_contract_must_help():
    lost = case({CONTRACT: 1000, CONTRACT_SAFE: 20, DEFAULTS: 1000})
    assert len(broken(result(lost=lost))) == 2


@pytest.mark.parametrize("until", [45.0, 88.0])
def test_a_shift_must_end_the_loss_and_nothing_else(until: float):
    assert len(broken(result(shift_after=case({CONTRACT: 500}, until)))) == 1


def test_a_quick_run_has_no_shift_after_the_loss():
    quick = result()
    del quick["shift after"]
    assert not broken(quick)
    assert "With it" not in tell(quick)


def test_the_page_has_a_row_for_each_client_and_a_plot():
    text = tell(result())
    assert all(f"| {caller} | " in text for caller in CALLERS)
    assert "left out the lost servers 51, 57 s after the loss" in text
    assert list(draw(result())) == ["lost_zone"]
