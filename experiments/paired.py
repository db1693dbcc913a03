"""Several ways to the same servers, called in turn by one client, so that whatever else happens on
the machine meets all of them alike."""

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.experiment import Result
from experiments.lab import Lab, spread
from testbed.load.sampler import Sample, Sampler, answered, cores

QUANTILES = ("p50", "p99", "p99.9")
_AT_MOST = "10m"
"""A client calls until it is told to stop, however slow the machine; this bounds it."""
DIRECT = "direct"
"""The way without a hop, which each other is compared with."""
SHIPPED = "envoy"
"""The way through the platform's own Envoys."""


def in_turn(lab: Lab, targets: Mapping[str, str], *arguments: str, seconds: int) -> Result:
    """One client that calls all targets in turn: times, CPU of each hop for a call, and codes.

    A target's name is the prefix of its hop's pods.
    """
    client = lab.client(f"--duration={_AT_MOST}", *arguments, targets=targets)
    lab.wait_until_running(client)
    lab.pause(2)
    with Sampler(lab.cluster) as sampler:
        # Samples rather than time: a busy machine is slow to begin.
        lab.cluster.wait(
            f"{seconds} samples of a second each",
            lambda: len(sampler.samples) > seconds,
            timeout=seconds + 60,
        )
    reports = client.stop()["targets"]
    return {
        name: {
            "milliseconds": {q: report["milliseconds"][q] for q in QUANTILES},
            "cpu": _cpu(name, report, sampler.samples),
            "calls_per_second": answered(report["windows"], sampler.samples),
            "codes": report["codes"],
        }
        for name, report in reports.items()
    }


def _cpu(name: str, report: Result, samples: Sequence[Sample]) -> float:
    """Microseconds of a hop for a call."""
    return 1e6 * cores(samples, name) / answered(report["windows"], samples)


def saturate(lab: Lab, targets: Mapping[str, str], *, seconds: int) -> Result:
    """Each target on its own, as many calls as this machine can make with all programs on it."""
    busy = ("--channels=8", "--concurrency=16")
    return {
        name: in_turn(lab, {name: target}, *busy, seconds=seconds)[name]
        for name, target in targets.items()
    }


def summary(runs: Sequence[Result]) -> Result:
    """Of repeats: by target the times, what each adds to the direct way, and CPU for a call."""
    names = list(runs[0])

    def told(name: str) -> Result:
        found: dict[str, Any] = {
            "milliseconds": {
                q: spread([run[name]["milliseconds"][q] for run in runs]) for q in QUANTILES
            },
            "cpu": spread([run[name]["cpu"] for run in runs]),
            "calls_per_second": spread([run[name]["calls_per_second"] for run in runs]),
            "codes": [run[name]["codes"] for run in runs],
        }
        if DIRECT in names and name != DIRECT:
            found["added"] = {q: spread([added(run, name, q) for run in runs]) for q in QUANTILES}
        return found

    return {name: told(name) for name in names}


def added(run: Result, name: str, quantile: str) -> float:
    """Milliseconds that a hop adds to the direct way, in one run."""
    return run[name]["milliseconds"][quantile] - run[DIRECT]["milliseconds"][quantile]


def added_ratio(runs: Sequence[Result], name: str, base: str, quantile: str) -> dict[str, float]:
    """What one hop adds, divided by what another adds in the same run.

    Where the base adds nothing in a run, that run says nothing, and is left out.
    """
    pairs = [(added(run, name, quantile), added(run, base, quantile)) for run in runs]
    ratios = [a / b for a, b in pairs if b > 0]
    return spread(ratios) if ratios else {"median": 0.0, "low": 0.0, "high": 0.0}


def cpu_ratio(runs: Sequence[Result], name: str, base: str) -> dict[str, float]:
    """The CPU of one hop for a call, divided by that of another in the same round."""
    return spread([run[name]["cpu"] / run[base]["cpu"] for run in runs])
