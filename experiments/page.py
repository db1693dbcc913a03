"""The page of the experiments, made from the JSON of each."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from experiments import quiet
from experiments.catalogue import EXPERIMENTS
from experiments.experiment import Finding

_HEAD = """# Experiments

What the design promises, measured on real Contour and Envoy by `make experiments`: the manifests
that go to production, in the [local cluster]({local}). Generated; the figures are of the runs dated
below. Waits (Route53's propagation, TTL, clients' pause between look-ups, max connection duration
and grace) are shortened by one factor, which each experiment names; counts and ratios carry over,
and times of seconds and more scale back by it. `make experiments FACTOR=1` runs at the true values,
and the lost nodes always do.

What one machine with {cores} cores cannot tell: absolute throughput, and latency of a real network.
Rely on ratios within one run.

What they changed in the platform: the default circuit breaker (Settings), Contour's memory (Growth,
which the former 256 MiB failed), what [clients]({clients}) are told of streams (Long streams),
their keepalive (Lost Envoy), retries of idempotent services (Lost server), Contour's compression
filter, which is off (The hop against its floor), and what is said of services without endpoints
(Growth). The autoscaler's target and patience, the drain and the access
log stayed as they were.

| experiment | asks | holds | date |
| --- | --- | --- | --- |
"""


def write(directory: Path, docs: str = "../../docs") -> None:
    """Write README.md about all experiments with results there; ``docs`` is the path to docs/."""
    records = _records(directory)
    cores = max((r["machine"]["cores"] for r in records.values()), default=0)
    lines = [
        _HEAD.format(local=f"{docs}/local.md", clients=f"{docs}/clients.md", cores=cores).rstrip(
            "\n"
        )
    ]
    for name, record in records.items():
        findings = [finding for finding in _findings(record) if finding.binding]
        held = sum(finding.holds for finding in findings)
        lines.append(
            f"| [{EXPERIMENTS[name].title}](#{_anchor(EXPERIMENTS[name].title)}) "
            f"| {EXPERIMENTS[name].question} | {held} of {len(findings)} | {record['date']} |"
        )
    for name, record in records.items():
        lines += ["", *_section(name, record)]
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "README.md").write_text("\n".join(lines) + "\n")


def publish(source: Path, target: Path, names: Sequence[str], console: Console) -> int:
    """Copy the last runs of ``names`` to the folder that the README links to, and write its page
    anew. Copies nothing and returns 1 if one of them was not run, or run quickly only."""
    records = {name: record for name, record in _records(source).items() if name in names}
    missing = [name for name in names if name not in records]
    quick = [name for name, record in records.items() if record["quick"]]
    for refused, what in ((missing, "not run"), (quick, "run quickly only")):
        if refused:
            console.print(f"nothing published; {what}: {', '.join(refused)}")
            return 1
    target.mkdir(parents=True, exist_ok=True)
    for name, record in records.items():
        (target / f"{name}.json").write_text(json.dumps(record, separators=(",", ":")) + "\n")
        for plot in record["plots"]:
            shutil.copy(source / f"{plot}.svg", target)
    _remove_others(target)
    write(target, docs="..")
    console.print(f"published to {target}: {', '.join(names)}; make docs for the other pages")
    return 0


def _remove_others(directory: Path) -> None:
    """Remove plots and JSON of experiments and plots that are no more."""
    records = _records(directory)
    kept = {f"{name}.json" for name in records}
    kept |= {f"{plot}.svg" for record in records.values() for plot in record["plots"]}
    for file in (*directory.glob("*.json"), *directory.glob("*.svg")):
        if file.name not in kept:
            file.unlink()


def _records(directory: Path) -> dict[str, dict[str, Any]]:
    files = {name: directory / f"{name}.json" for name in EXPERIMENTS}
    return {name: json.loads(file.read_text()) for name, file in files.items() if file.exists()}


def _findings(record: dict[str, Any]) -> list[Finding]:
    return [Finding(**finding) for finding in record["findings"]]


def _section(name: str, record: dict[str, Any]) -> list[str]:
    experiment = EXPERIMENTS[name]
    machine, times = record["machine"], record["times"]
    lines = [f"## {experiment.title}", "", experiment.question, ""]
    lines += ["| | claim | measured |", "| --- | --- | --- |"]
    for finding in _findings(record):
        mark = "✓" if finding.holds else "✗" if finding.binding else "–"
        claim = f"control: {finding.claim}" if finding.control else finding.claim
        figure = " ".join(finding.figure.split()).replace("|", "\\|")
        lines.append(f"| {mark} | {claim} | {figure} |")
    lines += ["", experiment.tell(record["result"]).strip()]
    for plot in () if experiment.page else record["plots"]:
        lines += ["", f"![{plot.replace('-', ' ').replace('_', ' ')}]({plot}.svg)"]
    shortened = "" if record["factor"] == 1 else f" (true values / {record['factor']:g})"
    if record["quick"]:
        shortened += "; a quick run, less than the page of docs/ shows"
    if quiet.busy(record.get("others", {})):
        shortened += f"; {quiet.mark(record['others'])}"
    lines += [
        "",
        f"<sub>{record['date']} UTC, commit {record['commit']}, {machine['cores']} × "
        f"{machine['cpu']}, {machine['memory_gib']:g} GiB, Linux {machine['kernel']}; max "
        f"connection duration {times['max_connection_duration']}, TTL {times['record_ttl']}"
        f"{shortened}; [{name}.json]({name}.json)</sub>",
    ]
    if note := record.get("note"):
        lines += ["", f"<sub>{note}</sub>"]
    return lines


def _anchor(title: str) -> str:
    return "".join(c for c in title.lower().replace(" ", "-") if c.isalnum() or c == "-")
