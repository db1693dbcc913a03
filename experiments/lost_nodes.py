"""Lost nodes: an Envoy's and a server's, and what keepalive and retries make of them."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from experiments.experiment import Experiment, Result
from experiments.lab import Lab
from grpc_platform.conventions import CONTOUR_NAMESPACE
from testbed.cluster import apps
from testbed.disruptions import losses, pods
from testbed.load.clients import DIRECT, Client

ENVOYS = 3
SERVERS = 3
PERIOD = 300
"""Seconds after the loss of an Envoy's node."""
SERVER_PERIOD = 100
"""The same for a server's: Envoys leave a server as soon as its endpoint goes."""
_QUICK = 70
_DEADLINE = "--deadline=14.5s"  # the contract's for the default deadline of 15 s


@dataclass(frozen=True)
class Keepalive:
    """A client's settings, in seconds."""

    time: int
    timeout: int

    def __str__(self) -> str:
        return f"{self.time} s / {self.timeout} s"


CHOSEN = Keepalive(10, 5)
KEEPALIVES = (
    None,
    Keepalive(30, 10),
    Keepalive(10, 10),
    CHOSEN,
    Keepalive(10, 3),
    Keepalive(10, 2),
)
POLICIES = ("round_robin", "pick_first")
# By family: calls a second of a client, its channels by policy, and its settings.
_FAMILIES: dict[str, tuple[int, dict[str, int], tuple[Keepalive | None, ...]]] = {
    "grpc-go": (60, {"round_robin": 6, "pick_first": 24}, KEEPALIVES),
    "C-core": (20, {"round_robin": 2, "pick_first": 12}, (None, CHOSEN, Keepalive(10, 2))),
}
STALLS = ("network", "Envoy", "clients")
_STALL_SECONDS = {"network": (1, 2, 3, 4, 8), "Envoy": (2, 4, 8), "clients": (2, 4, 8)}
_AFTER = 15  # seconds after a stall

_UNBEGUN = "connect-failure,refused-stream"
# By name of a service: its retries, and how many may be in flight.
RETRIES: dict[str, tuple[dict[str, str], int | None]] = {
    "load": ({}, None),
    "unbegun": ({"retry-on": _UNBEGUN, "num-retries": "2"}, 1000),
    "limited": (
        {"retry-on": f"reset,{_UNBEGUN}", "num-retries": "2", "per-try-timeout": "2s"},
        None,
    ),
    "slow": ({"retry-on": f"reset,{_UNBEGUN}", "num-retries": "2", "per-try-timeout": "4s"}, 1000),
    "fast": ({"retry-on": f"reset,{_UNBEGUN}", "num-retries": "2", "per-try-timeout": "2s"}, 1000),
    "four": ({"retry-on": f"reset,{_UNBEGUN}", "num-retries": "4", "per-try-timeout": "2s"}, 1000),
}
_SERVICE_RATE = 100
TCP_RETRIES = {"default": None, "3": 3}
"""net.ipv4.tcp_retries2 in Envoy's pods; Linux's default is 15."""


def run(lab: Lab) -> Result:
    """All clients side by side in each part, at true times."""
    services = {
        name: {
            "selector": {"app.kubernetes.io/name": "load"},
            "circuit_breakers": {"max_retries": most} if most else {},
        }
        for name, (_, most) in RETRIES.items()
    }
    lab.serve(SERVERS)
    lab.deploy(envoy={"min_replicas": ENVOYS, "max_replicas": ENVOYS}, services=services)
    for name, (annotations, _) in RETRIES.items():
        if annotations:
            values = [f"projectcontour.io/{key}={value}" for key, value in annotations.items()]
            lab.cluster.kubectl("annotate", "ingress", name, *values)
    return {
        "stalls": _stall(lab),
        "pings": _ping(lab),
        "envoy": _lose_envoy(lab),
        "server": {name: _lose_server(lab, most) for name, most in TCP_RETRIES.items()},
    }


def name_of(family: str, policy: str, keepalive: Keepalive | None) -> str:
    """The name of a client in the result."""
    return f"{family}, {policy}, {keepalive or 'none'}"


def _start(lab: Lab) -> dict[str, Client]:
    """A client for each family, policy and keepalive."""
    clients: dict[str, Client] = {}
    for family, (rate, channels, settings) in _FAMILIES.items():
        for policy in POLICIES:
            for keepalive in settings:
                kept = (
                    (f"--keepalive={keepalive.time}s", f"--keepalive-timeout={keepalive.timeout}s")
                    if keepalive
                    else ()
                )
                clients[name_of(family, policy, keepalive)] = lab.client(
                    f"--policy={policy}",
                    f"--channels={channels[policy]}",
                    f"--rate={rate}",
                    _DEADLINE,
                    *kept,
                    family=family,
                )
    _settle(lab, clients)
    return clients


def _settle(lab: Lab, clients: Mapping[str, Client]) -> None:
    for client in clients.values():
        lab.wait_until_running(client)
    lab.pause(10)


def _stop(clients: Mapping[str, Client]) -> dict[str, Result]:
    for client in clients.values():
        apps.stop_client(client.cluster, client.pod)
    return {name: client.report()["targets"]["envoy"] for name, client in clients.items()}


def account(report: Result, since: float, seconds: float) -> Result:
    """The calls that were sent in that time, and the connections opened in it."""
    windows = [w for w in report["windows"] if since <= w["at"] + 1 and w["at"] < since + seconds]
    bad = [w["at"] - since for w in windows if w["failed"]]
    failed = sum(w["failed"] for w in windows)
    return {
        "calls": failed + sum(w["ok"] for w in windows),
        "failed": failed,
        "until": max(bad) + 1 if bad else 0.0,
        "slowest_ok": max((w["max"] or 0 for w in windows), default=0),
        "opened": sum(w.get("opened", 0) for w in windows),
        "by_second": [w["failed"] for w in windows],
    }


def _stall(lab: Lab) -> list[Result]:
    """Short stalls, from which no client should leave."""
    clients = _start(lab)
    envoy = next(iter(lab.envoys()))
    frozen: dict[str, Callable[[], list[int]]] = {
        "Envoy": lambda: [pods.process(lab.cluster, CONTOUR_NAMESPACE, envoy, "envoy")],
        "clients": lambda: [
            pods.process(lab.cluster, "default", client.pod, apps.CLIENT)
            for client in clients.values()
        ],
    }
    events: list[tuple[str, int, float, float]] = []
    for what in STALLS:
        for seconds in _STALL_SECONDS[what][1:2] if lab.quick else _STALL_SECONDS[what]:
            lab.say(f"a stall of {seconds} s: {what}")
            began = time.time()
            if what == "network":
                losses.stall(lab.cluster, envoy, seconds)
            else:
                losses.freeze(lab.cluster, frozen[what](), seconds)
            lab.pause(_AFTER)
            events.append((what, seconds, began, time.time()))
    reports = _stop(clients)
    return [
        {
            "what": what,
            "seconds": seconds,
            "clients": {name: account(r, began, ended - began) for name, r in reports.items()},
        }
        for what, seconds, began, ended in events
    ]


def _ping(lab: Lab) -> Result:
    """Streams so quiet that each connection pings, through Envoy and past it."""
    lab.say("quiet streams")
    pings = (f"--keepalive={CHOSEN.time}s", f"--keepalive-timeout={CHOSEN.timeout}s")
    quiet = ("--stream=90s", "--interval=45s", "--duration=1s", "--channels=8")
    targets = {"envoy": lab.target("streams"), "direct": DIRECT}
    clients = {
        name: lab.client(*quiet, *pings, targets={name: target}) for name, target in targets.items()
    }
    return {
        name: {
            "codes": told["codes"],
            "connections": told["connections"],
            "failures": told["failures"][:3],
        }
        for name, client in clients.items()
        if (told := client.report()["targets"][name])
    }


def _lose(lab: Lab, pod: str, namespace: str, period: float) -> float:
    """Lose a pod's node and wait for that long. Returns when it fell silent."""
    losses.lose_node(lab.cluster, pod, namespace)
    began = time.time()
    lab.pause(losses.NODE_MONITOR_GRACE)
    losses.mark_not_ready(lab.cluster, pod, namespace)
    lab.pause(began + period - time.time())
    return began


def _lose_envoy(lab: Lab) -> Result:
    lab.say("an Envoy's node is lost")
    clients = _start(lab)
    period = _QUICK if lab.quick else PERIOD
    pod, address = next(iter(lab.envoys().items()))
    began = _lose(lab, pod, CONTOUR_NAMESPACE, period)
    reports = _stop(clients)
    losses.delete_now(lab.cluster, pod)
    lab.cluster.wait("the fleet to be whole", lambda: len(lab.envoys()) == ENVOYS, timeout=120)
    lab.wait_for_name()
    return {
        "period": period,
        "clients": {
            name: account(report, began, period) | {"held": _held(report, began, address)}
            for name, report in reports.items()
        },
    }


def _held(report: Result, since: float, address: str) -> float:
    """The share of the channels whose latest call before then was on that Envoy."""
    last = [w for w in report["windows"] if w["at"] < since - 1][-1]
    return last["holders"].get(address, 0) / max(1, sum(last["holders"].values()))


def _lose_server(lab: Lab, tcp_retries: int | None) -> Result:
    """Lose a server's node; later kill another server. A client for each service."""
    lab.say(f"a server's node is lost, tcp_retries2 {tcp_retries or 'as it is'}")
    if tcp_retries:
        for envoy in lab.envoys():
            process = pods.process(lab.cluster, CONTOUR_NAMESPACE, envoy, "envoy")
            write = f"echo {tcp_retries} >/proc/sys/net/ipv4/tcp_retries2"
            lab.cluster.inside("nsenter", "-t", str(process), "-n", "sh", "-c", write)
    clients = {
        name: lab.client(
            "--policy=round_robin",
            "--channels=4",
            f"--rate={_SERVICE_RATE}",
            _DEADLINE,
            targets={"envoy": lab.target(name)},
        )
        for name in RETRIES
    }
    _settle(lab, clients)
    period = _QUICK if lab.quick else SERVER_PERIOD
    lost, killed = (
        pod["metadata"]["name"] for pod in pods.of_app(lab.cluster, "load", "default")[:2]
    )
    began = _lose(lab, lost, "default", period)
    losses.delete_now(lab.cluster, lost, "default")
    lab.cluster.wait("the servers to be ready", lambda: _ready_servers(lab) == SERVERS)
    lab.pause(5)
    killed_at = time.time()
    losses.kill(lab.cluster, killed, "load", "default")
    lab.pause(_AFTER)
    reports = _stop(clients)
    lab.cluster.wait("the servers to be ready", lambda: _ready_servers(lab) == SERVERS)
    return {
        "period": period,
        "lost": {name: account(report, began, period) for name, report in reports.items()},
        "killed": {name: account(report, killed_at, _AFTER) for name, report in reports.items()},
        "codes": {name: report["codes"] for name, report in reports.items()},
        "slow": {name: report["slow"] for name, report in reports.items()},
    }


def _ready_servers(lab: Lab) -> int:
    return sum(map(pods.ready, pods.of_app(lab.cluster, "load", "default")))


LOST_NODES = Experiment(
    title="Lost nodes",
    question="What does a lost node cost, and what do keepalive and retries make of it?",
    run=run,
    findings=lambda _: [],
    draw=lambda _: {},
    tell=lambda _: "",
    shortened=False,
)
