"""Times shortened by one factor: the design's own arithmetic over shorter waits."""

from pathlib import Path

from grpc_platform.timing import EXTERNAL_DNS_REACTION, Timing, format_duration
from testbed.program import changed_program, preview
from testbed.times import sections, shorten


def test_a_factor_of_one_is_the_truth() -> None:
    assert shorten(1) == Timing()


def test_all_waits_that_can_be_are_shortened_alike() -> None:
    true, short = Timing(), shorten(10)
    fixed = EXTERNAL_DNS_REACTION
    assert short.dns_convergence - fixed == (true.dns_convergence - fixed) / 10
    assert short.rebalance_time - fixed == (true.rebalance_time - fixed) / 10


def test_the_program_makes_a_stack_with_shortened_times(tmp_path: Path) -> None:
    short = shorten(10)
    program = tmp_path / "program"
    program.mkdir()
    changed_program(program, "local", **sections(short), services={"load": {}})
    graph = preview("local", tmp_path / "preview", program)
    outputs = graph.exports
    assert {name: outputs["timing"][name] for name in vars(short)} == {
        name: format_duration(value) for name, value in vars(short).items()
    }
    envoy = next(r for r in graph if r.inputs.get("kind") == "Deployment" and "envoy" in r.name)
    pod = envoy.inputs["spec"]["template"]["spec"]
    grace = short.termination_grace_period.total_seconds()
    assert grace <= pod["terminationGracePeriodSeconds"] < grace + 1
    assert f"--drain-delay={format_duration(short.drain_delay)}" in str(pod)
