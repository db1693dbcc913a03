"""Lost zone: all nodes of one of three zones silent at once, and what zonal shift changes."""

import contextlib
import json
import time
from collections.abc import Callable, Iterable

from experiments import lost_zone_page
from experiments.experiment import Experiment, Finding, Result
from experiments.lab import ZONE, Lab
from experiments.lost_nodes import account, percent, stop
from experiments.lost_zone_page import SHIFT_AFTER, ZONES
from experiments.zone_callers import (
    CONTRACT,
    CONTRACT_SAFE,
    DEFAULTS,
    SAFE,
    SAFE_KEYS,
    Caller,
    start,
)
from grpc_platform.conventions import (
    CONTOUR_NAMESPACE,
    EXTERNAL_DNS,
    EXTERNAL_DNS_NAMESPACE,
    XDS_PORT,
)
from grpc_platform.specs import ContourSpec
from testbed.cluster import control_plane, readiness
from testbed.disruptions import losses, pods, zones
from testbed.disruptions.pods import Pod

_PERIOD, _SHIFTED_PERIOD, _AFTER = 120.0, 90.0, 40.0
"""Seconds after the loss whose calls are counted: without a shift, with one, with one before it."""
_QUICK_PERIOD = 70.0
_RECOVERY = 300.0
_TAKEN_UP = 10.0
"""Seconds from the end of the endpoints in Envoy until no call may be lost."""
_CONNECTIONS = "http.ingress_http.downstream_cx_active"
_SERVERS = "cluster.default_load_50051.membership_total"
# A quick run waits less for clients to leave the zone.
_QUICK_TIMES = {
    "zone": {"record_ttl": "5s"},
    "contour": {
        "timeouts": {"max_connection_duration": "40s", "connection_shutdown_grace_period": "5s"}
    },
}


def run(lab: Lab) -> Result:
    """Lose a zone, lose one whose nodes still report and shift it away, and shift one before."""
    selector = {"app.kubernetes.io/name": "load"}
    lab.serve(ZONES)
    lab.deploy(
        envoy={"min_replicas": ZONES, "max_replicas": ZONES},
        services={SAFE: {"selector": selector, **SAFE_KEYS}},
        **(_QUICK_TIMES if lab.quick else {}),
    )
    result: Result = {"lost": _lose(lab, _QUICK_PERIOD if lab.quick else _PERIOD, shift=False)}
    if not lab.quick:
        result["shift after"] = _lose(lab, _SHIFTED_PERIOD, shift=True)
    return result | {"shift before": _shift_before(lab)}


def _lose(lab: Lab, period: float, *, shift: bool) -> Result:
    zone = _choose(lab)
    clients = start(lab)
    lost = zones.pods_in(lab.cluster, zone)
    with contextlib.ExitStack() as after:
        after.callback(_recover, lab, lost)
        configured = _configured(lab, lost)
        lab.say(f"zone {zone} is lost: {', '.join(map(_app, lost))}; {configured} Envoys' Contour")
        zones.lose(lab.cluster, lost)
        began = time.time()
        if shift:  # else nothing would take the endpoints away: its nodes still report
            at, act = SHIFT_AFTER, lambda: after.enter_context(zones.shifted(lab.cluster, zone))
        else:
            at = losses.NODE_MONITOR_GRACE
            act = lambda: zones.mark_not_ready(lab.cluster, lost)  # noqa: E731
        followed = _follow(lab, lost, began, period, at, act)
        reports = stop(clients)
    return {
        "pods": sorted(map(_app, lost)),
        "configured": configured,
        "period": period,
        **followed,
        "clients": {name: account(report, began, period) for name, report in reports.items()},
    }


def _shift_before(lab: Lab) -> Result:
    """Shift the zone away, wait until its Envoys have no connection, and lose it."""
    zone = _choose(lab)
    clients = start(lab)
    lost = zones.pods_in(lab.cluster, zone)
    envoys = _addresses(lost, "envoy")
    with contextlib.ExitStack() as after:
        after.callback(_recover, lab, lost)
        lab.say(f"zone {zone} is shifted away")
        began = time.time()
        after.enter_context(zones.shifted(lab.cluster, zone))
        longest = lab.times.dns_convergence + 3 * lab.times.reconnect_interval
        lab.cluster.wait(
            "the zone's Envoys to have no connection",
            lambda: not any(lab.stat(envoys, _CONNECTIONS).values()),
            timeout=longest.total_seconds(),
        )
        empty = time.time() - began
        lab.say("the zone is lost")
        zones.lose(lab.cluster, lost)
        lab.pause(_AFTER)
        reports = stop(clients)
    period = empty + _AFTER
    return {
        "pods": sorted(map(_app, lost)),
        "empty": empty,
        "clients": {name: account(report, began, period) for name, report in reports.items()},
    }


def _choose(lab: Lab) -> str:
    """The worst zone to lose: that of the leading Contour, which configures the Envoys since the
    other one was killed; external-dns is moved there."""
    leader = killed = losses.kill_leader(lab.cluster)
    while leader == killed:
        lab.pause(20)  # its Lease lasts 15 s, and it may win again
        leader = losses.leader(lab.cluster)
        killed = losses.kill_leader(lab.cluster) if leader == killed else killed
    nodes = control_plane.nodes(ZONES)
    zone = nodes[lab.cluster.get("pod", "-n", CONTOUR_NAMESPACE, leader)["spec"]["nodeName"]]
    there = {
        "spec": {"template": {"spec": {"nodeSelector": {"topology.kubernetes.io/zone": zone}}}}
    }
    deployment = ("deployment", "-n", EXTERNAL_DNS_NAMESPACE, EXTERNAL_DNS)
    lab.cluster.kubectl("patch", *deployment, "--type=merge", f"--patch={json.dumps(there)}")
    readiness.wait_until_ready(lab.cluster, lab.cluster.get(*deployment))
    return zone


def _configured(lab: Lab, lost: list[Pod]) -> int:
    """How many Envoys have their configuration from the Contour among these pods."""
    contour = next(pod["metadata"]["name"] for pod in lost if _app(pod) == "contour")
    process = pods.process(lab.cluster, CONTOUR_NAMESPACE, contour, "contour")
    tables = [f"/proc/{process}/net/{table}" for table in ("tcp", "tcp6")]
    sockets = [line.split() for line in lab.cluster.inside("cat", *tables).stdout.splitlines()]
    return sum(
        local.endswith(f":{XDS_PORT:04X}") and state == "01" for _, local, _, state, *_ in sockets
    )


def _follow(
    lab: Lab, lost: list[Pod], began: float, period: float, at: float, act: Callable[[], object]
) -> Result:
    """Let that time pass, act once in it, and see when the other Envoys, and the name, leave out
    what is lost."""
    envoys = lab.envoys()
    gone = _addresses(lost, "envoy")
    others = [address for address in envoys.values() if address not in gone]
    endpoints: dict[str, float] = {}
    name: float | None = None
    acted = False
    while (passed := time.time() - began) < period:
        if passed >= at and not acted:
            acted = True
            act()
        for address, count in lab.stat(others, _SERVERS).items():
            if count < ZONES:
                endpoints.setdefault(address, time.time() - began)
        if name is None and not gone & set(lab.cluster.addresses(f"load.{ZONE}")):
            name = time.time() - began
        lab.pause(0.5)
    return {"endpoints": sorted(endpoints.values()), "name": name}


def _recover(lab: Lab, lost: list[Pod]) -> None:
    """New pods in place of the lost ones, as if the zone were back."""
    zones.delete_now(lab.cluster, lost)

    def whole() -> bool:
        found = [
            *pods.of_app(lab.cluster, "envoy"),
            *pods.of_app(lab.cluster, "contour"),
            *pods.of_app(lab.cluster, EXTERNAL_DNS, EXTERNAL_DNS_NAMESPACE),
            *pods.of_app(lab.cluster, "load", "default"),
        ]
        return len(found) == 2 * ZONES + ContourSpec().replicas + 1 and all(map(pods.ready, found))

    lab.cluster.wait("the zone to be whole again", whole, timeout=_RECOVERY)
    named = lambda: set(lab.cluster.addresses(f"load.{ZONE}")) == set(lab.envoys().values())  # noqa: E731
    lab.cluster.wait("the name to lead to the fleet", named, timeout=_RECOVERY)


def _app(pod: Pod) -> str:
    return pod["metadata"]["labels"]["app.kubernetes.io/name"]


def _addresses(found: Iterable[Pod], app: str) -> set[str]:
    return {pod["status"]["podIP"] for pod in found if _app(pod) == app}


def _of(result: Result, case: str, caller: Caller) -> Result:
    return result[case]["clients"][str(caller)]


def _gone(result: Result, case: str) -> float:
    """Seconds from the loss until no Envoy had the zone's endpoints."""
    return max(result[case]["endpoints"])


def findings(result: Result) -> list[Finding]:
    """The claims about a zone."""
    plain, safe, bare = (_of(result, "lost", c) for c in (CONTRACT, CONTRACT_SAFE, DEFAULTS))
    before = result["shift before"]["clients"].values()
    lost_before = sum(each["failed"] for each in before)
    found = [
        Finding(
            "a zone is lost: calls to a plain service are lost",
            plain["failed"] > 0,
            _figure(plain),
            control=True,
        ),
        Finding(
            "with the client contract none is once the endpoints are gone",
            plain["until"] <= _gone(result, "lost") + _TAKEN_UP,
            f"the last was sent {plain['until']:.0f} s after the loss",
        ),
        Finding(
            "with the contract and an `idempotent` service hardly any is",
            safe["failed"] < 0.02 * plain["failed"],
            f"{_figure(safe)}, the slowest answer after {safe['slowest'] / 1000:.1f} s",
        ),
        Finding(
            "with the defaults of the language many more are",
            bare["failed"] > plain["failed"],
            _figure(bare),
            control=True,
        ),
        Finding(
            "the zone is shifted away before: no call is lost, with the contract or without",
            not lost_before and all(each["calls"] for each in before),
            f"{lost_before} of {sum(each['calls'] for each in before):,}; "
            f"its Envoys had no connection {result['shift before']['empty']:.0f} s after the shift",
        ),
    ]
    if "shift after" in result:
        shifted = _of(result, "shift after", CONTRACT)
        found.append(
            Finding(
                f"its nodes still report, and it is shifted away {SHIFT_AFTER:.0f} s after: calls "
                "are lost until then only",
                SHIFT_AFTER <= shifted["until"] <= _gone(result, "shift after") + _TAKEN_UP,
                f"{_figure(shifted)}, the last sent {shifted['until']:.0f} s after the loss",
            )
        )
    return found


def _figure(lost: Result) -> str:
    return f"{lost['failed']:,} of {lost['calls']:,} ({percent(lost):.1f} %)"


LOST_ZONE = Experiment(
    title="Lost zone",
    question="What is lost with a zone, for how long, and what does zonal shift change?",
    run=run,
    findings=findings,
    draw=lost_zone_page.draw,
    tell=lost_zone_page.tell,
    shortened=False,
    zones=ZONES,
)
