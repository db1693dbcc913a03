"""The loss of a node, and what clients made of it: for the experiments that lose one.

They run at true times. Of what matters when a peer is silent, keepalive, TCP's patience and the
node controller's grace cannot be shortened, and their proportion to DNS's times and to a
connection's life decides which calls fail.
"""

import time
from collections.abc import Mapping

from experiments.experiment import Result
from experiments.lab import Lab
from testbed.cluster import apps
from testbed.disruptions import losses
from testbed.load.clients import Client

DEADLINE = "--deadline=14.5s"
"""The contract's, for the default deadline of 15 s."""


def lose_node(lab: Lab, pod: str, namespace: str, period: float) -> float:
    """Lose a pod's node and wait for that long. Returns the Unix time at which it fell silent."""
    losses.lose_node(lab.cluster, pod, namespace)
    began = time.time()
    lab.pause(losses.NODE_MONITOR_GRACE)
    losses.mark_not_ready(lab.cluster, pod, namespace)
    lab.pause(began + period - time.time())
    return began


def settle(lab: Lab, clients: Mapping[str, Client]) -> None:
    """Wait until all clients call, and some seconds more."""
    for client in clients.values():
        lab.wait_until_running(client)
    lab.pause(10)


def stop(clients: Mapping[str, Client]) -> dict[str, Result]:
    """Stop all clients. Returns the report of each about its target `envoy`."""
    for client in clients.values():
        apps.stop_client(client.cluster, client.pod)
    return {name: client.report()["targets"]["envoy"] for name, client in clients.items()}


def account(report: Result, since: float, seconds: float) -> Result:
    """A client's calls that were sent in that time (failed ones by second), the seconds until the
    last failed one was sent, the slowest good one's milliseconds, and the connections opened."""
    windows = [w for w in report["windows"] if since - 1 < w["at"] <= since + seconds - 1]
    bad = [w["at"] - since for w in windows if w["failed"]]
    failed = sum(w["failed"] for w in windows)
    return {
        "calls": failed + sum(w["ok"] for w in windows),
        "failed": failed,
        "until": max(bad) + 1 if bad else 0.0,
        "slowest": max((w["max"] or 0 for w in windows), default=0),
        "opened": sum(w.get("opened", 0) for w in windows),
        "by_second": [w["failed"] for w in windows],
    }


def percent(account: Result) -> float:
    """The share of the calls that failed, in percent."""
    return 100 * account["failed"] / account["calls"]
