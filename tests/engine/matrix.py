"""Every key of the stack file changed by a real `pulumi up` while calls flow.

    .venv/bin/python -m tests.engine.matrix [KEY...]

Each key, and each change of the stack's structure, is a row of docs/engine/rows.json, written when
it is won: what the engine did, what `grpc-platform diff` told and warned of, the calls that
failed and were late, and how long it took, for the change and for its way back. What has a row is
left out: delete a row, or name it, to have it again.
"""

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import yaml

from experiments.lab import STACK, Lab, open_lab
from grpc_platform.conventions import EXTERNAL_DNS, EXTERNAL_DNS_NAMESPACE
from testbed.cluster import deploy, parts, readiness
from testbed.cluster.build import Builder
from testbed.cluster.errors import LocalError
from testbed.disruptions import pods
from testbed.engine.home import Home
from testbed.engine.parts import ENGINE_PARTS, KUBERNETES_PLUGIN, PULUMI
from testbed.load.clients import server_manifest
from testbed.load.part import LOAD
from tests.engine.conftest import FACTOR
from tests.engine.keys import CHANGES, OTHER_PORT, REORDERED, STRUCTURE, Sections
from tests.engine.load import Load
from tests.engine.platform import NOTHING, Platform, Recorded, Step, counted, deployed
from tests.engine.table import ROWS

Row = dict[str, Any]
CHANGED: dict[str, tuple[Sections, Sections]] = {
    **{key: (NOTHING, sections) for key, sections in CHANGES.items()},
    **STRUCTURE,
}


def main(wanted: list[str]) -> int:
    """Win the missing rows, or those of the keys that are named."""
    rows: dict[str, Row] = json.loads(ROWS.read_text()) if ROWS.exists() else {}
    names = wanted or [name for name in CHANGED if name not in rows]
    builder = Builder(wanted=(*parts.GO_PARTS, LOAD, *ENGINE_PARTS))
    builder.start()
    try:
        with open_lab(builder, factor=FACTOR, quick=True) as lab:
            _serve_elsewhere_too(lab)
            home = Home(
                lab.directory / "home",
                pulumi=builder.result(PULUMI.name),
                plugin=builder.result(KUBERNETES_PLUGIN.name),
                cluster=lab.cluster,
            )
            with deployed(lab, home, _recorded(lab, NOTHING)) as platform:
                for name in names:
                    lab.say(name)
                    rows[name] = row(platform, name)
                    lab.say(json.dumps(rows[name]))
                    _save(rows)
    finally:
        builder.stop()
    return 0


def row(platform: Platform, name: str) -> Row:
    """What a change and its way back do."""
    lab, start = platform.lab, platform.now
    before, after = CHANGED[name]
    try:
        changed = _recorded(lab, after, reordered=name == REORDERED)
    except subprocess.CalledProcessError:
        return {"refused": True}
    try:
        if before:
            platform.bring_to(before)
        where = platform.now
        return {"there": _watched(platform, changed), "back": _watched(platform, where)}
    except LocalError as error:
        return {"failed": error.cause}
    finally:
        if platform.now is not start:
            platform.replace_by(start)


def _recorded(lab: Lab, sections: Sections, *, reordered: bool = False) -> Recorded:
    program = lab.program(**sections)
    if reordered:
        file = program / f"Pulumi.{STACK}.yaml"
        text = yaml.safe_dump(_reversed(yaml.safe_load(file.read_text())), sort_keys=False)
        file.write_text(text)
    return Recorded.of(program)


def _reversed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    items = cast("dict[str, Any]", value).items()
    return {key: _reversed(item) for key, item in reversed(items)}


def _serve_elsewhere_too(lab: Lab) -> None:
    """The servers that a change of a service's port, selector or namespace leads to."""
    servers = server_manifest(2)
    pod = servers["spec"]["template"]["spec"]
    more = copy.deepcopy(pod["containers"][0])
    more |= {"name": "other-port", "ports": [{"name": "other", "containerPort": OTHER_PORT}]}
    more["command"] += [f"-port={OTHER_PORT}"]
    more["readinessProbe"]["grpc"]["port"] = OTHER_PORT
    pod["containers"].append(more)
    elsewhere, other = copy.deepcopy(servers), copy.deepcopy(servers)
    elsewhere["metadata"]["namespace"] = "elsewhere"
    labels = {"app.kubernetes.io/name": "other"}
    other["metadata"]["name"] = "other"
    other["spec"]["selector"]["matchLabels"] = labels
    other["spec"]["template"]["metadata"]["labels"] = labels
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "elsewhere"}}
    deploy.apply(lab.cluster, [namespace, servers, elsewhere, other])
    for manifest in (servers, elsewhere, other):
        readiness.wait_until_ready(lab.cluster, manifest)


def _watched(platform: Platform, wanted: Recorded) -> Row:
    lab = platform.lab
    before = _pods(lab)
    with Load(lab) as load:
        step = platform.replace_by(wanted)
        lab.wait_until_settled()
    after = _pods(lab)
    return {
        "did": counted(step.did),
        "told": counted(step.told),
        "agree": step.did == step.told,
        "differ": _differ(step),
        "warned": _warned(step),
        "rolled": [app for app in before if before[app].isdisjoint(after[app])],
        **load.account(),
        "seconds": round(step.done.seconds, 1),
    }


def _warned(step: Step) -> list[str]:
    """What the diff says is lost or refused."""
    said: set[str] = set()
    for change in step.diff.resources:
        said |= {change.refused, *(note for note in change.notes if note.startswith("loses"))}
        if change.operation in ("replace", "delete"):
            said.add(change.loses)
    return sorted(said - {""})


def _pods(lab: Lab) -> dict[str, set[str]]:
    """The names of each app's pods."""
    found = {app: pods.of_app(lab.cluster, app) for app in ("contour", "envoy")}
    found[EXTERNAL_DNS] = pods.of_app(lab.cluster, EXTERNAL_DNS, EXTERNAL_DNS_NAMESPACE)
    return {app: {pod["metadata"]["name"] for pod in those} for app, those in found.items()}


def _differ(step: Step) -> list[str]:
    """Where engine and diff do not agree."""
    did, told = step.did, step.told
    return [
        f"{urn.rpartition('::')[2]}: did {did.get(urn)}, told {told.get(urn)}"
        for urn in sorted(did.keys() | told.keys())
        if did.get(urn) != told.get(urn)
    ]


def _save(rows: dict[str, Row]) -> None:
    """In the order of the keys, so that a run again changes its rows only."""
    ROWS.parent.mkdir(parents=True, exist_ok=True)
    ordered = {name: rows[name] for name in CHANGED if name in rows}
    partial = Path(f"{ROWS}.new")
    partial.write_text(json.dumps(ordered, indent=1) + "\n")
    partial.rename(ROWS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
