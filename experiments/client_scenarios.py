"""What is done to the example clients of `clients`, and what the calls are."""

from collections.abc import Callable
from dataclasses import dataclass

from experiments import steps
from experiments.lab import PLATFORM, Lab
from experiments.lost_nodes import lose_node
from grpc_platform.conventions import CONTOUR_NAMESPACE
from testbed.cluster import readiness
from testbed.disruptions import losses, operations

GREETER, TICKER = "greeter", "ticker"
RATE = 10
"""Calls per second of each client, where the scenario says no other."""
CALLS = ("--rate", str(RATE))
MESSAGE_BYTES = 3_900_000
"""Of a request and of its answer; gRPC's limit for a received message is 4 MiB."""
DNS_AWAY = 30
CONTOUR_AWAY = 30
_IDLE_SECONDS = 75
"""Between two calls: Envoy closes a connection that was idle for a minute."""

Act = Callable[[Lab, str], str]
"""Does it, given the address of an Envoy that carries calls; returns the address of the Envoy that
is new or lost, or nothing."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """What happens to the platform while clients call."""

    name: str
    what: str
    act: Act
    lossless: bool = True
    """With the contract no call fails, and none is late."""
    service: str = GREETER
    arguments: Callable[[Lab], tuple[str, ...]] = lambda _: CALLS
    after: Callable[[Lab], float] = lambda lab: 1.5 * lab.times.reconnect_interval.total_seconds()
    """Seconds that clients go on when the platform has settled."""
    prepare: steps.Step = steps.nothing
    restore: steps.Step = steps.nothing


def _plain(step: steps.Step) -> Act:
    def act(lab: Lab, _: str) -> str:
        step(lab)
        return ""

    return act


def _scale_out(lab: Lab, _: str) -> str:
    before = set(lab.envoys().values())
    steps.scale_out(lab)
    (new,) = set(lab.envoys().values()) - before
    lab.wait_for_name()
    return new


def _kill(lab: Lab, address: str) -> str:
    losses.kill(lab.cluster, _pod(lab, address), "envoy")
    return address


def _lose_node(lab: Lab, address: str) -> str:
    pod = _pod(lab, address)
    lose_node(lab, pod, CONTOUR_NAMESPACE, losses.NODE_MONITOR_GRACE + 20)
    losses.delete_now(lab.cluster, pod)
    return address


def _pod(lab: Lab, address: str) -> str:
    return next(pod for pod, of in lab.envoys().items() if of == address)


def _lose_contour(lab: Lab, _: str) -> str:
    """Scale Contour to nothing for a while."""
    contour = lab.cluster.get("deployment", *PLATFORM, "contour")
    scale = ("scale", "deployment/contour", *PLATFORM)
    lab.cluster.kubectl(*scale, "--replicas=0")
    lab.pause(CONTOUR_AWAY)
    lab.cluster.kubectl(*scale, f"--replicas={contour['spec']['replicas']}")
    readiness.wait_until_ready(lab.cluster, contour)
    return ""


def _silence_dns(lab: Lab, _: str) -> str:
    processes = map(int, lab.cluster.inside("pgrep", "-x", "coredns").stdout.split())
    losses.freeze(lab.cluster, processes, DNS_AWAY)
    return ""


def _roll_greeter(lab: Lab) -> None:
    operations.restart(lab.cluster, GREETER, "default")


SCENARIOS = (
    Scenario(
        name="scale-out",
        what="an Envoy is added",
        act=_scale_out,
        after=lambda lab: 3 * lab.times.reconnect_interval.total_seconds(),
        prepare=steps.scale_in_and_settle,
    ),
    Scenario(
        name="scale-in",
        what="an Envoy is taken away",
        act=_plain(steps.scale_in),
        restore=steps.scale_out,
    ),
    Scenario(name="rollout", what="every Envoy is replaced", act=_plain(steps.roll_envoys)),
    Scenario(name="server-rollout", what="every server is replaced", act=_plain(_roll_greeter)),
    Scenario(name="contour-away", what=f"Contour is away for {CONTOUR_AWAY} s", act=_lose_contour),
    Scenario(
        name="messages",
        what="connections are renewed (GOAWAY) in the middle of messages of 3.9 MB",
        act=_plain(steps.nothing),
        arguments=lambda _: ("--rate", "0.5", "--message-bytes", str(MESSAGE_BYTES)),
        after=lambda lab: 3 * lab.times.reconnect_interval.total_seconds(),
    ),
    Scenario(
        name="streams",
        what="streams last twice as long as a connection",
        act=_plain(steps.nothing),
        service=TICKER,
        arguments=lambda lab: (
            "--stream",
            f"{2 * lab.times.reconnect_interval.total_seconds():.0f}",
        ),
        after=lambda lab: 4.5 * lab.times.reconnect_interval.total_seconds(),
    ),
    Scenario(
        name="idle",
        what=f"a channel is idle for {_IDLE_SECONDS} s, and then calls",
        act=_plain(steps.nothing),
        arguments=lambda _: ("--rate", f"{1 / _IDLE_SECONDS:.4f}"),
        after=lambda _: 3.5 * _IDLE_SECONDS,
    ),
    Scenario(
        name="dns-away",
        what=f"name servers answer nothing for {DNS_AWAY} s",
        act=_silence_dns,
    ),
    Scenario(name="envoy-killed", what="an Envoy is killed (SIGKILL)", act=_kill, lossless=False),
    Scenario(name="envoy-lost", what="an Envoy's node is lost", act=_lose_node, lossless=False),
)
QUICK = ("server-rollout", "envoy-lost")
