"""What happens to a platform in use: the scenarios of `nothing_lost`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from experiments import disruptions
from experiments.lab import PLATFORM, Lab
from experiments.traffic import server_manifest
from grpc_platform.components import timing
from grpc_platform.components.external_dns import ANNOTATION_PREFIX
from grpc_platform.components.timing import whole_seconds
from grpc_platform.local import deploy, readiness
from grpc_platform.local.readiness import Object

ENVOYS = 3
_LONG_TTL = 3
"""In drain delays."""
_API_SERVER_AWAY = 60
_BLACK_HOLE = 20
_OUTAGE = 5
"""Seconds that external-dns is away while Envoys roll."""
RETRY_ON = "projectcontour.io/retry-on"
RETRY_ANNOTATIONS = {
    RETRY_ON: "connect-failure,refused-stream",
    "projectcontour.io/num-retries": "2",
}
_INGRESSES = ("load", "streams")

Step = Callable[[Lab], None]


def _nothing(_: Lab) -> None:
    """A step that is not needed."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """Something that happens; `prepare` and `restore` are without calls."""

    name: str
    what: str
    act: Step
    lossless: bool = True
    """The goal: no call fails, none is late."""
    control: bool = False
    """Something is wrong on purpose, and calls must be seen to fail."""
    prepare: Step = _nothing
    restore: Step = _nothing


# --- Envoy ---------------------------------------------------------------------------------------


def _scale_in(lab: Lab) -> None:
    disruptions.resize_fleet(lab.cluster, ENVOYS - 1)


def _scale_in_and_settle(lab: Lab) -> None:
    _scale_in(lab)
    lab.wait_until_settled()


def _scale_out(lab: Lab) -> None:
    disruptions.resize_fleet(lab.cluster, ENVOYS)


def _roll_envoys(lab: Lab) -> None:
    disruptions.restart(lab.cluster, "envoy")


def _drain_nodes(lab: Lab) -> None:
    for name in lab.envoys():
        disruptions.evict(lab.cluster, name)
        _wait_for_fleet(lab)


def _kill_envoy(lab: Lab) -> None:
    disruptions.kill(lab.cluster, next(iter(lab.envoys())), "envoy")
    _wait_for_fleet(lab)


def _lose_envoy(lab: Lab) -> None:
    disruptions.lose(lab.cluster, next(iter(lab.envoys())))
    _wait_for_fleet(lab)


def _black_hole_envoy(lab: Lab) -> None:
    with disruptions.black_holed(lab.cluster, next(iter(lab.envoys()))):
        lab.pause(_BLACK_HOLE)
    _wait_for_fleet(lab)


def _kill_drain(lab: Lab) -> None:
    before = set(lab.envoys())
    _scale_in(lab)
    (leaving,) = before - set(lab.envoys())
    lab.pause(5)
    disruptions.kill(lab.cluster, leaving, "shutdown-manager")


def _wait_for_fleet(lab: Lab) -> None:
    lab.cluster.wait("the fleet to be whole", lambda: len(lab.envoys()) >= ENVOYS, timeout=120)
    lab.wait_for_name()


# --- Contour, certificates, external-dns, the API server -----------------------------------------


def _roll_contour(lab: Lab) -> None:
    disruptions.restart(lab.cluster, "contour")


def _kill_leader(lab: Lab) -> None:
    dead = disruptions.kill_leader(lab.cluster)
    lab.cluster.wait("another Contour to lead", lambda: disruptions.leader(lab.cluster) != dead)


def _renew(lab: Lab) -> None:
    disruptions.renew_certificates(lab.cluster)


def _renew_and_scale_out(lab: Lab) -> None:
    disruptions.resize_fleet(lab.cluster, ENVOYS, wait=False)
    disruptions.renew_certificates(lab.cluster)
    _wait_for_fleet(lab)


def _renew_and_roll_contour(lab: Lab) -> None:
    lab.cluster.kubectl("rollout", "restart", "deployment/contour", *PLATFORM)
    disruptions.renew_certificates(lab.cluster)
    readiness.wait_until_ready(lab.cluster, _deployment(lab, "contour"))


def _without_external_dns(lab: Lab) -> None:
    with disruptions.without_external_dns(lab.cluster):
        lab.pause(30)


def _roll_envoys_without_external_dns(lab: Lab) -> None:
    with disruptions.without_external_dns(lab.cluster):
        lab.cluster.kubectl("rollout", "restart", "deployment/envoy", *PLATFORM)
        lab.pause(_OUTAGE)
    readiness.wait_until_ready(lab.cluster, _deployment(lab, "envoy"), timeout=300)


def _without_api_server(lab: Lab) -> None:
    with disruptions.without_api_server(lab.cluster):
        lab.pause(_API_SERVER_AWAY)


# --- servers -------------------------------------------------------------------------------------


def _roll_servers(lab: Lab) -> None:
    disruptions.restart(lab.cluster, "load", "default")


def _scale_servers(replicas: int) -> Step:
    def scale(lab: Lab) -> None:
        lab.serve(replicas)

    return scale


def _kill_server(lab: Lab) -> None:
    pods = disruptions.pods(lab.cluster, "load", "default")
    disruptions.kill(lab.cluster, pods[0]["metadata"]["name"], "load", "default")
    lab.cluster.wait("the server to be back", lambda: _is_back(lab, pods[0]["metadata"]["name"]))


def _is_back(lab: Lab, pod: str) -> bool:
    found = lab.cluster.get("pod", "-n", "default", pod)
    restarted = any(status["restartCount"] for status in found["status"]["containerStatuses"])
    return restarted and readiness.has_condition(found, "Ready")


def _retries(wanted: bool) -> Step:
    def annotate(lab: Lab) -> None:
        for name in _INGRESSES:
            values = [f"{k}={v}" if wanted else f"{k}-" for k, v in RETRY_ANNOTATIONS.items()]
            lab.cluster.kubectl("annotate", "--overwrite", "ingress", name, *values)
        lab.pause(2)  # until Envoy has it: nothing tells

    return annotate


# --- controls ------------------------------------------------------------------------------------


def _change_envoy(change: Callable[[Object], None]) -> Step:
    """Roll the fleet with other containers; before any calls."""

    def apply(lab: Lab) -> None:
        manifest = lab.manifest("Deployment", "envoy")
        for container in manifest["spec"]["template"]["spec"]["containers"]:
            change(container)
        deploy.apply(lab.cluster, [manifest])
        readiness.wait_until_ready(lab.cluster, manifest, timeout=300)
        lab.wait_until_settled()

    return apply


def _without_drain_delay(container: Object) -> None:
    command: list[str] = (
        container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", [])
    )
    command[:] = ["--drain-delay=0s" if w.startswith("--drain-delay") else w for w in command]


def _without_hooks(container: Object) -> None:
    container.pop("lifecycle", None)


def _restore_envoy(lab: Lab) -> None:
    lab.deploy(envoy={"min_replicas": ENVOYS, "max_replicas": ENVOYS})
    lab.wait_until_settled()


def _long_ttl(lab: Lab) -> None:
    manifest = lab.manifest("Service", "envoy")
    manifest["metadata"]["annotations"][f"{ANNOTATION_PREFIX}ttl"] = str(
        _LONG_TTL * whole_seconds(lab.times.drain_delay)
    )
    deploy.apply(lab.cluster, [manifest])
    known = timing.EXTERNAL_DNS_REACTION + timing.ROUTE53_PROPAGATION + lab.times.record_ttl
    lab.pause(2 * known.total_seconds())  # until everybody has it: nothing tells


def _roll_servers_without_pre_stop(lab: Lab) -> None:
    deploy.apply(lab.cluster, [server_manifest(2, pre_stop_seconds=0)])
    _roll_servers(lab)


def _deployment(lab: Lab, name: str) -> dict[str, Any]:
    return lab.cluster.get("deployment", *PLATFORM, name)


SCENARIOS = (
    Scenario(
        name="scale-in", what="the HPA takes an Envoy away", act=_scale_in, restore=_scale_out
    ),
    Scenario(
        name="scale-out", what="the HPA adds an Envoy", act=_scale_out, prepare=_scale_in_and_settle
    ),
    Scenario(name="rollout", what="every Envoy is replaced by a rollout", act=_roll_envoys),
    Scenario(
        name="eviction", what="every Envoy is evicted, as a node drain does", act=_drain_nodes
    ),
    Scenario(name="contour-rollout", what="a Contour rollout", act=_roll_contour),
    Scenario(name="contour-killed", what="the leading Contour is killed", act=_kill_leader),
    Scenario(name="renewal", what="certificates are renewed", act=_renew),
    Scenario(
        name="renewal-scale-out",
        what="certificates are renewed while an Envoy is added",
        act=_renew_and_scale_out,
        prepare=_scale_in_and_settle,
    ),
    Scenario(
        name="renewal-contour",
        what="certificates are renewed during a Contour rollout",
        act=_renew_and_roll_contour,
    ),
    Scenario(name="server-rollout", what="every server is replaced", act=_roll_servers),
    Scenario(
        name="server-scale-in",
        what="a server is scaled away",
        act=_scale_servers(2),
        prepare=_scale_servers(3),
    ),
    Scenario(name="no-external-dns", what="external-dns is away", act=_without_external_dns),
    Scenario(
        name="rollout-no-external-dns",
        what=f"external-dns is away for {_OUTAGE} s while every Envoy is replaced",
        act=_roll_envoys_without_external_dns,
    ),
    Scenario(
        name="no-api-server",
        what=f"the API server is away for {_API_SERVER_AWAY} s",
        act=_without_api_server,
    ),
    Scenario(
        name="envoy-killed", what="an Envoy is killed (SIGKILL)", act=_kill_envoy, lossless=False
    ),
    Scenario(name="envoy-lost", what="an Envoy's node is lost", act=_lose_envoy, lossless=False),
    Scenario(
        name="envoy-black-hole",
        what=f"an Envoy answers nothing for {_BLACK_HOLE} s",
        act=_black_hole_envoy,
        lossless=False,
    ),
    Scenario(
        name="drain-killed",
        what="an Envoy's shutdown-manager is killed while it drains",
        act=_kill_drain,
        lossless=False,
        restore=_scale_out,
    ),
    Scenario(
        name="server-killed", what="a server is killed (SIGKILL)", act=_kill_server, lossless=False
    ),
    Scenario(
        name="server-killed-retries",
        what=f"a server is killed, with retry-on: {RETRY_ANNOTATIONS[RETRY_ON]}",
        act=_kill_server,
        lossless=False,
        prepare=_retries(True),
        restore=_retries(False),
    ),
    Scenario(
        name="no-drain-delay",
        what="every Envoy is replaced, with a drain delay of 0",
        act=_roll_envoys,
        lossless=False,
        prepare=_change_envoy(_without_drain_delay),
        restore=_restore_envoy,
    ),
    Scenario(
        name="no-pre-stop",
        what="every Envoy is replaced, without preStop hooks",
        act=_roll_envoys,
        control=True,
        prepare=_change_envoy(_without_hooks),
        restore=_restore_envoy,
    ),
    Scenario(
        name="long-ttl",
        what=f"every Envoy is replaced, with a TTL of {_LONG_TTL} drain delays",
        act=_roll_envoys,
        lossless=False,
        prepare=_long_ttl,
        restore=_restore_envoy,
    ),
    Scenario(
        name="server-no-pre-stop",
        what="every server is replaced, without its preStop sleep",
        act=_roll_servers_without_pre_stop,
        lossless=False,
        restore=_scale_servers(2),
    ),
)
QUICK = ("scale-in", "server-rollout", "no-pre-stop")
