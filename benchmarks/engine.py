"""`python -m benchmarks.engine`, part of `make bench`: what the real engine's previews cost.

Previews this program's dev stack with 10, 100, 300 and 1,000 services, and next to each a program
that registers the same resources straight with the SDK (`benchmarks.replay`), several times in
turn. In both the provider of Kubernetes is known only later, AWS's is the testbed's, and the engine
skips its checkpoints. Prints a table, writes build/bench/engine.json, and exits with 1 when a
figure exceeds its bound.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from testbed.cluster.build import Builder
from testbed.cluster.errors import LocalError
from testbed.engine.home import Home
from testbed.engine.outcome import Outcome
from testbed.engine.parts import ENGINE_PARTS, KUBERNETES_PLUGIN, PULUMI

ROOT = Path(__file__).parents[1]
STACK = "dev"
SIZES = (10, 100, 300, 1000)
BOUNDS = {
    "10 services / bare": 1.2,
    "100 services / bare": 1.2,
    "300 services / bare": 1.0,
    "1000 services / 100 services": 12.0,
}
ONCE = 300
"""From here on one run must do: it takes minutes."""
WITHOUT_BARE = 1000
"""From here on the bare program, whose time grows with the square, is left out: over 10 minutes."""

CHECKPOINTS = {"PULUMI_SKIP_CHECKPOINTS": "true"}
"""Without it the engine serializes the whole stack at every resource, in a preview too, which saves
nothing: most of the time from 300 services on, with any program."""

Runs = dict[str, list[float]]


def main() -> None:
    """Measure, print, save, judge."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine", description=__doc__)
    parser.add_argument("--services", type=int, nargs="+", default=SIZES)
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    console = Console(highlight=False)
    try:
        runs, resources = measure(console, asked.services, asked.repeats)
    except LocalError as error:
        raise SystemExit("\n".join([error.cause, *error.log_end()])) from None
    judge(console, "engine", runs, resources, ratios(runs), BOUNDS)


def measure(console: Console, sizes: list[int], repeats: int) -> tuple[Runs, dict[str, int]]:
    """The seconds of each preview, and how many resources it plans."""
    runs: Runs = {}
    resources: dict[str, int] = {}
    builder = Builder(wanted=ENGINE_PARTS)
    with tempfile.TemporaryDirectory(prefix="grpc-platform-bench-") as folder:
        try:
            builder.start()
            home = Home(
                Path(folder) / "home",
                pulumi=builder.result(PULUMI.name),
                plugin=builder.result(KUBERNETES_PLUGIN.name),
            )
        finally:
            builder.stop()

        def preview(name: str, turn: int, make: Callable[[Path], None]) -> Outcome:
            program = Path(folder) / name.replace(" ", "-")
            shutil.rmtree(program, ignore_errors=True)
            program.mkdir()
            make(program)
            with console.status(f"{name}, {turn + 1} of {repeats}"):
                outcome = home.engine(program, STACK).preview(environment=CHECKPOINTS)
            runs.setdefault(name, []).append(outcome.seconds)
            resources[name] = outcome.changes["create"]
            return outcome

        for size in sizes:
            for turn in range(repeats if size < ONCE else 1):
                preview(f"{size} services", turn, lambda path, size=size: _ours(path, size))
                if size < WITHOUT_BARE:
                    preview(f"{size} bare", turn, lambda path, size=size: _bare(path, size))
    return runs, resources


def _ours(folder: Path, services: int) -> None:
    for name in ("__main__.py", "Pulumi.yaml", "config"):
        (folder / name).symlink_to(ROOT / name)
    file = f"Pulumi.{STACK}.yaml"
    stack: dict[str, Any] = yaml.safe_load((ROOT / file).read_text())
    names = [f"service-{number:04}" for number in range(services)]
    stack["config"]["grpc-platform:services"] = {name: {} for name in names}
    (folder / file).write_text(yaml.safe_dump(stack))


def _bare(folder: Path, services: int) -> None:
    with tempfile.TemporaryDirectory(prefix="grpc-platform-bench-") as ours:
        _ours(Path(ours), services)
        command = (sys.executable, "-m", "grpc_platform_tools", "preview", STACK)
        subprocess.run(
            [*command, "--program", ours, "--output", str(folder / "plan")],
            check=True,
            stdout=subprocess.DEVNULL,
        )
    shutil.copy(ROOT / "benchmarks" / "replay.py", folder)
    record = "pathlib.Path('plan/resources.json')"
    (folder / "__main__.py").write_text(f"import pathlib, replay\nreplay.replay({record})\n")
    (folder / "Pulumi.yaml").write_text("name: bare\nruntime: python\n")
    (folder / f"Pulumi.{STACK}.yaml").write_text("config:\n  aws:region: eu-west-1\n")


def judge(
    console: Console,
    name: str,
    runs: Runs,
    resources: dict[str, int],
    found: dict[str, float],
    bounds: dict[str, float],
) -> None:
    """Save, print two tables (seconds, and the ratios that were found with their bounds), and exit
    with 1 when a ratio exceeds its bound."""
    written = {
        "cores": os.cpu_count(),
        "python": sys.version.split()[0],
        "resources": resources,
        "seconds": runs,
        "ratios": found,
        "bounds": {name: bounds[name] for name in found},
    }
    output = ROOT / "build" / "bench"
    output.mkdir(parents=True, exist_ok=True)
    (output / f"{name}.json").write_text(json.dumps(written, indent=2) + "\n")
    table = Table(name, "resources", "seconds (least to most)", box=None)
    for each, several in runs.items():
        seconds = f"{statistics.median(several):.1f} ({min(several):.1f} to {max(several):.1f})"
        table.add_row(each, str(resources[each]), seconds)
    console.print(table)
    for each, value in found.items():
        mark = "[green]✓[/]" if value <= bounds[each] else "[red]✗[/]"
        console.print(f"{mark} {each}: {value:.2f} (at most {bounds[each]:g})")
    if any(value > bounds[each] for each, value in found.items()):
        raise SystemExit(1)


def ratios(runs: Runs) -> dict[str, float]:
    """The figures that have a bound: ratios of medians over the runs."""
    medians = {name: statistics.median(several) for name, several in runs.items()}
    found: dict[str, float] = {}
    for name in BOUNDS:
        ours, other = name.split(" / ")
        other = f"{ours.split()[0]} bare" if other == "bare" else other
        if ours in medians and other in medians:
            found[name] = medians[ours] / medians[other]
    return found


if __name__ == "__main__":
    main()
