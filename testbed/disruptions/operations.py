"""Operations by people and controllers: drains, rollouts, renewals, resizes."""

import json
import time

from grpc_platform.conventions import CONTOUR_NAMESPACE
from testbed.cluster import deploy
from testbed.cluster.cluster import Cluster, CommandError
from testbed.cluster.errors import LocalError
from testbed.cluster.readiness import wait_until_ready
from testbed.disruptions.pods import Pod, not_terminating, of_app, ready

CERTIFICATES = ("contourcert", "envoycert")
_EVICT_AGAIN = 5.0  # seconds; kubectl drain's
_ROLLOUT = 900.0  # seconds; twice the longest drain that a stack may have


def evict(
    cluster: Cluster, pod: str, namespace: str = CONTOUR_NAMESPACE, *, timeout: float = 600
) -> int:
    """Evict a pod as `kubectl drain` does, as soon as its disruption budget allows it.

    Returns the number of refusals; the pod still drains after the return.
    """
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod, "namespace": namespace},
    }
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}/eviction"
    until = time.monotonic() + timeout
    refused = 0
    while True:
        try:
            cluster.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(eviction))
        except CommandError as error:
            if "TooManyRequests" not in error.said:
                raise
            if time.monotonic() + _EVICT_AGAIN > until:
                raise LocalError(f"pod {pod} was not evicted within {timeout:.0f} s") from None
            refused += 1
            time.sleep(_EVICT_AGAIN)
        else:
            return refused


def drain_node(cluster: Cluster, node: str) -> None:
    """Cordon a node, evict its pods as their disruption budgets allow, and wait until the last one
    has drained, as the update of a managed node group does."""
    cluster.kubectl("cordon", node)
    for pod in filter(not_terminating, _on_node(cluster, node)):
        evict(cluster, pod["metadata"]["name"], pod["metadata"]["namespace"])
    cluster.wait(
        f"the pods of {node} to be gone", lambda: not _on_node(cluster, node), timeout=_ROLLOUT
    )


def replace_node(cluster: Cluster, node: str) -> str:
    """Let a new node join, drain the old one and end it. Returns the new one's name."""
    new = cluster.add_node()
    drain_node(cluster, node)
    cluster.remove_node(node)
    return new


def restart(
    cluster: Cluster, deployment: str, namespace: str = CONTOUR_NAMESPACE, *, wait: bool = True
) -> None:
    """Roll a Deployment. Waits until its new pods are ready (old ones may still drain).

    The annotation is kubectl's own: a later deployment of the stack by kubectl keeps it, an update
    of the Deployment by Pulumi removes it.
    """
    cluster.kubectl("rollout", "restart", f"deployment/{deployment}", "-n", namespace)
    if wait:
        item = cluster.get("deployment", "-n", namespace, deployment)
        wait_until_ready(cluster, item, timeout=_ROLLOUT)


def renew_certificates(cluster: Cluster) -> None:
    """Run the CronJob's 90-day renewal now, and wait until both Secrets are new."""
    before = {name: _certificate(cluster, name) for name in CERTIFICATES}
    cronjob = cluster.get("cronjobs", "-n", CONTOUR_NAMESPACE)["items"][0]["metadata"]["name"]
    job = f"renewal-{time.time_ns()}"
    cluster.kubectl("create", "job", "-n", CONTOUR_NAMESPACE, job, f"--from=cronjob/{cronjob}")
    cluster.wait(
        "both certificates to be new",
        lambda: all(_certificate(cluster, name) != old for name, old in before.items()),
    )


def resize_fleet(
    cluster: Cluster, least: int, most: int | None = None, *, wait: bool = True
) -> None:
    """Set the autoscaler's bounds to ``least`` and ``most`` Envoys (default: as many); it scales at
    once.

    Waits until that many are ready, but not until leaving ones have drained.
    """
    found = cluster.get("hpa", "-n", CONTOUR_NAMESPACE, "envoy")
    limits = {"minReplicas": least, "maxReplicas": most or least}
    # Applied with the stack's field manager: a patch would own the fields and make the next
    # deployment conflict.
    changed = {
        "apiVersion": found["apiVersion"],
        "kind": found["kind"],
        "metadata": {key: found["metadata"][key] for key in ("name", "namespace", "labels")},
        "spec": {**found["spec"], **limits},
    }
    deploy.apply(cluster, [changed])
    if wait:
        cluster.wait(
            f"{least} Envoys to be ready",
            lambda: _has_ready(cluster, least, most or least),
            timeout=180,
        )


def schedulable_nodes(cluster: Cluster) -> list[str]:
    """The nodes that are not cordoned, by name."""
    found = cluster.get("nodes")["items"]
    return [node["metadata"]["name"] for node in found if not node["spec"].get("unschedulable")]


def _on_node(cluster: Cluster, node: str) -> list[Pod]:
    """The pods on a node that have not ended."""
    found = cluster.get("pods", "-A", f"--field-selector=spec.nodeName={node}")["items"]
    return [pod for pod in found if pod["status"]["phase"] not in ("Succeeded", "Failed")]


def _has_ready(cluster: Cluster, least: int, most: int) -> bool:
    fleet = of_app(cluster, "envoy")
    return least <= len(fleet) <= most and all(map(ready, fleet))


def _certificate(cluster: Cluster, secret: str) -> str:
    return cluster.get("secret", "-n", CONTOUR_NAMESPACE, secret)["data"]["tls.crt"]
