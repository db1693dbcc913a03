"""The derived times, against the formulas the design states and as properties."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grpc_platform.timing import (
    Timing,
    format_duration,
    parse_duration,
    whole_seconds,
)

durations = st.integers(min_value=1, max_value=10**8).map(lambda n: timedelta(milliseconds=n))
timings = st.builds(
    Timing,
    record_ttl=durations,
    propagation_delay=durations,
    min_resolution_interval=durations,
    pod_startup_time=durations,
    max_connection_duration=durations,
    connection_shutdown_grace_period=durations,
    max_deadline=durations,
)


def test_the_defaults_give_the_times_the_documents_quote() -> None:
    timing = Timing()
    assert format_duration(timing.dns_convergence) == "2m7s"
    assert format_duration(timing.drain_delay) == "2m7s"
    assert format_duration(timing.termination_grace_period) == "8m57s"
    assert format_duration(timing.rebalance_time) == "7m22s"
    assert format_duration(timing.reconnect_interval) == "5m15s"


@given(timings)
def test_an_envoy_outlives_every_name_connection_and_call_that_leads_to_it(timing: Timing) -> None:
    last_call_starts = timing.drain_delay + timing.reconnect_interval
    assert timing.drain_delay >= timing.dns_convergence
    assert timing.termination_grace_period > last_call_starts + timing.max_deadline


@given(timings)
def test_what_a_move_waits_outlasts_every_look_up_connection_and_call_by_the_old_weights(
    timing: Timing,
) -> None:
    """docs/moving.md: dns_convergence + reconnect_interval + max_deadline."""
    last_look_up = timing.propagation_delay + timing.record_ttl
    last_connection = last_look_up + timing.min_resolution_interval + timing.reconnect_interval
    waited = timing.dns_convergence + timing.reconnect_interval + timing.max_deadline
    assert waited >= last_connection + timing.max_deadline


@given(timings, durations)
def test_a_longer_ttl_lengthens_every_time_that_waits_for_dns(
    timing: Timing, more: timedelta
) -> None:
    longer = replace(timing, record_ttl=timing.record_ttl + more)
    assert longer.drain_delay - timing.drain_delay == more
    assert longer.termination_grace_period - timing.termination_grace_period == more
    assert longer.rebalance_time - timing.rebalance_time == more
    assert longer.reconnect_interval == timing.reconnect_interval


@given(durations)
def test_a_written_duration_reads_back(duration: timedelta) -> None:
    assert parse_duration(format_duration(duration)) == duration


@pytest.mark.parametrize("text", ["", "5", "5 m", "m", "5m ", "-5m", "1d", "5m0", "infinity"])
def test_an_invalid_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration such as"):
        parse_duration(text)


def test_seconds_are_rounded_up_because_waiting_less_loses_calls() -> None:
    assert whole_seconds(parse_duration("1500ms")) == 2
    assert whole_seconds(parse_duration("2s")) == 2
