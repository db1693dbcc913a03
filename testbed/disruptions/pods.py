"""Finds the pods for disruptions, and reaches them from the sandbox."""

import json
from typing import Any

from grpc_platform.conventions import CONTOUR_NAMESPACE
from testbed.cluster.cluster import Cluster
from testbed.cluster.control_plane import PYTHON
from testbed.cluster.errors import LocalError
from testbed.cluster.readiness import has_condition

Pod = dict[str, Any]


def of_app(cluster: Cluster, name: str, namespace: str = CONTOUR_NAMESPACE) -> list[Pod]:
    """The pods of an app (`app.kubernetes.io/name`) that are not terminating."""
    found = cluster.get("pods", "-n", namespace, "-l", f"app.kubernetes.io/name={name}")["items"]
    return list(filter(not_terminating, found))


def not_terminating(pod: Pod) -> bool:
    """Whether nobody has deleted a pod yet."""
    return "deletionTimestamp" not in pod["metadata"]


def any_terminating(cluster: Cluster, *selector: str) -> bool:
    """Whether one of the pods that kubectl's arguments select is terminating."""
    return not all(map(not_terminating, cluster.get("pods", *selector)["items"]))


def ready(pod: Pod) -> bool:
    """Whether a pod is ready according to the API server."""
    return has_condition(pod, "Ready")


def process(cluster: Cluster, namespace: str, pod: str, container: str) -> int:
    """A running container's first process, from the node agent's records."""
    note = cluster.pod_directory(namespace, pod) / container / "running.json"
    try:
        return json.loads(note.read_text())["pid"]
    except FileNotFoundError:
        raise LocalError(f"container {container} of {namespace}/{pod} is not running") from None


def in_network(cluster: Cluster, pod: str, namespace: str, *act: str) -> None:
    """Call a function of `netlink`, with its arguments, in the network namespace of a pod."""
    running = cluster.pod_directory(namespace, pod).glob("*/running.json")
    container = next((note.parent.name for note in running), "any")
    run_in_network(cluster, namespace, pod, container, PYTHON, "-m", "testbed.linux.netlink", *act)


def fetch_within(cluster: Cluster, namespace: str, pod: str, container: str, url: str) -> str:
    """What a page that only the pod itself reaches answers."""
    ask = (PYTHON, "-m", "testbed.cluster.fetch", url)
    return run_in_network(cluster, namespace, pod, container, *ask)


def run_in_network(
    cluster: Cluster, namespace: str, pod: str, container: str, *command: str
) -> str:
    """Run a command of the sandbox in the network namespace of a pod; what it prints."""
    first = str(process(cluster, namespace, pod, container))
    return cluster.inside("nsenter", "-t", first, "-n", *command).stdout
