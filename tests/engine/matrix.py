"""Every key of the stack file changed by a real `pulumi up` while calls flow.

    .venv/bin/python -m tests.engine.matrix [KEY...]

Each key is a row of docs/engine/rows.json, written when it is won: what the engine planned, what
`grpc-platform diff` told, the calls that failed and were late, and how long it took. Keys that have
a row are left out: delete a row, or name its key, to have it again.
"""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from experiments.experiment import count_failed
from experiments.lab import Lab, open_lab
from testbed.cluster import parts
from testbed.cluster.build import Builder
from testbed.cluster.errors import LocalError
from testbed.engine.home import Home
from testbed.engine.parts import ENGINE_PARTS, KUBERNETES_PLUGIN, PULUMI
from testbed.load.part import LOAD
from tests.engine.conftest import FACTOR
from tests.engine.keys import CHANGES
from tests.engine.load import Load
from tests.engine.platform import NOTHING, Platform, Recorded, Step, deployed
from tests.tree import ROOT

ROWS = ROOT / "docs" / "engine" / "rows.json"

Row = dict[str, Any]


def main(wanted: list[str]) -> int:
    """Win the missing rows, or those of the keys that are named."""
    rows: dict[str, Row] = json.loads(ROWS.read_text()) if ROWS.exists() else {}
    keys = wanted or [key for key in CHANGES if key not in rows]
    builder = Builder(wanted=(*parts.GO_PARTS, LOAD, *ENGINE_PARTS))
    builder.start()
    try:
        with open_lab(builder, factor=FACTOR, quick=True) as lab:
            home = Home(
                lab.directory / "home",
                pulumi=builder.result(PULUMI.name),
                plugin=builder.result(KUBERNETES_PLUGIN.name),
                cluster=lab.cluster,
            )
            with deployed(lab, home, Recorded.of(lab.program())) as platform:
                for key in keys:
                    lab.say(key)
                    rows[key] = row(platform, CHANGES[key])
                    lab.say(json.dumps(rows[key]))
                    _save(rows)
    finally:
        builder.stop()
    return 0


def row(platform: Platform, changes: Any) -> Row:
    """What a change and its way back do."""
    try:
        changed = Recorded.of(platform.lab.program(**changes))
    except subprocess.CalledProcessError:
        return {"refused": True}
    try:
        return {
            "there": _watched(platform, changed),
            "back": _watched(platform, Recorded.of(platform.lab.program(**NOTHING))),
        }
    except LocalError as error:
        platform.bring_to(NOTHING)
        return {"failed": error.cause}


def _watched(platform: Platform, wanted: Recorded) -> Row:
    lab: Lab = platform.lab
    with Load(lab) as load:
        step = platform.replace_by(wanted)
        lab.wait_until_settled()
    return {
        "planned": _counted(step.planned),
        "told": _counted(step.told),
        "agree": step.planned == step.told,
        "differ": _differ(step),
        "calls": sum(report["calls"] for report in load.reports.values()),
        "failed": {name: count_failed(report["codes"]) for name, report in load.reports.items()},
        "late": sum(report["slow"] for report in load.reports.values()),
        "seconds": round(step.done.seconds, 1),
    }


def _counted(operations: dict[str, str]) -> dict[str, int]:
    """Resources by operation and kind: `{"replace ConfigMap": 1}`."""
    kinds = (f"{how} {urn.split('::')[2].rpartition(':')[2]}" for urn, how in operations.items())
    return dict(sorted(Counter(kinds).items()))


def _differ(step: Step) -> list[str]:
    """Where plan and diff do not agree."""
    urns = sorted(step.planned.keys() | step.told.keys())
    return [
        f"{urn.rpartition('::')[2]}: planned {planned}, told {told}"
        for urn in urns
        if (planned := step.planned.get(urn)) != (told := step.told.get(urn))
    ]


def _save(rows: dict[str, Row]) -> None:
    """In the order of the keys, so that a run again changes its rows only."""
    ROWS.parent.mkdir(parents=True, exist_ok=True)
    ordered = {key: rows[key] for key in CHANGES if key in rows}
    partial = Path(f"{ROWS}.new")
    partial.write_text(json.dumps(ordered, indent=1) + "\n")
    partial.rename(ROWS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
