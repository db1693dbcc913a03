"""Lost Envoy: how soon clients leave a silent Envoy by their keepalive, and what that costs."""

import time
from collections.abc import Callable
from typing import Any

from matplotlib.figure import Figure

from experiments import plots
from experiments.experiment import Experiment, Finding, Result, count_failed
from experiments.keepalives import (
    CHOSEN,
    FAMILIES,
    KEEPALIVES,
    POLICIES,
    RETRYING,
    Keepalive,
    client_name,
    flags,
    start,
)
from experiments.lab import Lab
from experiments.lost_nodes import account, lose_node, percent, stop
from grpc_platform.conventions import CONTOUR_NAMESPACE
from testbed.cluster import apps
from testbed.disruptions import losses, pods
from testbed.load.clients import DIRECT

ENVOYS = 3
PERIOD = 300
"""Seconds after the loss whose calls are counted."""
_QUICK_PERIOD = 70
GOAL = 1.0
"""Percent of the calls of `PERIOD` that may fail by round_robin."""
# Seconds of each stall, by what stalls.
STALLS = {"network": (1, 2, 3, 4, 8), "Envoy": (2, 4, 8), "clients": (2, 4, 8)}
STALL_WORDS = {
    "network": "an Envoy's network drops everything",
    "Envoy": "an Envoy stands still (SIGSTOP)",
    "clients": "the clients stand still (SIGSTOP)",
}
_AFTER_STALL = 15
BORNE = 2
"""Seconds of a stall that must lose no call."""


def run(lab: Lab) -> Result:
    """All clients side by side: stalls first, then an Envoy's node is lost."""
    lab.deploy(envoy={"min_replicas": ENVOYS, "max_replicas": ENVOYS})
    return {"stalls": _stall(lab), "pings": _ping(lab), "lost": _lose(lab)}


def _stall(lab: Lab) -> list[Result]:
    clients = start(lab)
    envoy = next(iter(lab.envoys()))
    frozen: dict[str, Callable[[], list[int]]] = {
        "Envoy": lambda: [pods.process(lab.cluster, CONTOUR_NAMESPACE, envoy, "envoy")],
        "clients": lambda: [
            pods.process(lab.cluster, "default", client.pod, apps.CLIENT)
            for client in clients.values()
        ],
    }
    stalls: list[tuple[str, int, float, float]] = []
    for what, lengths in STALLS.items():
        for seconds in (BORNE,) if lab.quick else lengths:
            lab.say(f"{STALL_WORDS[what]} for {seconds} s")
            began = time.time()
            if what == "network":
                losses.stall(lab.cluster, envoy, seconds)
            else:
                losses.freeze(lab.cluster, frozen[what](), seconds)
            lab.pause(_AFTER_STALL)
            stalls.append((what, seconds, began, time.time()))
    reports = stop(clients)
    return [
        {
            "what": what,
            "seconds": seconds,
            "clients": {name: account(r, began, ended - began) for name, r in reports.items()},
        }
        for what, seconds, began, ended in stalls
    ]


def _ping(lab: Lab) -> Result:
    """Streams so quiet that each connection pings, through Envoy and straight to the server."""
    lab.say("streams that are silent for 45 s")
    quiet = ("--stream=90s", "--interval=45s", "--duration=1s", "--channels=8")
    targets = {"envoy": lab.target("streams"), "direct": DIRECT}
    clients = {
        name: lab.client(*quiet, *flags(CHOSEN), targets={name: target})
        for name, target in targets.items()
    }
    reports = {name: client.report()["targets"][name] for name, client in clients.items()}
    kept = ("codes", "connections", "failures")
    return {name: {key: report[key] for key in kept} for name, report in reports.items()}


def _lose(lab: Lab) -> Result:
    lab.say("an Envoy's node is lost")
    clients = start(lab)
    period = _QUICK_PERIOD if lab.quick else PERIOD
    pod, address = next(iter(lab.envoys().items()))
    began = lose_node(lab, pod, CONTOUR_NAMESPACE, period)
    reports = stop(clients)
    return {
        "period": period,
        "clients": {
            name: account(report, began, period) | {"held": _held(report, began, address)}
            for name, report in reports.items()
        },
    }


def _held(report: Result, since: float, address: str) -> float:
    """The share of the channels whose latest call before then was on that Envoy."""
    holders = [w["holders"] for w in report["windows"] if w["at"] < since - 1][-1]
    return holders.get(address, 0) / sum(holders.values())


def _lost(result: Result, family: str, policy: str, keepalive: Keepalive | None) -> Result:
    return result["lost"]["clients"][client_name(family, policy, keepalive)]


def findings(result: Result) -> list[Finding]:
    """The claims about keepalive."""
    period = result["lost"]["period"]
    found: list[Finding] = []
    for family in FAMILIES:
        kept, bare = (_lost(result, family, "round_robin", k) for k in (CHOSEN, None))
        # A quick run counts the calls of a shorter time.
        share = kept["failed"] / (kept["calls"] / period * PERIOD) * 100
        found += [
            Finding(
                f"{family}, round_robin, keepalive of {CHOSEN}: under {GOAL:g} % of the calls of "
                f"{PERIOD / 60:g} minutes fail when an Envoy's node is lost",
                share < GOAL,
                f"{share:.2f} %, {kept['failed']:,} calls, the last sent {kept['until']:.0f} s "
                "after the loss",
            ),
            Finding(
                f"{family}, round_robin, without keepalive: many more do",
                bare["failed"] > 5 * kept["failed"],
                f"{bare['failed']:,} of {bare['calls']:,} ({percent(bare):.1f} %)",
                control=True,
            ),
        ]
    retried = result["lost"]["clients"][RETRYING]
    found.append(
        Finding(
            "with the retries of an idempotent service none fails",
            not retried["failed"],
            f"{retried['failed']:,} of {retried['calls']:,}, the slowest after "
            f"{retried['slowest'] / 1000:.1f} s",
            binding=False,
        )
    )
    for stall in result["stalls"]:
        if stall["seconds"] != BORNE:
            continue
        chosen = {n: a for n, a in stall["clients"].items() if n.endswith(str(CHOSEN))}
        found.append(
            Finding(
                f"{STALL_WORDS[stall['what']]} for {BORNE} s: with {CHOSEN} no call fails",
                not any(a["failed"] for a in chosen.values()),
                f"{sum(a['failed'] for a in chosen.values())} of "
                f"{sum(a['calls'] for a in chosen.values()):,}; "
                f"{sum(a['opened'] for a in chosen.values())} connections opened anew",
            )
        )
    through, direct = (result["pings"][way] for way in ("envoy", "direct"))
    found += [
        Finding(
            f"Envoy permits a ping every {CHOSEN.time:g} s",
            not count_failed(through["codes"]) and through["connections"] == 8,
            f"{through['codes'].get('OK', 0)} of 8 quiet streams whole, on "
            f"{through['connections']} connections; the server saw no ping",
        ),
        Finding(
            "straight to a server with gRPC's default policy the same pings end connections",
            count_failed(direct["codes"]) > 0,
            "; ".join(sorted({f["message"] for f in direct["failures"]}))[:200] or "none was ended",
            control=True,
        ),
    ]
    return found


def draw(result: Result) -> dict[str, Figure]:
    """Failed calls by second after the loss, for each keepalive."""
    shown = 60
    with plots.panels(
        *(f"grpc-go, {policy}: calls that fail, by second of sending" for policy in POLICIES),
        height=2.8,
    ) as (figure, axes):
        for policy, each in zip(POLICIES, axes, strict=True):
            series: dict[str, plots.Points] = {}
            for keepalive in KEEPALIVES:
                lost = _lost(result, "grpc-go", policy, keepalive)["by_second"][:shown]
                rate = FAMILIES["grpc-go"].rate
                series[str(keepalive or "none")] = (
                    list(range(len(lost))),
                    [100 * failed / rate for failed in lost],
                )
            events = [("endpoint removed", losses.NODE_MONITOR_GRACE)]
            plots.lines(each, series, y_label="percent", events=events, steps=True)
        last: Any = axes[-1]
        last.set(xlabel="seconds after the loss")
    return {"lost_envoy": figure}


def tell(result: Result) -> str:
    """The page's text."""
    period = result["lost"]["period"]
    lines = [
        f"One of {ENVOYS} Envoys is silent from one moment to the next. Its kubelet is gone too, "
        f"so the pod is marked not ready only after {losses.NODE_MONITOR_GRACE:.0f} s, by the "
        "[node controller](https://github.com/kubernetes/kubernetes/pull/126287); then it leaves "
        "the endpoints, and DNS. True times, all clients side by side, a deadline of 14.5 s. The "
        f"calls of the {period} s after the loss:",
        "",
        "| client | keepalive (time / timeout) | its connections on that Envoy | failed | of "
        "| the last after |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for family, spec in FAMILIES.items():
        for policy in POLICIES:
            for keepalive in spec.keepalives:
                lost = _lost(result, family, policy, keepalive)
                held = lost["held"] if policy == "pick_first" else 1 / ENVOYS
                lines.append(_row(f"{family}, {policy}", keepalive, lost, held))
    retried = result["lost"]["clients"][RETRYING]
    lines.append(_row("grpc-go, round_robin, `idempotent`", CHOSEN, retried, 1 / ENVOYS))
    lines += ["", *_stalls(result), "", *_conclusions()]
    return "\n".join(lines)


def _row(client: str, keepalive: Keepalive | None, lost: Result, held: float) -> str:
    return (
        f"| {client} | {keepalive or 'none'} | {100 * held:.0f} % "
        f"| {percent(lost):.2f} % ({lost['failed']:,}) | {lost['calls']:,} "
        f"| {lost['until']:.0f} s |"
    )


def _stalls(result: Result) -> list[str]:
    shown = [keepalive for keepalive in KEEPALIVES if keepalive]
    lines = [
        "What must not make a client leave: calls that fail, and connections that grpc-go opened "
        "anew (of its 18 by `round_robin` and 24 by `pick_first`):",
        "",
        f"| stall | {' | '.join(map(str, shown))} | C-core, {CHOSEN} |",
        f"| --- | {' | '.join('---' for _ in shown)} | --- |",
    ]
    for stall in result["stalls"]:
        cells: list[str] = []
        for keepalive in shown:
            each = [stall["clients"][client_name("grpc-go", p, keepalive)] for p in POLICIES]
            failed, opened = (sum(a[key] for a in each) for key in ("failed", "opened"))
            cells.append(f"{failed} failed, {opened} opened")
        ccore = (stall["clients"][client_name("C-core", p, CHOSEN)] for p in POLICIES)
        cells.append(f"{sum(a['failed'] for a in ccore)} failed")
        lines.append(
            f"| {STALL_WORDS[stall['what']]} for {stall['seconds']} s | {' | '.join(cells)} |"
        )
    return lines


def _conclusions() -> list[str]:
    return [
        "The timeout decides, whatever the time: gRPC also has TCP give up on what it has sent and "
        "is not acknowledged for so long (TCP_USER_TIMEOUT, "
        "[gRFC A18](https://github.com/grpc/proposal/blob/master/A18-tcp-user-timeout.md)). So a "
        "client that sends leaves after the timeout; the time counts only for one that waits and "
        "sends nothing. Where the kernel still acknowledges, as for processes that stand still, "
        "only the unanswered ping counts, after both together.",
        "",
        f"A timeout bears stalls that are shorter, and {CHOSEN} has the longest of these under the "
        "goal. The calls that fail until a client leaves fail with UNAVAILABLE, and the clients of "
        "an `idempotent` service try them again at another Envoy. "
        "Without keepalive the calls go on failing until a connection to another Envoy reaches its "
        "age and the name is looked up again, or for TCP's 15 minutes.",
    ]


LOST_ENVOY = Experiment(
    title="Lost Envoy",
    question="How soon do clients leave an Envoy whose node is lost, and what does that cost?",
    run=run,
    findings=findings,
    draw=draw,
    tell=tell,
    shortened=False,
)
