"""Sudden failures: of containers, nodes, networks, the API server, external-dns."""

import contextlib
import json
import signal
from collections.abc import Generator, Iterable
from datetime import UTC, datetime

from grpc_platform.conventions import CONTOUR_NAMESPACE, EXTERNAL_DNS, EXTERNAL_DNS_NAMESPACE
from testbed.cluster import control_plane
from testbed.cluster.cluster import Cluster, CommandError
from testbed.cluster.readiness import wait_until_ready
from testbed.disruptions.pods import in_network, process

NODE_MONITOR_GRACE = 50.0
"""Seconds from a node's last sign of life until its pods are marked not ready:
kube-controller-manager's default of --node-monitor-grace-period since Kubernetes 1.32, 40 s before
(https://github.com/kubernetes/kubernetes/pull/126287)."""
_EXTERNAL_DNS = (f"deployment/{EXTERNAL_DNS}", "-n", EXTERNAL_DNS_NAMESPACE)


def kill(cluster: Cluster, pod: str, container: str, namespace: str = CONTOUR_NAMESPACE) -> None:
    """SIGKILL a container's first process, as the OOM killer does. The container restarts."""
    cluster.inside("sh", "-c", f"kill -KILL {process(cluster, namespace, pod, container)}")


def lose_node(cluster: Cluster, pod: str, namespace: str = CONTOUR_NAMESPACE) -> None:
    """Lose the node of a pod, a node that runs no other: at once it sends nothing more, not even
    FIN or RST, and its kubelet reports nothing more, so that it stays ready in the API.

    `mark_not_ready` is what follows after `NODE_MONITOR_GRACE`; `delete_now` ends it. Nothing here
    is shortened: TCP's and keepalive's times, beside which it matters, cannot be either.
    """
    cluster.kubectl("annotate", "pod", "-n", namespace, pod, "testbed/node-lost=true")
    in_network(cluster, pod, namespace, "silence")


def mark_not_ready(cluster: Cluster, pod: str, namespace: str = CONTOUR_NAMESPACE) -> None:
    """Mark a lost node's pod not ready, as the node controller does: it leaves the endpoints.

    https://github.com/kubernetes/kubernetes/blob/v1.35.0/pkg/controller/util/node/controller_utils.go
    (MarkPodsNotReady). The controller deletes the pod only after the toleration of 5 minutes that
    every pod gets, and only then is it replaced.
    """
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    condition = {"type": "Ready", "status": "False", "lastTransitionTime": now}
    patch = json.dumps({"status": {"conditions": [condition]}})
    status = ("--subresource=status", "--type=strategic")
    cluster.kubectl("patch", "pod", "-n", namespace, pod, *status, f"--patch={patch}")


def delete_now(cluster: Cluster, pod: str, namespace: str = CONTOUR_NAMESPACE) -> None:
    """Delete a pod by force: the object at once, the processes within 3 s (SIGTERM after 1 s)."""
    cluster.kubectl("delete", "pod", "-n", namespace, pod, "--grace-period=0", "--force")


@contextlib.contextmanager
def black_holed(cluster: Cluster, pod: str, namespace: str = CONTOUR_NAMESPACE) -> Generator[None]:
    """Drop every packet that a pod sends, so that it answers nothing; its processes keep running.

    Its readiness probe comes over the network: after as many time-outs as the probe's threshold,
    the pod becomes unready and leaves DNS.
    """
    in_network(cluster, pod, namespace, "silence")
    try:
        yield
    finally:
        in_network(cluster, pod, namespace, "unsilence")


def stall(cluster: Cluster, pod: str, seconds: float, namespace: str = CONTOUR_NAMESPACE) -> None:
    """Drop every packet that a pod sends for exactly that long. Returns after it."""
    in_network(cluster, pod, namespace, "stall", str(seconds))


def freeze(cluster: Cluster, processes: Iterable[int], seconds: float) -> None:
    """Stop processes for that long (SIGSTOP), as a pause of the garbage collector or a machine
    without CPU does; the kernel still acknowledges what they are sent. Returns after it."""
    frozen = " ".join(map(str, processes))
    cluster.inside("sh", "-c", f"kill -STOP {frozen}; sleep {seconds}; kill -CONT {frozen}")


@contextlib.contextmanager
def frozen(cluster: Cluster, processes: Iterable[int]) -> Generator[None]:
    """Stop processes (SIGSTOP) until the end; the kernel still acknowledges what they are sent."""
    each = " ".join(map(str, processes))
    cluster.inside("sh", "-c", f"kill -STOP {each}")
    try:
        yield
    finally:
        cluster.inside("sh", "-c", f"kill -CONT {each}")


@contextlib.contextmanager
def without_api_server(cluster: Cluster) -> Generator[None]:
    """Kill the API server, and restart it at the end; pods and Envoys keep running.

    After 15 s the leading Contour ends because it cannot renew its Lease. It crashes with a growing
    back-off until the API server is back.
    """
    name = "kube-apiserver"
    # On SIGTERM it refuses new connections and waits up to 60 s for its watches.
    cluster.sandbox.end(cluster.place.prefix + name, signal.SIGKILL)
    try:
        yield
    finally:
        arguments = control_plane.kube_apiserver(cluster.state, cluster.place)
        program = str(cluster.builder.result(name))
        cluster.sandbox.run(cluster.place.prefix + name, [program, *arguments])
        cluster.wait("the API server to be ready", lambda: _is_ready(cluster), blame=name)


def leader(cluster: Cluster) -> str:
    """The pod of the leading Contour; waits while there is none."""
    cluster.wait("a Contour to lead", lambda: bool(leading_process(cluster)))
    return leading_process(cluster).rpartition("_")[0]


def leading_process(cluster: Cluster) -> str:
    """Who holds Contour's Lease: a pod's name, and an id that is another after a restart."""
    lease = cluster.get("lease", "-n", CONTOUR_NAMESPACE, "leader-elect")
    return str(lease["spec"].get("holderIdentity", ""))


def kill_leader(cluster: Cluster) -> str:
    """SIGKILL the leading Contour. Returns its pod."""
    pod = leader(cluster)
    kill(cluster, pod, "contour")
    return pod


@contextlib.contextmanager
def without_external_dns(cluster: Cluster) -> Generator[None]:
    """Scale external-dns to zero, and back at the end."""
    replicas = cluster.get(*_EXTERNAL_DNS)["spec"]["replicas"]
    cluster.kubectl("scale", *_EXTERNAL_DNS, "--replicas=0")
    cluster.wait(
        "external-dns to be gone",
        lambda: not cluster.get("pods", "-n", EXTERNAL_DNS_NAMESPACE)["items"],
    )
    try:
        yield
    finally:
        cluster.kubectl("scale", *_EXTERNAL_DNS, f"--replicas={replicas}")
        wait_until_ready(cluster, cluster.get(*_EXTERNAL_DNS))


def _is_ready(cluster: Cluster) -> bool:
    try:
        return cluster.kubectl("get", "--raw", "/readyz") == "ok"
    except CommandError:
        return False
