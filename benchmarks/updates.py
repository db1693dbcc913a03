"""`python -m benchmarks.updates`, part of `make bench`: what `pulumi up` of many services costs.

On a local cluster with the platform deployed by the engine, services are added to the stack and
removed again, and next to that a program that registers the same resources straight with the SDK
(`benchmarks.replay`), several times in turn. The engine skips its checkpoints: their time grows
with the stack, and ours has the platform in it. Prints a table, writes build/bench/updates.json,
and exits with 1 when a figure exceeds its bound.
"""

import argparse
import json
import shutil
import statistics
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.engine import CHECKPOINTS, ROOT, Runs, judge
from experiments.lab import STACK, open_lab
from testbed.cluster import deploy, parts
from testbed.cluster.build import Builder
from testbed.cluster.errors import LocalError
from testbed.engine.home import Home
from testbed.engine.parts import ENGINE_PARTS, KUBERNETES_PLUGIN, PULUMI
from testbed.load.part import LOAD
from tests.engine.platform import NOTHING, Platform, Recorded, deployed

FEW, MANY = 10, 100
MORE = f"from {FEW} to {MANY} services / bare"
BOUNDS = {MORE: 1.2}
"""Of what the services cost, since our update also looks at the platform, which is the same."""
FACTOR = 10


def main() -> None:
    """Measure, print, save, judge."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.updates", description=__doc__)
    parser.add_argument("--repeats", type=int, default=2)
    asked = parser.parse_args()
    console = Console(highlight=False)
    builder = Builder(wanted=(*parts.GO_PARTS, LOAD, *ENGINE_PARTS))
    try:
        with tempfile.TemporaryDirectory(prefix="grpc-platform-bench-") as folder:
            builder.start()
            programs = [builder.result(part.name) for part in (PULUMI, KUBERNETES_PLUGIN)]
            with open_lab(builder, factor=FACTOR, quick=True) as lab:
                pulumi, plugin = programs
                home = Home(Path(folder), pulumi=pulumi, plugin=plugin, cluster=lab.cluster)
                first = Recorded.of(lab.program(**NOTHING))
                with deployed(lab, home, first) as platform:
                    runs, resources = measure(console, platform, asked.repeats)
    except LocalError as error:
        raise SystemExit("\n".join([error.cause, *error.log_end()])) from None
    finally:
        builder.stop()
    few, many, few_bare, many_bare = (
        statistics.median(runs[f"{size} {whose}"])
        for whose in ("services", "bare")
        for size in (FEW, MANY)
    )
    found = {MORE: (many - few) / (many_bare - few_bare)}
    judge(console, "updates", runs, resources, found, BOUNDS)


def measure(console: Console, platform: Platform, repeats: int) -> tuple[Runs, dict[str, int]]:
    """The seconds of each `up` that adds services, and how many resources it makes."""
    runs: Runs = {}
    resources: dict[str, int] = {}
    lab, first = platform.lab, platform.now
    for size in (FEW, MANY):
        names = [f"service-{number:04}" for number in range(size)]
        more = Recorded.of(lab.program(services={name: {} for name in names}))
        known = {resource.urn for resource in first.graph}
        records = json.loads((more.program / "preview" / "resources.json").read_text())
        added = [record for record in records if record["urn"] not in known]
        bare = _bare(lab.directory / f"bare-{size}", platform, added)
        for turn in range(repeats):
            with console.status(f"{size} services, {turn + 1} of {repeats}"):
                done = platform.home.engine(more.program, STACK).up(environment=CHECKPOINTS)
                platform.home.engine(first.program, STACK).up(environment=CHECKPOINTS)
            runs.setdefault(f"{size} services", []).append(done.seconds)
            resources[f"{size} services"] = done.changes["create"]
            with console.status(f"{size} bare, {turn + 1} of {repeats}"):
                engine = platform.home.engine(bare, STACK)
                done = engine.up(environment=CHECKPOINTS)
                engine.destroy()
            runs.setdefault(f"{size} bare", []).append(done.seconds)
            resources[f"{size} bare"] = done.changes["create"]
    return runs, resources


def _bare(folder: Path, platform: Platform, resources: list[dict[str, Any]]) -> Path:
    """A program that registers these resources on the deployed platform."""
    state = platform.home.engine(platform.now.program, STACK).export()
    zone = next(one["id"] for one in state["resources"] if one["type"] == deploy.ZONE)
    (recorded,) = platform.now.graph.of_type(deploy.ZONE)
    folder.mkdir()
    shutil.copy(ROOT / "benchmarks" / "replay.py", folder)
    text = json.dumps(resources).replace(f'"{recorded.id}"', f'"{zone}"')
    (folder / "resources.json").write_text(text)
    kubeconfig = str(platform.home.kubeconfig)
    (folder / "__main__.py").write_text(
        "import pathlib, pulumi_kubernetes, replay\n"
        f"cluster = pulumi_kubernetes.Provider('local', kubeconfig={kubeconfig!r})\n"
        "replay.replay(pathlib.Path('resources.json'), cluster)\n"
    )
    (folder / "Pulumi.yaml").write_text("name: bare\nruntime: python\n")
    (folder / f"Pulumi.{STACK}.yaml").write_text("config: {}\n")
    return folder


if __name__ == "__main__":
    main()
