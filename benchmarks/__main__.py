"""`make bench`: what a preview and a diff of many services cost, compared with the SDK alone.

Runs a bare program on the SDK's own mocks (`benchmarks.bare`), a preview and a diff of a stack with
as many services: several times in turn, each in its own process. Prints a table, writes
build/bench/preview.json, and exits with 1 when a figure exceeds its bound.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
SERVICES = "grpc-platform:services"
COMMAND = (sys.executable, "-m", "grpc_platform_tools")
BOUNDS = {
    "preview / bare, seconds": 1.25,
    "preview / bare, MiB": 1.25,
    "diff / preview, seconds": 2.2,
    "diff of the committed stacks, seconds": 15.0,
}


@dataclass(frozen=True)
class Run:
    """One process and its children, from start to end."""

    seconds: float
    cpu_seconds: float
    mebibytes: float
    """Peak memory of the process itself, without its children's."""


def main() -> None:
    """Measure, print, save, judge."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--services", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory(prefix="grpc-platform-bench-") as folder:
        program = Path(folder)
        make_program(program, asked.services)
        commands: dict[str, Sequence[str]] = {
            "bare": (sys.executable, "-m", "benchmarks.bare", str(asked.services)),
            "preview": (*COMMAND, "preview", "bench", "--program", str(program)),
            "diff": (*COMMAND, "diff", "HEAD", "--program", str(program)),
            "committed": (*COMMAND, "diff", "HEAD"),
        }
        runs: dict[str, list[Run]] = {name: [] for name in commands}
        for turn in range(asked.repeats):
            for name, command in commands.items():
                with console.status(f"{name}, {turn + 1} of {asked.repeats}"):
                    runs[name].append(run(command))
    found = {
        "services": asked.services,
        "cores": os.cpu_count(),
        "python": sys.version.split()[0],
        "runs": {name: [asdict(one) for one in several] for name, several in runs.items()},
        "ratios": ratios(runs),
        "bounds": BOUNDS,
    }
    output = ROOT / "build" / "bench"
    output.mkdir(parents=True, exist_ok=True)
    (output / "preview.json").write_text(json.dumps(found, indent=2) + "\n")
    show(console, runs, ratios(runs))
    if any(value > BOUNDS[name] for name, value in ratios(runs).items()):
        raise SystemExit(1)


def make_program(folder: Path, services: int) -> None:
    """This program with one stack of that many services, and an uncommitted change."""
    for name in ("__main__.py", "Pulumi.yaml"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "config", folder / "config")
    (folder / ".gitignore").write_text("build/\n__pycache__/\n")
    stack: dict[str, Any] = yaml.safe_load((ROOT / "Pulumi.local.yaml").read_text())
    stack["config"][SERVICES] = {f"service-{number:04}": {} for number in range(services)}
    path = folder / "Pulumi.bench.yaml"
    path.write_text(yaml.safe_dump(stack))
    git = ("git", "-c", "user.name=bench", "-c", "user.email=bench@localhost", "-C", str(folder))
    for command in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "base")):
        subprocess.run((*git, *command), check=True)
    stack["config"][SERVICES]["service-0000"] = {"deadline": "30s"}
    path.write_text(yaml.safe_dump(stack))


def run(command: Sequence[str]) -> Run:
    """Run it to its end. If it fails, the benchmark ends with its output."""
    with tempfile.TemporaryFile("w+") as said:
        began = time.monotonic()
        process = subprocess.Popen(command, cwd=ROOT, stdout=said, stderr=said)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        # A diff that found changes ends with 2.
        if process.returncode not in (0, 2 if "diff" in command else 0):
            said.seek(0)
            raise SystemExit(f"{' '.join(command)}: status {process.returncode}\n{said.read()}")
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def ratios(runs: dict[str, list[Run]]) -> dict[str, float]:
    """The figures that have a bound: ratios of medians over the runs."""

    def median(name: str, figure: str) -> float:
        return statistics.median(getattr(one, figure) for one in runs[name])

    return {
        "preview / bare, seconds": median("preview", "seconds") / median("bare", "seconds"),
        "preview / bare, MiB": median("preview", "mebibytes") / median("bare", "mebibytes"),
        "diff / preview, seconds": median("diff", "seconds") / median("preview", "seconds"),
        "diff of the committed stacks, seconds": median("committed", "seconds"),
    }


def show(console: Console, runs: dict[str, list[Run]], found: dict[str, float]) -> None:
    """Two tables: the cost of each run, and the ratios with their bounds."""
    table = Table("", "seconds (least to most)", "CPU seconds", "MiB", box=None)
    for name, several in runs.items():
        seconds = sorted(one.seconds for one in several)
        table.add_row(
            name,
            f"{statistics.median(seconds):.1f} ({seconds[0]:.1f} to {seconds[-1]:.1f})",
            f"{statistics.median(one.cpu_seconds for one in several):.1f}",
            f"{statistics.median(one.mebibytes for one in several):.0f}",
        )
    console.print(table)
    for name, value in found.items():
        mark = "[green]✓[/]" if value <= BOUNDS[name] else "[red]✗[/]"
        console.print(f"{mark} {name}: {value:.2f} (at most {BOUNDS[name]:g})")


if __name__ == "__main__":
    main()
