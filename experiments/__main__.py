"""`make experiments`: what the design promises, measured on the local cluster.

Runs the experiments one after another, each on a cluster of its own, and leaves NAME.json, plots
(SVG and PNG) and a page, README.md, in build/experiments. All waits are shortened by --factor;
--factor 1 measures at the true values, which takes hours.

Exit status: 0 when every claim holds, 1 when one does not or an experiment could not run, 2 when an
argument is wrong.
"""

import argparse
import sys
import time

from rich.console import Console

from experiments import page, quiet
from experiments.catalogue import EXPERIMENTS, QUICK
from experiments.experiment import Finding, failed, judge, save
from experiments.lab import open_lab
from testbed.cluster import guards, parts
from testbed.cluster.build import Builder
from testbed.cluster.display import Display
from testbed.cluster.errors import LocalError, tell
from testbed.load.part import LOAD
from testbed.program import ROOT

OUTPUT = ROOT / "build" / "experiments"
DOCS = ROOT / "docs" / "experiments"


def main() -> int:
    """Run the selected experiments."""
    parser = argparse.ArgumentParser(
        prog="make experiments",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", metavar="NAME,...", help="some of them; see --list")
    parser.add_argument("--list", action="store_true", help="list them with their questions")
    parser.add_argument("--quick", action="store_true", help="a few, in minutes, as in CI")
    parser.add_argument(
        "--factor", type=float, default=10, help="divide waits by this (default 10)"
    )
    parser.add_argument("--judge", action="store_true", help="plot and judge the last run again")
    parser.add_argument("--publish", action="store_true", help="copy the last runs to docs/")
    asked = parser.parse_args()
    console = Console(highlight=False)
    names = asked.only.split(",") if asked.only else list(QUICK if asked.quick else EXPERIMENTS)
    for name in names:
        if name not in EXPERIMENTS:
            parser.error(f"--only: no experiment {name}; there are {', '.join(EXPERIMENTS)}")
    if not 1 <= asked.factor <= 10:
        parser.error(f"--factor: {asked.factor:g} is not from 1 to 10: gRPC and Kubernetes have "
                     "periods of their own that nothing shortens")  # fmt: skip
    if asked.list:
        for name in names:
            console.print(f"[bold]{name:15}[/] {EXPERIMENTS[name].question}")
        return 0
    if asked.judge:
        for name in names:
            if (OUTPUT / f"{name}.json").exists():
                _show(judge(OUTPUT, name, EXPERIMENTS[name]), console)
        page.write(OUTPUT)
        return 0
    if asked.publish:
        return page.publish(OUTPUT, DOCS, names, console)
    OUTPUT.mkdir(parents=True, exist_ok=True)
    try:
        return _run(names, factor=asked.factor, quick=asked.quick, console=console)
    except LocalError as error:
        tell(error, console)
        return 1


def _run(names: list[str], *, factor: float, quick: bool, console: Console) -> int:
    own = (part for name in names for part in EXPERIMENTS[name].parts)
    wanted = (*parts.GO_PARTS, LOAD, *own)
    builder = Builder(wanted=wanted)
    status = 0
    with guards.one_at_a_time(OUTPUT), guards.ends_in_order():
        try:
            with Display(console, builder) as display, display.step("parts"):
                builder.start()
                for part in wanted:
                    while not builder.done(part.name):
                        display.tick()
                        time.sleep(0.2)
                    builder.result(part.name)
            for name in names:
                status |= _run_one(name, builder, factor=factor, quick=quick, console=console)
        finally:
            builder.stop()
            page.write(OUTPUT)
            console.print(f"page: {OUTPUT / 'README.md'}", soft_wrap=True)
    return status


def _run_one(name: str, builder: Builder, *, factor: float, quick: bool, console: Console) -> int:
    experiment = EXPERIMENTS[name]
    factor = factor if experiment.shortened else 1
    console.print(f"[bold]{name}[/]: {experiment.question} [dim](waits / {factor:g})[/]")
    # A failed run must not leave an earlier run's figures as its own.
    (OUTPUT / f"{name}.json").unlink(missing_ok=True)
    try:
        with (
            quiet.Watch() as watch,
            open_lab(builder, factor=factor, quick=quick, zones=experiment.zones) as lab,
        ):
            result = experiment.run(lab)
            save(OUTPUT, name, lab, result, watch.told)
    except LocalError as error:
        tell(error, console)
        return 1
    findings = judge(OUTPUT, name, experiment)
    _show(findings, console)
    if quiet.busy(watch.told):
        console.print(f"  [yellow]{quiet.mark(watch.told)}[/]", soft_wrap=True)
    return 1 if failed(findings) else 0


def _show(findings: list[Finding], console: Console) -> None:
    for finding in findings:
        console.print(_mark(finding), finding.claim, f"[dim]{finding.figure}[/]", soft_wrap=True)


def _mark(finding: Finding) -> str:
    if finding.holds:
        return "  [green]✓[/]"
    return "  [red]✗[/]" if finding.binding else "  [yellow]·[/]"


if __name__ == "__main__":
    sys.exit(main())
