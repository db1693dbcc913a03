"""How evenly calls fell: known cases by hand, and properties."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments import shares

COUNTS = st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 1000), min_size=1)


def windows(*calls: dict[str, int]) -> list[shares.Window]:
    return [{"at": 100.0 + second, "callers": each} for second, each in enumerate(calls)]


def test_an_idle_envoy_counts_as_zero() -> None:
    found = shares.unevenness({"a": 10, "b": 10}, ["a", "b", "c", "d"])
    assert found == {"max_over_mean": 2.0, "cv": 1.0}


def test_even_calls_are_even() -> None:
    assert shares.unevenness({"a": 5, "b": 5}, ["a", "b"]) == {"max_over_mean": 1.0, "cv": 0.0}


@given(COUNTS)
def test_max_over_mean_is_between_one_and_the_number_of_envoys(calls: dict[str, int]) -> None:
    fleet = sorted(calls)
    ratio = shares.unevenness(calls, fleet)["max_over_mean"]
    assert 1 - 1e-9 <= ratio <= len(fleet) + 1e-9


def test_calls_of_an_envoy_that_left_do_not_count_for_the_fleet() -> None:
    assert shares.unevenness({"a": 5, "b": 5, "gone": 90}, ["a", "b"])["max_over_mean"] == 1.0


def test_periods_are_whole_and_hold_what_began_in_them() -> None:
    found = windows({"a": 1}, {"b": 2}, {"a": 4}, {"b": 8}, {"a": 16})
    each = shares.by_period(found, 100, 105, 2)
    assert [dict(calls) for calls in each] == [{"a": 1, "b": 2}, {"a": 4, "b": 8}]


def test_random_picks_even_out_with_their_number() -> None:
    one, many = shares.random_picks(12, 3, 1), shares.random_picks(12, 3, 20)
    assert 1 < many["median"] < one["median"]
    assert many["p95"] < one["p95"]
    assert one["median"] < one["p95"]


def test_a_single_channel_is_all_on_one_envoy() -> None:
    assert shares.random_picks(1, 4, 1) == {"median": 4.0, "p95": 4.0, "p999": 4.0}


def test_the_time_to_a_share_begins_with_the_event() -> None:
    found = windows(
        {"new": 9, "old": 1}, {"old": 10}, {}, {"new": 2, "old": 8}, {"new": 5, "old": 5}
    )
    assert shares.time_to_share(found, ["new"], 101.0, 0.4) == pytest.approx(3.0)
    assert shares.time_to_share(found, ["new"], 101.0, 0.6) is None
