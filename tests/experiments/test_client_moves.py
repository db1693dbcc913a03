"""What `client_moves` makes of its measurements."""

from typing import Any

import pytest

pytest.importorskip("experiments.plots", reason="needs the local group")

from experiments.client_moves import findings
from experiments.client_runs import CONTRACT, DEFAULTS


def account(*, failed: int = 0, late: int = 0, left: float = 20.0) -> dict[str, Any]:
    return {"calls": 1000, "failed": failed, "late": late, "left": left}


def judged(contract: dict[str, Any], *, at_once: int = 5) -> list[bool]:
    steps = {"go": {CONTRACT: contract, DEFAULTS: account(failed=3, left=500.0)}}
    back = {"go": {CONTRACT: account(failed=at_once), DEFAULTS: account()}}
    result = {"languages": ["go"], "wait": 100.0, "steps": steps, "at once": back}
    return [finding.holds for finding in findings(result)]


def test_only_what_clients_do_by_the_contract_counts() -> None:
    assert judged(account()) == [True, True, True]


def test_a_failed_or_late_call_breaks_the_promise() -> None:
    assert judged(account(failed=1)) == [False, True, True]
    assert judged(account(late=1)) == [False, True, True]


def test_a_client_that_stays_in_the_old_cluster_breaks_the_promise() -> None:
    assert judged(account(left=100.5)) == [True, False, True]


def test_a_control_that_loses_nothing_shows_nothing() -> None:
    assert judged(account(), at_once=0) == [True, True, False]
