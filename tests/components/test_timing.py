"""The derived times, against the formulas the design states and as properties."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grpc_platform.specs import ContourSpec, EnvoySpec
from grpc_platform.timing import (
    DEFAULT_DEADLINE,
    EXTERNAL_DNS_REACTION,
    EXTERNAL_DNS_SYNC_INTERVAL,
    KEEPALIVE_TIME,
    KEEPALIVE_TIMEOUT,
    NEGATIVE_CACHING,
    DnsTiming,
    Timing,
    format_duration,
    parse_duration,
    timing_of,
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


def test_a_year_can_be_written_and_no_more() -> None:
    assert parse_duration("8784h") == timedelta(days=366)
    with pytest.raises(ValueError, match="is longer than a year"):
        parse_duration("8784h1ms")


def test_no_time_is_written_as_one_that_reads_back() -> None:
    assert parse_duration(format_duration(timedelta(0))) == timedelta(0)


def test_external_dns_reacts_within_one_sync_interval_and_a_tick() -> None:
    """An event that comes right after a sync waits for the interval, then for the next of the ticks
    of a second. With no interval, each Envoy of a rollout would be a change of its own, and Route53
    takes five requests a second of an account:
    https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DNSLimitations.html"""
    second = timedelta(seconds=1)
    assert second <= EXTERNAL_DNS_SYNC_INTERVAL < EXTERNAL_DNS_REACTION - second


def test_a_name_that_is_new_is_found_by_the_next_look_up() -> None:
    """A client that asked too early asks again after the shortest interval between look-ups."""
    assert timedelta(0) < NEGATIVE_CACHING <= DnsTiming.min_resolution_interval


def test_a_lost_envoy_costs_a_client_no_longer_than_a_default_deadline() -> None:
    assert KEEPALIVE_TIME + KEEPALIVE_TIMEOUT <= DEFAULT_DEADLINE


def test_the_autoscalers_window_is_one_that_the_api_server_takes() -> None:
    """3600 seconds at most:
    https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/horizontal-pod-autoscaler-v2/"""
    usual, slow = Timing(), Timing(max_connection_duration=timedelta(hours=2))
    assert usual.scale_down_stabilization == usual.rebalance_time
    assert slow.scale_down_stabilization == timedelta(seconds=3600) < slow.rebalance_time


@given(timings)
def test_a_rollout_has_the_time_that_kubernetes_and_pulumi_give_and_that_of_a_drain(
    timing: Timing,
) -> None:
    """Ten minutes are the default of progressDeadlineSeconds and of Pulumi's wait:
    https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#progress-deadline-seconds"""
    without_drains = timing.rollout_deadline - timing.termination_grace_period
    assert without_drains == timedelta(minutes=10)


@given(timings)
def test_every_time_that_is_given_is_the_one_that_counts(timing: Timing) -> None:
    timeouts = ("max_connection_duration", "connection_shutdown_grace_period")
    contour = ContourSpec.model_validate(
        {"timeouts": {name: getattr(timing, name) for name in timeouts}}
    )
    envoy = EnvoySpec(pod_startup_time=timing.pod_startup_time, max_deadline=timing.max_deadline)
    assert timing_of(timing, contour, envoy) == timing
