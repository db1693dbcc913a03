"""Sudden failures: of containers, pods, their network, the API server, external-dns."""

import contextlib
import signal
from collections.abc import Generator

from grpc_platform.conventions import CONTOUR_NAMESPACE, EXTERNAL_DNS, EXTERNAL_DNS_NAMESPACE
from testbed.cluster import control_plane
from testbed.cluster.cluster import Cluster, CommandError
from testbed.cluster.readiness import wait_until_ready
from testbed.disruptions.pods import in_network, process

_EXTERNAL_DNS = (f"deployment/{EXTERNAL_DNS}", "-n", EXTERNAL_DNS_NAMESPACE)


def kill(cluster: Cluster, pod: str, container: str, namespace: str = CONTOUR_NAMESPACE) -> None:
    """SIGKILL a container's first process, as the OOM killer does. The container restarts."""
    cluster.inside("sh", "-c", f"kill -KILL {process(cluster, namespace, pod, container)}")


def lose(cluster: Cluster, pod: str, namespace: str = CONTOUR_NAMESPACE) -> None:
    """Remove a pod as a lost node does: at once it sends nothing more, not even FIN or RST. Unlike
    with a real node, the API server learns of it at once.
    """
    in_network(cluster, pod, namespace, "silence")
    delete_now(cluster, pod, namespace)


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

    def holder() -> str:
        lease = cluster.get("lease", "-n", CONTOUR_NAMESPACE, "leader-elect")
        return str(lease["spec"].get("holderIdentity", "")).rpartition("_")[0]

    cluster.wait("a Contour to lead", lambda: bool(holder()))
    return holder()


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
