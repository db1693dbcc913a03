"""The figures that balance takes from its events and windows."""

from typing import Any

import pytest

pytest.importorskip("experiments.plots", reason="needs the local group")


def phase(*, moves: bool) -> dict[str, Any]:
    """Two Envoys for 10 s, then a third is decided on; it has calls 8 s later, or never."""
    windows = [
        {"at": 100.0 + t, "callers": {"a": 4, "b": 4, **({"c": 4} if moves and t >= 18 else {})}}
        for t in range(40)
    ]
    return {
        "events": [
            {"at": 100.0, "envoys": ["a", "b"]},
            {"at": 110.0, "decided": 3},
            {"at": 113.0, "envoys": ["a", "b", "c"]},
        ],
        "ended": 140.0,
        "reports": {"grpc-go": {"windows": windows}},
    }


def test_a_new_envoy_that_gets_its_share_is_seen_and_when() -> None:
    from experiments.balance import scale_out

    found = scale_out(phase(moves=True), "grpc-go", 10.0)
    assert (found["new"], found["seconds"]) == (["c"], 8.0)
    assert found["share"] == pytest.approx(found["fair"])
    assert found["max_over_mean"] == 1.0


def test_a_new_envoy_that_stays_idle_is_seen() -> None:
    from experiments.balance import scale_out

    found = scale_out(phase(moves=False), "grpc-go", 10.0)
    assert (found["seconds"], found["calls"], found["share"]) == (None, 0, 0.0)
    assert found["max_over_mean"] == 1.5


def test_the_steady_part_ends_with_the_first_decision() -> None:
    from experiments.balance import steady

    found = steady(phase(moves=True), "grpc-go", 5.0)
    assert found["periods"] == 2
    assert found["together"] == {"max_over_mean": 1.0, "cv": 0.0}


def test_a_fleet_that_shrinks_twice_to_one_size_is_marked_twice() -> None:
    from experiments import balance

    shrinks = phase(moves=True)
    shrinks["events"] += [
        {"at": 120.0, "decided": 2},
        {"at": 125.0, "decided": 3},
        {"at": 130.0, "decided": 2},
    ]
    figure = balance.draw({"with": shrinks})["balance"]
    assert [text.get_text() for text in figure.axes[0].texts].count("to 2") == 2
