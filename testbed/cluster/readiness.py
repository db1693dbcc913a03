"""When an object is ready; and if it does not become ready, the reason."""

import json
from collections.abc import Callable
from typing import Any

from testbed.cluster.cluster import Cluster
from testbed.cluster.errors import LocalError

READY_TIMEOUT = 180
SKIP_AWAIT = "pulumi.com/skipAwait"

Object = dict[str, Any]


def wait_until_ready(cluster: Cluster, item: Object, timeout: float = READY_TIMEOUT) -> None:
    """Wait as the engine does: for rollouts, Jobs and CRDs, unless the object says not to."""
    if not awaits(item):
        return
    is_ready = _READY[item["kind"]]
    what = describe(item)
    cluster.wait(
        f"{what} to be ready",
        lambda: is_ready(cluster.get(*reference(item))),
        timeout=timeout,
        why=lambda: _why_not_ready(cluster, item),
    )


def awaits(item: Object) -> bool:
    """Whether the engine would wait for the object before it continues."""
    annotations: dict[str, str] = item["metadata"].get("annotations") or {}
    return annotations.get(SKIP_AWAIT) != "true" and item["kind"] in _READY


def reference(item: Object) -> list[str]:
    """kubectl's arguments for an object."""
    group = str(item["apiVersion"]).rpartition("/")[0]
    kind = f"{item['kind']}.{group}" if group else str(item["kind"])
    if group:
        version = str(item["apiVersion"]).rpartition("/")[2]
        kind = f"{item['kind']}.{version}.{group}"
    namespace = item["metadata"].get("namespace")
    scope = ["-n", str(namespace)] if namespace else []
    return [*scope, kind, str(item["metadata"]["name"])]


def describe(item: Object) -> str:
    """`Deployment projectcontour/contour`."""
    metadata = item["metadata"]
    namespace = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
    return f"{item['kind']} {namespace}{metadata['name']}"


def _rolled_out(item: Object) -> bool:
    status, spec = item.get("status", {}), item["spec"]
    wanted = spec.get("replicas", 1)
    return (
        status.get("observedGeneration", 0) >= item["metadata"]["generation"]
        and status.get("updatedReplicas", 0) == wanted
        # Ready, not available: minReadySeconds paces rollouts, and dependents need not wait for it.
        and status.get("readyReplicas", 0) >= wanted
        and status.get("replicas", 0) == wanted
    )


def _scaled(item: Object) -> bool:
    return item.get("status", {}).get("currentReplicas", 0) >= item["spec"]["minReplicas"]


def has_condition(item: Object, kind: str) -> bool:
    conditions = item.get("status", {}).get("conditions", [])
    return any(c["type"] == kind and c["status"] == "True" for c in conditions)


_READY: dict[str, Callable[[Object], bool]] = {
    "Deployment": _rolled_out,
    "Job": lambda item: has_condition(item, "Complete"),
    "CustomResourceDefinition": lambda item: has_condition(item, "Established"),
}


def _why_not_ready(cluster: Cluster, item: Object) -> LocalError:
    """The reason from an object's pods: that of the pod in the worst state."""
    namespace = str(item["metadata"].get("namespace", "default"))
    labels = item["spec"].get("selector", {}).get("matchLabels", {})
    if item["kind"] == "Job":
        labels = {"batch.kubernetes.io/job-name": item["metadata"]["name"]}
    selector = ",".join(f"{key}={value}" for key, value in labels.items())
    for pod in cluster.get("pods", "-n", namespace, "-l", selector)["items"]:
        status, name = pod["status"], pod["metadata"]["name"]
        if has_condition(pod, "Ready"):
            continue
        every = status.get("initContainerStatuses", []) + status.get("containerStatuses", [])
        for container in every:
            state: Object = container["state"]
            reason: dict[str, str] = state.get("waiting") or state.get("terminated") or {}
            if container["ready"] or reason.get("reason") == "Completed":
                continue
            said = [f"{reason.get('reason', 'runs')} {reason.get('message', '')}".strip()]
            if ended := container.get("lastState", {}).get("terminated"):
                said.append(f"it ended with status {ended['exitCode']}")
            return LocalError(
                f"{describe(item)} did not get ready: container {container['name']} of pod "
                f"{name}: {'; '.join(said + _last_warning(cluster, namespace, name))}",
                advice="make local KEEP=1 keeps the cluster up, to look at (kubectl describe pod)",
                log=cluster.pod_log(namespace, name, container["name"])
                or cluster.sandbox.log("node-agent"),
            )
    # No pod was created, or none has failed.
    found = cluster.get(*reference(item)).get("status", {})
    complaints = [str(c["message"]) for c in found.get("conditions", []) if c.get("message")]
    return LocalError(
        f"{describe(item)} did not get ready: {'; '.join(complaints) or json.dumps(found)}",
        log=cluster.sandbox.log("kube-controller-manager"),
    )


def _last_warning(cluster: Cluster, namespace: str, pod: str) -> list[str]:
    """The node agent's last warning about a pod, beyond its containers' states."""
    selector = f"--field-selector=involvedObject.name={pod},type=Warning"
    events = [
        event
        for event in cluster.get("events", "-n", namespace, selector)["items"]
        if event["reason"] not in ("BackOff", "Failed", "NotHonoured")
    ]
    return [str(max(events, key=lambda event: event["lastTimestamp"])["message"])] if events else []


def wait_until_scaled(cluster: Cluster, item: Object) -> None:
    """Wait until an autoscaler has brought its fleet to the minimum size."""
    cluster.wait(
        f"{describe(item)} to have scaled",
        lambda: _scaled(cluster.get(*reference(item))),
        timeout=READY_TIMEOUT,
    )
