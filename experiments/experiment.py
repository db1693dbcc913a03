"""The form of an experiment, and the files that it leaves."""

import json
import os
import platform
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from matplotlib import pyplot
from matplotlib.figure import Figure

from experiments import plots
from experiments.lab import Lab
from grpc_platform.timing import Timing, format_duration
from testbed.cluster.parts import GoPart
from testbed.program import ROOT

Result = dict[str, Any]
"""What was measured, as JSON."""


@dataclass(frozen=True)
class Finding:
    """One claim, and whether it held."""

    claim: str
    holds: bool
    figure: str
    """The measured figure, in words and with units."""
    control: bool = False
    """Whether it shows that the experiment can fail."""
    binding: bool = True
    """Whether the run fails when it does not hold; false for claims that are only reported."""


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """A promise of the design, and its test."""

    title: str
    question: str
    run: Callable[[Lab], Result]
    findings: Callable[[Result], list[Finding]]
    draw: Callable[[Result], dict[str, Figure]]
    """The plots, by name."""
    tell: Callable[[Result], str]
    """Markdown: the method, the figures, the conclusions."""
    parts: tuple[GoPart, ...] = ()
    """What it runs beside the cluster and the load generator."""
    page: str | None = None
    """The page of docs/ that shows the plots, if they are too many for that of the experiments."""
    shortened: bool = True
    """Whether its waits are divided by the factor; otherwise it runs at the true values."""
    zones: int = 1
    """Availability zones of its cluster."""


def count_failed(*codes: Mapping[str, int]) -> int:
    """Calls that did not end with OK, from counts by status code."""
    return sum(n for counts in codes for code, n in counts.items() if code != "OK")


def save(directory: Path, name: str, lab: Lab, result: Result, others: Mapping[str, float]) -> None:
    """Write NAME.json before it is judged, so that the measurements survive a failure there.

    ``others`` are the cores that programs beside the experiment used (`quiet`).
    """
    record: dict[str, Any] = {
        "experiment": name,
        "date": time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
        "commit": _commit(),
        "machine": _machine(),
        "others": others,
        "quick": lab.quick,
        "factor": lab.factor,
        "times": _times(lab.times),
        "findings": [],
        "plots": [],
        "result": result,
    }
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / f"{name}.json"
    file.write_text(json.dumps(record, indent=1) + "\n")


def judge(directory: Path, name: str, experiment: Experiment) -> list[Finding]:
    """Plot the measurements in NAME.json, and add the findings to it."""
    file = directory / f"{name}.json"
    record = json.loads(file.read_text())
    figures = experiment.draw(record["result"])
    for plot, figure in figures.items():
        plots.save(figure, directory, plot)
        pyplot.close(figure)
    findings = experiment.findings(record["result"])
    record |= {"findings": [asdict(finding) for finding in findings], "plots": list(figures)}
    file.write_text(json.dumps(record, indent=1) + "\n")
    return findings


def failed(findings: Sequence[Finding]) -> list[Finding]:
    """The findings that make a run fail."""
    return [finding for finding in findings if finding.binding and not finding.holds]


def _times(times: Timing) -> dict[str, str]:
    names = ("record_ttl", "max_connection_duration", "connection_shutdown_grace_period")
    derived = ("dns_convergence", "drain_delay", "termination_grace_period", "rebalance_time")
    return {name: format_duration(getattr(times, name)) for name in (*names, *derived)}


def _commit() -> str:
    git = ("git", "-C", str(ROOT), "describe", "--always", "--dirty")
    return subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()


def _machine() -> dict[str, Any]:
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "memory_gib": round(memory, 1),
        "kernel": platform.release(),
    }
