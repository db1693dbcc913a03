"""What happens to a platform in use, made to happen: losses, evictions, roll-outs, renewals.

Each acts on the local cluster from inside its sandbox and raises LocalError if it cannot. Those
that last are context managers, and leave the cluster as it was.
"""

import contextlib
import json
import signal
import time
from collections.abc import Generator
from typing import Any

from grpc_platform.conventions import CONTOUR_NAMESPACE, EXTERNAL_DNS, EXTERNAL_DNS_NAMESPACE
from testbed.cluster import control_plane, deploy
from testbed.cluster.cluster import Cluster, CommandError
from testbed.cluster.errors import LocalError
from testbed.cluster.readiness import has_condition, wait_until_ready

CERTIFICATES = ("contourcert", "envoycert")
_EXTERNAL_DNS = (f"deployment/{EXTERNAL_DNS}", "-n", EXTERNAL_DNS_NAMESPACE)
_EVICT_AGAIN = 5.0  # seconds; kubectl drain's
_ROLLOUT = 900.0  # seconds; two drains of the longest kind that a stack may have

Pod = dict[str, Any]


def pods(cluster: Cluster, name: str, namespace: str = CONTOUR_NAMESPACE) -> list[Pod]:
    """The pods of an app (`app.kubernetes.io/name`) that are not on their way out."""
    found = cluster.get("pods", "-n", namespace, "-l", f"app.kubernetes.io/name={name}")["items"]
    return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]


def ready(pod: Pod) -> bool:
    """Whether the API server says that a pod is ready."""
    return has_condition(pod, "Ready")


# --- losses --------------------------------------------------------------------------------------


def kill(cluster: Cluster, pod: str, container: str, namespace: str = CONTOUR_NAMESPACE) -> None:
    """SIGKILL a container's first process, as for want of memory. The container starts again."""
    pid = _process(cluster, namespace, pod, container)
    cluster.inside(
        control_plane.PYTHON, "-IS", "-c", f"import os; os.kill({pid}, {int(signal.SIGKILL)})"
    )


def lose(cluster: Cluster, pod: str, namespace: str = CONTOUR_NAMESPACE) -> None:
    """Take a pod away as a lost node does: from one moment to the next it sends nothing more, not
    even that its connections end. The API server is told at once, which a real one is not.
    """
    _in_network(cluster, pod, namespace, "silence")
    delete_now(cluster, pod, namespace)


def delete_now(cluster: Cluster, pod: str, namespace: str = CONTOUR_NAMESPACE) -> None:
    """Delete a pod by force: the object at once, the processes within 3 s (SIGTERM after 1 s)."""
    cluster.kubectl("delete", "pod", "-n", namespace, pod, "--grace-period=0", "--force")


@contextlib.contextmanager
def black_holed(cluster: Cluster, pod: str, namespace: str = CONTOUR_NAMESPACE) -> Generator[None]:
    """Drop all that a pod sends, and so answer nothing it is sent; its processes go on.

    Its readiness probe comes over the network: the API server calls the pod unready, and DNS lets
    go of it, when the probe has timed out as often as its threshold.
    """
    _in_network(cluster, pod, namespace, "silence")
    try:
        yield
    finally:
        _in_network(cluster, pod, namespace, "unsilence")


@contextlib.contextmanager
def without_api_server(cluster: Cluster) -> Generator[None]:
    """Kill the API server, and start it again in the end; pods and Envoys go on.

    After 15 s the Contour that led ends for want of its Lease, and fails with a growing back-off
    for as long as there is no API server.
    """
    name = "kube-apiserver"
    # Told to end it takes no more connections, and lives on for the 60 s of its watches.
    cluster.sandbox.end(cluster.place.prefix + name, signal.SIGKILL)
    try:
        yield
    finally:
        arguments = control_plane.kube_apiserver(cluster.state, cluster.place)
        program = str(cluster.builder.result(name))
        cluster.sandbox.run(cluster.place.prefix + name, [program, *arguments])
        cluster.wait("the API server to be ready", lambda: _is_ready(cluster), blame=name)


def leader(cluster: Cluster) -> str:
    """The pod of the Contour that leads; waits for one while none does."""

    def holder() -> str:
        lease = cluster.get("lease", "-n", CONTOUR_NAMESPACE, "leader-elect")
        return str(lease["spec"].get("holderIdentity", "")).rpartition("_")[0]

    cluster.wait("a Contour to lead", lambda: bool(holder()))
    return holder()


def kill_leader(cluster: Cluster) -> str:
    """SIGKILL the Contour that leads; its pod."""
    pod = leader(cluster)
    kill(cluster, pod, "contour")
    return pod


def delete_leader(cluster: Cluster) -> str:
    """Delete the pod of the Contour that leads, in peace; its name."""
    pod = leader(cluster)
    cluster.kubectl("delete", "pod", "-n", CONTOUR_NAMESPACE, pod, "--wait=false")
    return pod


@contextlib.contextmanager
def without_external_dns(cluster: Cluster) -> Generator[None]:
    """Scale external-dns to nothing, and back in the end."""
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


# --- what operators and controllers do -----------------------------------------------------------


def evict(
    cluster: Cluster, pod: str, namespace: str = CONTOUR_NAMESPACE, *, timeout: float = 600
) -> int:
    """Have a pod leave as `kubectl drain` does, as soon as its disruption budget lets it.

    Returns how often it was refused; the pod drains after that.
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
                raise LocalError(f"pod {pod} was not let go in {timeout:.0f} s") from None
            refused += 1
            time.sleep(_EVICT_AGAIN)
        else:
            return refused


def restart(
    cluster: Cluster, deployment: str, namespace: str = CONTOUR_NAMESPACE, *, wait: bool = True
) -> None:
    """Roll a Deployment. Waits until its new pods are ready (old ones may still drain).

    The annotation that does it is kubectl's: applying the stack again leaves it.
    """
    cluster.kubectl("rollout", "restart", f"deployment/{deployment}", "-n", namespace)
    if wait:
        item = cluster.get("deployment", "-n", namespace, deployment)
        wait_until_ready(cluster, item, timeout=_ROLLOUT)


def renew_certificates(cluster: Cluster) -> None:
    """Run the renewal that a CronJob makes every 90 days, and wait until both Secrets are new."""
    before = {name: _certificate(cluster, name) for name in CERTIFICATES}
    cronjob = cluster.get("cronjobs", "-n", CONTOUR_NAMESPACE)["items"][0]["metadata"]["name"]
    job = f"renewal-{time.time_ns()}"
    cluster.kubectl("create", "job", "-n", CONTOUR_NAMESPACE, job, f"--from=cronjob/{cronjob}")
    cluster.wait(
        "both certificates to be new",
        lambda: all(_certificate(cluster, name) != old for name, old in before.items()),
    )


def fleet_limits(cluster: Cluster) -> tuple[int, int]:
    """The least and most Envoys, as the autoscaler has them."""
    spec = cluster.get("hpa", "-n", CONTOUR_NAMESPACE, "envoy")["spec"]
    return spec["minReplicas"], spec["maxReplicas"]


def resize_fleet(
    cluster: Cluster, least: int, most: int | None = None, *, wait: bool = True
) -> None:
    """Have the autoscaler keep between ``least`` and ``most`` (as many) Envoys; it does at once.

    Waits until that many are ready, not until those that leave have drained.
    """
    found = cluster.get("hpa", "-n", CONTOUR_NAMESPACE, "envoy")
    limits = {"minReplicas": least, "maxReplicas": most or least}
    # Applied as the stack is: a patch's values would be another's, and refuse the next deployment.
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


# --- details -------------------------------------------------------------------------------------


def _has_ready(cluster: Cluster, least: int, most: int) -> bool:
    fleet = pods(cluster, "envoy")
    return least <= len(fleet) <= most and all(map(ready, fleet))


def _certificate(cluster: Cluster, secret: str) -> str:
    return cluster.get("secret", "-n", CONTOUR_NAMESPACE, secret)["data"]["tls.crt"]


def _is_ready(cluster: Cluster) -> bool:
    try:
        return cluster.kubectl("get", "--raw", "/readyz") == "ok"
    except CommandError:
        return False


def _process(cluster: Cluster, namespace: str, pod: str, container: str) -> int:
    """A running container's first process, as the node agent notes it."""
    note = cluster.state / "node" / "pods" / f"{namespace}_{pod}" / container / "running.json"
    try:
        return json.loads(note.read_text())["pid"]
    except FileNotFoundError:
        raise LocalError(f"container {container} of {namespace}/{pod} is not running") from None


def _in_network(cluster: Cluster, pod: str, namespace: str, act: str) -> None:
    """Call a function of `netlink` in the network namespace of a pod."""
    running = (cluster.state / "node" / "pods" / f"{namespace}_{pod}").glob("*/running.json")
    container = next((note.parent.name for note in running), "any")
    enter = ("nsenter", "-t", str(_process(cluster, namespace, pod, container)), "-n")
    cluster.inside(*enter, control_plane.PYTHON, "-m", "testbed.linux.netlink", act)
