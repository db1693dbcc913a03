"""What the figures of the balancing policies must show."""

from typing import Any

import pytest

pytest.importorskip("experiments.plots", reason="needs the local group")

from experiments.policies import POLICIES, findings, tell

OPENED = {"pick_first": 1, "random_subsetting": 3, "round_robin": 6}


def result(**opened: float) -> dict[str, Any]:
    rows = [
        {
            "policy": policy,
            "clients": clients,
            "max_over_mean": {"median": ratio, "low": 1.0, "high": ratio},
            "opened": (OPENED | opened)[policy] * clients,
            "codes": {"OK": 100},
        }
        for policy, ratio in zip(POLICIES, (1.9, 1.3, 1.02), strict=True)
        for clients in (5, 50)
    ]
    return {"envoys": 6, "period": 31.5, "periods": 2, "rows": rows}


def test_a_policy_that_opens_another_number_of_connections_is_told() -> None:
    assert all(finding.holds for finding in findings(result()))
    (wrong,) = [finding for finding in findings(result(random_subsetting=6)) if not finding.holds]
    assert "3 by random_subsetting" in wrong.claim


def test_the_page_tells_connections_by_client_and_second() -> None:
    assert "| 50 | round_robin | 1.02 (1.00 to 1.02) | 6.0 | 9.5 |" in tell(result())
