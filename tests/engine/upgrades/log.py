"""The log of an upgrade: its steps, the versions that ran before and after, and the calls."""

import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from experiments.lab import Lab
from grpc_platform.conventions import EXTERNAL_DNS, EXTERNAL_DNS_NAMESPACE
from testbed.cluster.errors import LocalError
from testbed.disruptions import operations, pods
from tests.engine.load import Load
from tests.tree import ROOT

FOLDER = ROOT / "docs" / "upgrades"
_VERSION_COMMANDS = {"contour": "version", "envoy": "--version", EXTERNAL_DNS: "--version"}

Log = dict[str, Any]
Take = Callable[[str, Callable[[], Any]], None]
"""Takes a step: what it is, and what does it. What that returns is noted."""


def watched(lab: Lab, act: Callable[[Take], None]) -> Log:
    """Take the steps of ``act`` while calls flow, and wait until all has settled."""
    steps: list[Log] = []
    began = time.monotonic()

    def take(what: str, do: Callable[[], Any]) -> None:
        lab.say(what)
        at = time.monotonic() - began
        did = do()
        seconds = time.monotonic() - began - at
        noted = {"did": did} if did else {}
        steps.append({"at": round(at), "step": what, "seconds": round(seconds), **noted})

    before = versions(lab)
    with Load(lab) as load:
        began = time.monotonic()
        act(take)
        take("wait until no pod terminates", lab.wait_until_settled)
    return {"from": before, "to": versions(lab), "steps": steps, **load.account()}


def versions(lab: Lab) -> dict[str, str]:
    """What runs, as the API server and the running programs themselves tell it."""
    said = json.loads(lab.cluster.kubectl("version", "-o", "json"))
    found = {"Kubernetes": str(said["serverVersion"]["gitVersion"]).removeprefix("v")}
    for app in ("contour", "envoy"):
        found[app] = _running(lab, app, "projectcontour")
    found[EXTERNAL_DNS] = _running(lab, EXTERNAL_DNS, EXTERNAL_DNS_NAMESPACE)
    nodes = operations.schedulable_nodes(lab.cluster)
    if len(nodes) > 1:
        found["nodes"] = ", ".join(nodes)
    return found


def _running(lab: Lab, app: str, namespace: str) -> str:
    """The versions of an app's containers, by their processes' executables."""
    programs: set[str] = set()
    for pod in pods.of_app(lab.cluster, app, namespace):
        process = pods.process(lab.cluster, namespace, pod["metadata"]["name"], app)
        programs.add(lab.cluster.inside("readlink", f"/proc/{process}/exe").stdout.strip())
    said = [lab.cluster.inside(program, _VERSION_COMMANDS[app]) for program in programs]
    found = [re.search(r"\d+\.\d+\.\d+", each.stdout + each.stderr) for each in said]
    return ", ".join(sorted(match[0] for match in found if match))


def save(name: str, what: str, ways: Log) -> None:
    """Keep a log. Raises LocalError if a call was lost."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    day = datetime.now(UTC).date().isoformat()
    text = json.dumps({"what": what, "date": day, **ways}, indent=1)
    (FOLDER / f"{name}.json").write_text(text + "\n")
    lost = {way: ways[way]["codes"] for way in ("there", "back") if way in ways}
    if any(lost.values()):
        raise LocalError(f"{name}: calls were lost: {lost}")
