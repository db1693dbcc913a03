"""Moves: do clients in five languages follow a service to another cluster?"""

import time
from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from experiments import plots
from experiments.client_runs import (
    CONTRACT,
    LATE,
    MODES,
    account,
    bad,
    choose,
    lost_and_late,
    of_each,
    start,
)
from experiments.client_scenarios import CALLS, GREETER
from experiments.experiment import Experiment, Finding, Result
from experiments.lab import Lab
from grpc_platform.conventions import ENVOY_METRICS_PORT
from testbed.clients.pods import Clients, Stopped
from testbed.cluster import apps, readiness, run
from testbed.cluster.cluster import Cluster
from testbed.cluster.place import SECOND
from testbed.cluster.two_clusters import TwoClusters
from testbed.disruptions import pods

OLD, NEW = "local", "second"
STEPS = ({OLD: 100, NEW: 0}, {OLD: 50, NEW: 50}, {OLD: 0, NEW: 100})
"""The weights of docs/moving.md between `cluster: old` and `cluster: new`."""


def run_moves(lab: Lab) -> Result:
    """Move the service step by step, and then back in one."""
    languages, absent = choose(lab)
    second = Cluster(lab.cluster.sandbox, lab.cluster.builder, place=SECOND)
    second.start()
    run.prepare(second)
    clusters = {OLD: lab.cluster, NEW: second}
    for cluster in clusters.values():
        apps.install(cluster)
    stack = TwoClusters(clusters)
    contract = _place(lab, stack, cluster=OLD)
    for cluster in clusters.values():
        for manifest in apps.manifests():
            readiness.wait_until_ready(cluster, manifest)
    return {
        "languages": languages,
        "absent": absent,
        "wait": _wait(lab),
        "steps": _watch(lab, stack, contract, languages, STEPS, ends=NEW),
        "at once": _watch(lab, stack, contract, languages, (), ends=OLD),
    }


def _wait(lab: Lab) -> float:
    """Seconds until the old cluster may go: its connections and their last calls have ended."""
    times = lab.times
    until = times.dns_convergence + times.reconnect_interval + times.max_deadline
    return until.total_seconds()


def _place(lab: Lab, stack: TwoClusters, **place: Any) -> Any:
    """Bring the service to a place. Returns its contract."""
    graph = lab.preview(
        clusters={NEW: {"existing": {"context": NEW, "kubeconfig": "unread"}}},
        callers={"neighbours": {"cidr": "10.244.0.0/16"}},
        services={"load": None, "streams": None, "ticker": None, GREETER: place},
    )
    stack.bring_to(graph)
    # One for each cluster; their contracts are the same.
    service, *_ = graph.of_type("grpc-platform:index:GrpcService")
    return service.outputs["client_contract"]


def _watch(
    lab: Lab,
    stack: TwoClusters,
    contract: Any,
    languages: Sequence[str],
    steps: Sequence[dict[str, int]],
    *,
    ends: str,
) -> Result:
    """What clients lose on the way to the cluster ``ends``, and how long they call the other."""
    (begins,) = set(stack.clusters) - {ends}
    clients = Clients(lab.cluster, lab.http_port)
    try:
        start(clients, languages, contract, CALLS)
        began = acted = time.time()
        for weights in steps:
            lab.say(f"weights: {weights}")
            acted = time.time()
            _place(lab, stack, weights=weights)
            _wait_until_served(lab, stack.clusters[ends])
            lab.pause(_wait(lab) if weights[ends] else 0)
        addresses = _envoys(stack.clusters[begins])
        lab.say(f"cluster: {ends}")
        _place(lab, stack, cluster=ends)
        lab.pause(lab.times.reconnect_interval.total_seconds())
        stopped = clients.stop()
    finally:
        clients.remove()
    return of_each(languages, lambda name: _told(stopped, name, began, acted, addresses))


def _envoys(cluster: Cluster) -> set[str]:
    return {pod["status"]["podIP"] for pod in pods.of_app(cluster, "envoy")}


def _wait_until_served(lab: Lab, cluster: Cluster) -> None:
    """Wait until every Envoy of a cluster knows the service's servers."""
    path = f"stats?filter=^cluster.default_{GREETER}_50051.membership_healthy$"
    cluster.wait(
        "its Envoys to know the servers",
        lambda: all(
            said.rpartition(":")[2].strip() not in ("", "0")
            for said in lab.read(_envoys(cluster), ENVOY_METRICS_PORT, path).values()
        ),
    )


def _told(stopped: Stopped, name: str, began: float, acted: float, old: set[str]) -> Result:
    calls = [call for call in stopped.calls[name] if call.end >= began]
    there = [call.at - acted for call in calls if call.envoy in old]
    about = account(calls, 0, stopped.opened[name], acted, "")
    return {
        **{key: about[key] for key in ("calls", "failed", "late", "codes", "opened")},
        # The last call by way of the old cluster, since the last weights; 0 for one that had moved.
        "left": round(max([0.0, *there]), 1),
    }


def findings(result: Result) -> list[Finding]:
    """No call is lost step by step, all clients leave in time, and at once calls are lost."""
    each = result["steps"]
    lossy = {name: bad(of[CONTRACT]) for name, of in each.items()}
    calls = sum(of[CONTRACT]["calls"] for of in each.values())
    told = ", ".join(f"{name} {count}" for name, count in lossy.items() if count) or "none"
    left = {name: of[CONTRACT]["left"] for name, of in each.items()}
    at_once = sum(bad(of[mode]) for of in result["at once"].values() for mode in MODES)
    return [
        Finding(
            "moved by weights: no call fails or is late",
            not any(lossy.values()),
            f"{told} of {calls:,} calls, {len(each)} languages",
        ),
        Finding(
            f"after the last weights all leave the old cluster within {result['wait']:.0f} s",
            max(left.values()) <= result["wait"],
            ", ".join(f"{name} {seconds:g} s" for name, seconds in left.items()),
        ),
        Finding("moved in one step: calls are lost", at_once > 0, f"{at_once}", control=True),
    ]


def draw(result: Result) -> dict[str, Figure]:
    """When each language leaves the old cluster."""
    title = "Until the last call to the old cluster is sent"
    with plots.panels(title) as (figure, (axes,)):
        series = {
            mode: [plots.Bar(value=of[mode]["left"]) for of in result["steps"].values()]
            for mode in MODES
        }
        plots.bars(axes, result["languages"], series, y_label="seconds")
    return {"client_moves": figure}


def tell(result: Result) -> str:
    """The method, and a table of what was lost."""
    languages = result["languages"]
    lines = [
        "The service moves between two clusters by the steps of [moving](../moving.md) while the "
        "example clients call it, ten calls a second each: "
        + ", then ".join(f"{a} to {b}" for a, b in (w.values() for w in STEPS))
        + f", with {result['wait']:.0f} s of waiting, then `cluster: new`. Then it moves back in "
        f"one step. Late: {LATE:g} ms over a client's median. The plot counts from the last "
        "change of weights; 0 is a client that had followed before.",
        "",
        "Calls failed + late, with the contract and (by default), of the calls with the contract:",
        "",
        f"| | {' | '.join(languages)} |",
        f"| --- |{' --- |' * len(languages)}",
    ]
    for key, what in (("steps", "by weights"), ("at once", "in one step")):
        cells = [lost_and_late(result[key][name]) for name in languages]
        lines.append(f"| {what} | {' | '.join(cells)} |")
    return "\n".join(lines)


CLIENT_MOVES = Experiment(
    title="Clients and a move",
    question="Do clients in five languages follow a service to another cluster without a loss?",
    run=run_moves,
    findings=findings,
    draw=draw,
    tell=tell,
)
