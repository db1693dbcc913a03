"""Peers: the same scenarios for Envoy as shipped and for what one could take instead, side by side
in one run, with an L4 balancer as the control."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from experiments import growth, hops, paired, peer_hops, plots, shares
from experiments.experiment import Experiment, Finding, Result
from experiments.hops import Hop
from experiments.lab import ZONE, Lab
from experiments.paired import DIRECT, SHIPPED
from experiments.peer_hops import CONTROL
from experiments.peers_page import (
    EVEN,
    HOPS,
    NAMES,
    SERVERS,
    STAYS,
    lost,
    tell,
    unevenness,
)
from testbed.cluster import deploy, readiness
from testbed.cluster.readiness import Object
from testbed.disruptions import operations, pods
from testbed.load import clients
from testbed.load.clients import Client

_MORE_SERVERS, _MORE_HOPS = 6, 4
_LAST = 10.0  # seconds in which the shares at the end are taken
_CHANGES = 3
_CALLS = ("--duration=15m", "--policy=pick_first", "--channels=24", "--rate=80")
_STREAMS = ("--duration=15m", "--policy=pick_first", "--channels=4", "--rate=4", "--stream=2s")
_AUTHORITY = f"--authority=load.{ZONE}"


def run(lab: Lab) -> Result:
    """Fleets of two of each kind before the same servers; each scenario for all at once."""
    lab.deploy(envoy={"min_replicas": HOPS, "max_replicas": HOPS})
    lab.serve(SERVERS)
    found = peer_hops.peers(lab)
    hops.start(lab, *found, replicas=HOPS)
    targets = {SHIPPED: lab.target(), **{hop.name: hop.target for hop in found}}
    period = lab.times.reconnect_interval.total_seconds()
    seconds = 4 if lab.quick else 20
    lab.say("one call at a time, and saturation")
    every = {DIRECT: clients.DIRECT, **targets}
    cost = {
        "one": [paired.in_turn(lab, every, _AUTHORITY, seconds=seconds)],
        "saturation": [paired.saturate(lab, every, seconds=max(3, seconds // 4))],
    }
    lab.say("balance")
    running = _start(lab, targets)
    lab.pause(5 if lab.quick else period)
    result: Result = {"period": period, "cost": cost, "balance": _stop(running)}
    lab.say("a route is changed")
    running = _start(lab, targets)
    for number in range(1 if lab.quick else _CHANGES):
        lab.pause(3)
        _change_route(lab, found, number)
    lab.pause(5)
    result["route change"] = _stop(running)
    if not lab.quick:
        result["scale-out"] = _scale_out(lab, targets, found, period)
        lab.say("rollout of the hops")
        running = _start(lab, targets)
        lab.pause(3)
        _roll(lab, found)
        lab.pause(5)
        result["rollout"] = _stop(running)
    return result


def _start(lab: Lab, targets: Mapping[str, str]) -> dict[tuple[str, str], Client]:
    """Calls and streams through each hop."""
    wanted = {"calls": _CALLS, "streams": _STREAMS}
    running = {
        (name, kind): lab.client(*flags, _AUTHORITY, targets={name: target})
        for name, target in targets.items()
        for kind, flags in wanted.items()
    }
    for client in running.values():
        lab.wait_until_running(client)
    return running


def _stop(running: Mapping[tuple[str, str], Client]) -> Result:
    """By hop and kind, what the clients told."""
    told: Result = {}
    for (name, kind), client in running.items():
        report = client.stop()["targets"][name]
        kept = ("codes", "pods", "connections", "windows")
        told.setdefault(name, {})[kind] = {key: report[key] for key in kept}
        told[name][kind]["failures"] = report["failures"][:3]
    return told


def _change_route(lab: Lab, found: list[Hop], number: int) -> None:
    """One more route at each hop that knows routes."""
    deploy.apply(lab.cluster, growth.bundles(lab, [f"more-{number}"]))
    for hop in found:
        for pod in _pods(lab, hop.name) if hop.reload else ():
            name = f"default/{pod['metadata']['name']}"
            lab.cluster.enter("-c", hop.name, name, "--", "sh", "-c", str(hop.reload))


def _pods(lab: Lab, name: str) -> list[Object]:
    return pods.of_app(lab.cluster, name, "default")


def _scale_out(lab: Lab, targets: Mapping[str, str], found: list[Hop], period: float) -> Result:
    """More servers, then more hops, under connections that live on."""
    lab.say("scale-out")
    before = {pod["metadata"]["name"] for pod in _pods(lab, "load")}
    old = {name: _addresses(lab, name) for name in targets}
    running = _start(lab, targets)
    lab.pause(3)
    lab.serve(_MORE_SERVERS)
    lab.pause(_LAST, "servers added")
    _scale(lab, found, _MORE_HOPS)
    lab.pause(2 * period + _LAST, "hops added")
    told = _stop(running)
    for name, kinds in told.items():
        calls = kinds["calls"]
        new_servers = {pod: n for pod, n in calls["pods"].items() if pod not in before}
        calls["to_new_servers"] = sum(new_servers.values()) / sum(calls["pods"].values())
        windows = calls["windows"][:-1]
        last = [w for w in windows if w["at"] >= windows[-1]["at"] - _LAST]
        new = _addresses(lab, name) - old[name]
        each = [share for _, share in shares.share_of(last, new)]
        calls["to_new_hops"] = sum(each) / len(each)
    return told


def _addresses(lab: Lab, name: str) -> set[str]:
    """Of the hop's pods."""
    if name == SHIPPED:
        return set(lab.envoys().values())
    return {pod["status"]["podIP"] for pod in _pods(lab, name) if pods.ready(pod)}


def _scale(lab: Lab, found: list[Hop], replicas: int) -> None:
    for hop in found:
        lab.cluster.kubectl("scale", f"deployment/{hop.name}", f"--replicas={replicas}")
    lab.resize(replicas)
    for hop in found:
        readiness.wait_until_ready(lab.cluster, lab.cluster.get("deployment", hop.name))


def _roll(lab: Lab, found: list[Hop]) -> None:
    """Replace every hop but the control (an L4 balancer is replaced by its provider, if ever), and
    wait until the old ones are gone."""
    found = [hop for hop in found if hop.name != CONTROL]
    for hop in found:
        operations.restart(lab.cluster, hop.name, "default", wait=False)
    operations.restart(lab.cluster, SHIPPED, wait=False)
    lab.wait_until_settled()
    for hop in found:
        lab.cluster.wait(
            f"the old {hop.name} to be gone",
            lambda selector=f"app.kubernetes.io/name={hop.name}": (
                not pods.any_terminating(lab.cluster, "-l", selector)
            ),
            timeout=120,
        )


def findings(result: Result) -> list[Finding]:
    """What holds for the shipped one, that the control stays as it is, and what each peer does."""
    names = list(result["balance"])
    found: list[Finding] = []

    def claim(what: str, values: Mapping[str, tuple[bool, str]]) -> None:
        for name, (holds, figure) in values.items():
            own = name == SHIPPED
            found.append(Finding(f"{NAMES[name]}: {what}", holds, figure, binding=own))

    def of(scenario: str) -> dict[str, tuple[bool, str]]:
        losses = {name: lost(result[scenario][name]) for name in names}
        return {
            name: (
                not any(counts.values()),
                f"{counts['calls']:,} calls and {counts['streams']:,} streams failed",
            )
            for name, counts in losses.items()
            if name != CONTROL
        }

    spreads = {name: unevenness(result["balance"][name]) for name in names}
    claim(
        "calls fall evenly on the servers",
        {name: (ratio <= EVEN, f"max/mean {ratio:.2f}") for name, ratio in spreads.items()},
    )
    claim("a changed route loses nothing", of("route change"))
    if "rollout" in result:
        claim("a rollout of the hop loses nothing", of("rollout"))
    if "scale-out" in result:
        for key, what in (("to_new_servers", "servers"), ("to_new_hops", "hops")):
            scaled = {name: result["scale-out"][name]["calls"][key] for name in names}
            claim(
                f"new {what} get calls of connections that were up",
                {name: (share > STAYS, f"{share:.0%} of them") for name, share in scaled.items()},
            )
        control = result["scale-out"][CONTROL]["calls"]
        found.append(
            Finding(
                "behind an L4 balancer connections stay where they are",
                max(control["to_new_servers"], control["to_new_hops"]) <= STAYS,
                f"{control['to_new_servers']:.0%} to new servers, {control['to_new_hops']:.0%} to "
                "new balancers",
                control=True,
            )
        )
    return found


def draw(result: Result) -> dict[str, Figure]:
    """What each adds to a call and uses for one."""
    one, full = (paired.summary(result["cost"][key]) for key in ("one", "saturation"))
    names = [name for name in NAMES if name in one]
    labels = [NAMES[name].replace(" as", "\nas").replace(" b", "\nb") for name in names]
    with plots.panels("Added to a call, one at a time (p50)", "The hop's CPU for a call") as (
        figure,
        (latency, cpu),
    ):
        added = [plots.bar(one[name]["added"]["p50"]) for name in names]
        plots.bars(latency, labels, {"": added}, y_label="ms")
        plots.bars(
            cpu, labels, {"": [plots.bar(full[name]["cpu"]) for name in names]}, y_label="µs"
        )
    return {"peers": figure}


PEERS = Experiment(
    title="Peers",
    question="What do Caddy, nginx, HAProxy and an L4 balancer do in the same place?",
    run=run,
    findings=findings,
    draw=draw,
    tell=tell,
)
