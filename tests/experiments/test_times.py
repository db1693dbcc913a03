"""Times shortened by one factor: the design's own arithmetic over shorter waits."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from grpc_platform import timing
from grpc_platform.timing import EXTERNAL_DNS_REACTION, Timing
from testbed import times
from testbed.program import changed_program, preview


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    yield
    times.shorten(1)


def test_a_factor_of_one_is_the_truth() -> None:
    assert times.shorten(1) == Timing()
    assert timedelta(seconds=60) == timing.ROUTE53_PROPAGATION


def test_all_waits_that_can_be_are_shortened_alike() -> None:
    true = Timing().dns_convergence - EXTERNAL_DNS_REACTION
    interval = Timing().reconnect_interval
    short = times.shorten(10)
    assert short.dns_convergence - EXTERNAL_DNS_REACTION == true / 10
    assert short.reconnect_interval == interval / 10


def test_shortening_twice_is_not_shortening_more() -> None:
    assert times.shorten(10) == times.shorten(10)


def test_the_program_makes_a_stack_with_shortened_times(tmp_path: Path) -> None:
    short = times.shorten(10)
    program = tmp_path / "program"
    program.mkdir()
    changed_program(program, "local", 10, **times.sections(short), services={"load": {}})
    graph = preview("local", tmp_path / "preview", program)
    envoy = next(r for r in graph if r.inputs.get("kind") == "Deployment" and "envoy" in r.name)
    pod = envoy.inputs["spec"]["template"]["spec"]
    grace = short.termination_grace_period.total_seconds()
    assert grace <= pod["terminationGracePeriodSeconds"] < grace + 1
    assert f"--drain-delay={timing.format_duration(short.drain_delay)}" in str(pod)
    assert short.drain_delay < Timing().drain_delay
