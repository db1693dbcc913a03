"""The steps of the scenarios of `nothing_lost`, and their preparation."""

from collections.abc import Callable
from typing import Any

from experiments.lab import PLATFORM, Lab
from grpc_platform.conventions import EXTERNAL_DNS_ANNOTATION_PREFIX
from grpc_platform.timing import EXTERNAL_DNS_REACTION, whole_seconds
from testbed.cluster import deploy, readiness
from testbed.cluster.readiness import Object
from testbed.disruptions import losses, operations, pods
from testbed.load.clients import server_manifest

ENVOYS = 3
LONG_TTL = 3
"""In drain delays."""
API_SERVER_AWAY = 60
BLACK_HOLE = 20
OUTAGE = 5
"""Seconds without external-dns while Envoys roll."""
RETRY_ON = "projectcontour.io/retry-on"
RETRY_ANNOTATIONS = {
    RETRY_ON: "connect-failure,refused-stream",
    "projectcontour.io/num-retries": "2",
}
_INGRESSES = ("load", "streams")

Step = Callable[[Lab], None]


def nothing(_: Lab) -> None:
    """An empty step."""


# --- Envoy ---------------------------------------------------------------------------------------


def scale_in(lab: Lab) -> None:
    operations.resize_fleet(lab.cluster, ENVOYS - 1)


def scale_in_and_settle(lab: Lab) -> None:
    scale_in(lab)
    lab.wait_until_settled()


def scale_out(lab: Lab) -> None:
    operations.resize_fleet(lab.cluster, ENVOYS)


def roll_envoys(lab: Lab) -> None:
    operations.restart(lab.cluster, "envoy")


def drain_nodes(lab: Lab) -> None:
    for name in lab.envoys():
        operations.evict(lab.cluster, name)
        _wait_for_fleet(lab)


def kill_envoy(lab: Lab) -> None:
    losses.kill(lab.cluster, next(iter(lab.envoys())), "envoy")
    _wait_for_fleet(lab)


def black_hole_envoy(lab: Lab) -> None:
    with losses.black_holed(lab.cluster, next(iter(lab.envoys()))):
        lab.pause(BLACK_HOLE)
    _wait_for_fleet(lab)


def kill_drain(lab: Lab) -> None:
    before = set(lab.envoys())
    scale_in(lab)
    (leaving,) = before - set(lab.envoys())
    lab.pause(5)
    losses.kill(lab.cluster, leaving, "shutdown-manager")


def _wait_for_fleet(lab: Lab) -> None:
    lab.cluster.wait("the fleet to be whole", lambda: len(lab.envoys()) >= ENVOYS, timeout=120)
    lab.wait_for_name()


# --- Contour, certificates, external-dns, the API server -----------------------------------------


def roll_contour(lab: Lab) -> None:
    operations.restart(lab.cluster, "contour")


def kill_leader(lab: Lab) -> None:
    dead = losses.leading_process(lab.cluster)
    losses.kill_leader(lab.cluster)
    # Perhaps the same pod, whose container restarts.
    lab.cluster.wait(
        "a Contour to lead again",
        lambda: losses.leading_process(lab.cluster) not in (dead, ""),
    )


def renew(lab: Lab) -> None:
    operations.renew_certificates(lab.cluster)


def renew_and_scale_out(lab: Lab) -> None:
    operations.resize_fleet(lab.cluster, ENVOYS, wait=False)
    operations.renew_certificates(lab.cluster)
    _wait_for_fleet(lab)


def renew_and_roll_contour(lab: Lab) -> None:
    operations.restart(lab.cluster, "contour", wait=False)
    operations.renew_certificates(lab.cluster)
    readiness.wait_until_ready(lab.cluster, _deployment(lab, "contour"))


def without_external_dns(lab: Lab) -> None:
    with losses.without_external_dns(lab.cluster):
        lab.pause(30)


def roll_envoys_without_external_dns(lab: Lab) -> None:
    with losses.without_external_dns(lab.cluster):
        operations.restart(lab.cluster, "envoy", wait=False)
        lab.pause(OUTAGE)
    readiness.wait_until_ready(lab.cluster, _deployment(lab, "envoy"), timeout=300)


def without_api_server(lab: Lab) -> None:
    with losses.without_api_server(lab.cluster):
        lab.pause(API_SERVER_AWAY)


# --- servers -------------------------------------------------------------------------------------


def roll_servers(lab: Lab) -> None:
    operations.restart(lab.cluster, "load", "default")


def scale_servers(replicas: int) -> Step:
    def scale(lab: Lab) -> None:
        lab.serve(replicas)

    return scale


def kill_server(lab: Lab) -> None:
    server = pods.of_app(lab.cluster, "load", "default")[0]["metadata"]["name"]
    losses.kill(lab.cluster, server, "load", "default")
    lab.cluster.wait("the server to be back", lambda: _is_back(lab, server))


def _is_back(lab: Lab, pod: str) -> bool:
    found = lab.cluster.get("pod", "-n", "default", pod)
    restarted = any(status["restartCount"] for status in found["status"]["containerStatuses"])
    return restarted and readiness.has_condition(found, "Ready")


def retries(wanted: bool) -> Step:
    def annotate(lab: Lab) -> None:
        for name in _INGRESSES:
            values = [f"{k}={v}" if wanted else f"{k}-" for k, v in RETRY_ANNOTATIONS.items()]
            lab.cluster.kubectl("annotate", "--overwrite", "ingress", name, *values)
        lab.pause(2)  # time for Envoy to get it: there is no signal

    return annotate


# --- controls ------------------------------------------------------------------------------------


def change_envoy(change: Callable[[Object], None]) -> Step:
    """Roll the fleet with changed containers, before any calls."""

    def apply(lab: Lab) -> None:
        manifest = lab.manifest("Deployment", "envoy")
        for container in manifest["spec"]["template"]["spec"]["containers"]:
            change(container)
        deploy.apply(lab.cluster, [manifest])
        readiness.wait_until_ready(lab.cluster, manifest, timeout=300)
        lab.wait_until_settled()

    return apply


def without_drain_delay(container: Object) -> None:
    command: list[str] = (
        container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", [])
    )
    command[:] = ["--drain-delay=0s" if w.startswith("--drain-delay") else w for w in command]


def without_hooks(container: Object) -> None:
    container.pop("lifecycle", None)


def restore_envoy(lab: Lab) -> None:
    lab.deploy(envoy={"min_replicas": ENVOYS, "max_replicas": ENVOYS})
    lab.wait_until_settled()


def long_ttl(lab: Lab) -> None:
    manifest = lab.manifest("Service", "envoy")
    manifest["metadata"]["annotations"][f"{EXTERNAL_DNS_ANNOTATION_PREFIX}ttl"] = str(
        LONG_TTL * whole_seconds(lab.times.drain_delay)
    )
    deploy.apply(lab.cluster, [manifest])
    known = EXTERNAL_DNS_REACTION + lab.times.propagation_delay + lab.times.record_ttl
    lab.pause(2 * known.total_seconds())  # time for all to get it: there is no signal


def roll_servers_without_pre_stop(lab: Lab) -> None:
    deploy.apply(lab.cluster, [server_manifest(2, pre_stop_seconds=0)])
    roll_servers(lab)


def _deployment(lab: Lab, name: str) -> dict[str, Any]:
    return lab.cluster.get("deployment", *PLATFORM, name)
