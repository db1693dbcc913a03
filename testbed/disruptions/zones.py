"""The loss of a whole zone, and zonal shift."""

import contextlib
import json
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from testbed.cluster import control_plane
from testbed.cluster.cluster import Cluster
from testbed.disruptions import losses
from testbed.disruptions.pods import Pod

_CLIENTS = "app.kubernetes.io/name!=sample-client"
_ENDPOINTS = "endpointslice-controller"


def pods_in(cluster: Cluster, zone: str) -> list[Pod]:
    """The running pods of a zone but for clients, which call from elsewhere."""
    zones = control_plane.nodes(cluster.zones)
    running = cluster.get("pods", "-A", "-l", _CLIENTS, "--field-selector=status.phase=Running")
    return [
        pod
        for pod in running["items"]
        if zones[pod["spec"]["nodeName"]] == zone and "deletionTimestamp" not in pod["metadata"]
    ]


def lose(cluster: Cluster, pods: Iterable[Pod]) -> None:
    """Lose the nodes of all these pods at once, as `losses.lose_node` does."""
    _each(pods, lambda name, namespace: losses.lose_node(cluster, name, namespace))


def mark_not_ready(cluster: Cluster, pods: Iterable[Pod]) -> None:
    """What the node controller does after `losses.NODE_MONITOR_GRACE`."""
    _each(pods, lambda name, namespace: losses.mark_not_ready(cluster, name, namespace))


def delete_now(cluster: Cluster, pods: Iterable[Pod]) -> None:
    """Delete lost pods by force, so that the zone gets new ones."""
    _each(pods, lambda name, namespace: losses.delete_now(cluster, name, namespace))


@contextlib.contextmanager
def shifted(cluster: Cluster, zone: str) -> Generator[None]:
    """Zonal shift away from a zone: its endpoints leave the EndpointSlices, nothing else happens to
    its pods (https://docs.aws.amazon.com/eks/latest/userguide/zone-shift.html).

    On EKS the controller of EndpointSlices leaves them out. Here it is off meanwhile, so no other
    endpoint changes either. EKS also stops placing pods there, which is left out.
    """
    others = [name for name in control_plane.CONTROLLERS if name != _ENDPOINTS]
    _restart_controllers(cluster, others, lambda: _remove_endpoints(cluster, zone))
    try:
        yield
    finally:
        _restart_controllers(cluster, control_plane.CONTROLLERS)


def _remove_endpoints(cluster: Cluster, zone: str) -> None:
    def remove(item: dict[str, Any]) -> None:
        endpoints: list[dict[str, Any]] = item["endpoints"] or []
        kept = [one for one in endpoints if one.get("zone") != zone]
        if len(kept) < len(endpoints):
            meta = item["metadata"]
            name = ("endpointslice", "-n", meta["namespace"], meta["name"])
            patch = json.dumps({"endpoints": kept})
            cluster.kubectl("patch", *name, "--type=merge", f"--patch={patch}")

    with ThreadPoolExecutor() as workers:
        list(workers.map(remove, cluster.get("endpointslices", "-A")["items"]))


def _restart_controllers(
    cluster: Cluster, controllers: Iterable[str], between: Callable[[], None] = lambda: None
) -> None:
    name = "kube-controller-manager"
    cluster.sandbox.end(cluster.place.prefix + name)
    between()
    arguments = control_plane.kube_controller_manager(cluster.state, controllers)
    program = str(cluster.builder.result(name))
    cluster.sandbox.run(cluster.place.prefix + name, [program, *arguments])


def _each(pods: Iterable[Pod], act: Callable[[str, str], None]) -> None:
    """All at once; the first error is raised."""

    def act_on(pod: Pod) -> None:
        act(pod["metadata"]["name"], pod["metadata"]["namespace"])

    with ThreadPoolExecutor() as workers:
        list(workers.map(act_on, pods))
