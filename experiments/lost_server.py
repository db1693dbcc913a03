"""Lost server: what Envoy makes of a server whose node is lost, by the retries of its Ingress."""

import time
from dataclasses import dataclass, field
from typing import Any

from matplotlib.figure import Figure

from experiments import plots
from experiments.experiment import Experiment, Finding, Result
from experiments.lab import Lab
from experiments.lost_nodes import DEADLINE, account, lose_node, percent, settle, stop
from grpc_platform.conventions import CONTOUR_NAMESPACE
from testbed.disruptions import losses, pods

ENVOYS = 2
SERVERS = 3
PERIOD = 100
"""Seconds after the loss whose calls are counted: Envoys drop a server with its endpoint."""
_QUICK_PERIOD = 70
_KILLED_PERIOD = 15
_RATE = 100  # calls/s of each client


@dataclass(frozen=True, kw_only=True)
class Retries:
    """A service's retries by Envoy."""

    what: str
    keys: dict[str, Any] = field(default_factory=dict[str, Any])
    """Of the service in the stack file."""
    annotations: dict[str, str] = field(default_factory=dict[str, str])
    """Of the Ingress, without their prefix, over those that the keys make."""


def _idempotent(try_timeout: str) -> dict[str, Any]:
    return {"idempotent": True, "try_timeout": try_timeout}


_UNBEGUN = {"retry-on": "connect-failure,refused-stream", "num-retries": "2"}
_LIMITED = {"circuit_breakers": {"max_retries": 3}}
SERVICES = {
    "load": Retries(what="none, as by default"),
    "unbegun": Retries(
        what=f"2, of what no server has begun (`{_UNBEGUN['retry-on']}`)",
        keys={"circuit_breakers": {"max_retries": 1_000}},
        annotations=_UNBEGUN,
    ),
    "idempotent": Retries(what="`idempotent`", keys={"idempotent": True}),
    "limited": Retries(
        what="`idempotent`, `try_timeout: 2s`, 3 in flight (Envoy's own limit)",
        keys=_idempotent("2s") | _LIMITED,
    ),
    "two": Retries(
        what="`idempotent`, `try_timeout: 2s`, 2 retries in place of 4",
        keys=_idempotent("2s"),
        annotations={"num-retries": "2"},
    ),
    "fast": Retries(what="`idempotent`, `try_timeout: 1s`", keys=_idempotent("1s")),
    "chosen": Retries(what="`idempotent`, `try_timeout: 2s`", keys=_idempotent("2s")),
}
PATIENCE = {"as it is": None, "3": 3}
"""net.ipv4.tcp_retries2 in Envoy's pods: how often TCP sends again before it gives up; 15 in
Linux."""


def run(lab: Lab) -> Result:
    """Lose a server's node, then kill another server; a client for each service, side by side."""
    services = {
        name: {"selector": {"app.kubernetes.io/name": "load"}, **retries.keys}
        for name, retries in SERVICES.items()
    }
    lab.serve(SERVERS)
    lab.deploy(envoy={"min_replicas": ENVOYS, "max_replicas": ENVOYS}, services=services)
    for name, retries in SERVICES.items():
        values = [f"projectcontour.io/{key}={value}" for key, value in retries.annotations.items()]
        if values:
            lab.cluster.kubectl("annotate", "--overwrite", "ingress", name, *values)
    return {name: _lose(lab, retries) for name, retries in PATIENCE.items()}


def _lose(lab: Lab, tcp_retries: int | None) -> Result:
    if tcp_retries is not None:
        _be_impatient(lab, tcp_retries)
    clients = {
        name: lab.client(
            "--policy=round_robin",
            "--channels=4",
            f"--rate={_RATE}",
            DEADLINE,
            targets={"envoy": lab.target(name)},
        )
        for name in SERVICES
    }
    settle(lab, clients)
    period = _QUICK_PERIOD if lab.quick else PERIOD
    found = pods.of_app(lab.cluster, "load", "default")
    lost, killed = (pod["metadata"]["name"] for pod in found[:2])
    lab.say("a server's node is lost")
    began = lose_node(lab, lost, "default", period)
    losses.delete_now(lab.cluster, lost, "default")
    _wait_for_servers(lab)
    lab.pause(5)
    lab.say("a server is killed")
    killed_at = time.time()
    losses.kill(lab.cluster, killed, "load", "default")
    lab.pause(_KILLED_PERIOD)
    reports = stop(clients)
    _wait_for_servers(lab)
    return {
        "period": period,
        "clients": {
            name: {
                "lost": account(report, began, period),
                "killed": account(report, killed_at, _KILLED_PERIOD),
                "codes": report["codes"],
                "slow": report["slow"],
            }
            for name, report in reports.items()
        },
    }


def _be_impatient(lab: Lab, tcp_retries: int) -> None:
    for envoy in lab.envoys():
        write = ("sh", "-c", f"echo {tcp_retries} >/proc/sys/net/ipv4/tcp_retries2")
        pods.run_in_network(lab.cluster, CONTOUR_NAMESPACE, envoy, "envoy", *write)


def _wait_for_servers(lab: Lab) -> None:
    def whole() -> bool:
        return sum(map(pods.ready, pods.of_app(lab.cluster, "load", "default"))) == SERVERS

    lab.cluster.wait("the servers to be ready", whole)


def _lost(result: Result, patience: str, service: str) -> Result:
    return result[patience]["clients"][service]


def findings(result: Result) -> list[Finding]:
    """The claims about retries."""
    plain = _lost(result, "as it is", "load")
    kept = _lost(result, "as it is", "chosen")
    reset = _lost(result, "as it is", "idempotent")
    return [
        Finding(
            "a server's node is lost, without retries: calls are lost until its endpoint goes",
            plain["lost"]["failed"] > 0,
            f"{percent(plain['lost']):.1f} % of the calls of {result['as it is']['period']} s, the "
            f"last sent {plain['lost']['until']:.0f} s after the loss",
            control=True,
        ),
        Finding(
            f"with {SERVICES['chosen'].what} hardly any is",
            kept["lost"]["failed"] < 0.01 * plain["lost"]["failed"],
            f"{kept['lost']['failed']:,} of {kept['lost']['calls']:,}, {kept['slow']:,} late",
        ),
        Finding(
            f"a server is killed: with {SERVICES['idempotent'].what} no call is lost",
            not reset["killed"]["failed"],
            f"{reset['killed']['failed']}; {plain['killed']['failed']} without",
        ),
    ]


def draw(result: Result) -> dict[str, Figure]:
    """Failed calls by second after the loss, by the service's retries."""
    with plots.panels(
        *(f"calls that fail, tcp_retries2 {patience}" for patience in PATIENCE), height=2.8
    ) as (figure, axes):
        for patience, each in zip(PATIENCE, axes, strict=True):
            series: dict[str, plots.Points] = {}
            for name in SERVICES:
                failed = _lost(result, patience, name)["lost"]["by_second"]
                series[name] = (list(range(len(failed))), [100 * n / _RATE for n in failed])
            plots.lines(
                each,
                series,
                y_label="percent",
                x_label="seconds after the loss",
                events=[("endpoint removed", losses.NODE_MONITOR_GRACE)],
                steps=True,
            )
    return {"lost_server": figure}


def tell(result: Result) -> str:
    """The page's text."""
    period = result["as it is"]["period"]
    lines = [
        f"One of {SERVERS} servers is silent from one moment to the next, behind {ENVOYS} Envoys; "
        f"its endpoint goes {losses.NODE_MONITOR_GRACE:.0f} s later. Unary calls by round_robin, "
        f"{_RATE}/s to each service, deadline 14.5 s. The calls of the {period} s after the loss, "
        f"and of the {_KILLED_PERIOD} s after another server was killed (SIGKILL):",
        "",
        "| retries by Envoy | its tcp_retries2 | failed | until | late | a server killed: failed |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for patience in PATIENCE:
        for name, retries in SERVICES.items():
            each = _lost(result, patience, name)
            lost = each["lost"]
            lines.append(
                f"| {retries.what} | {patience} | {percent(lost):.2f} % ({lost['failed']:,}) "
                f"| {lost['until']:.0f} s | {each['slow']:,} | {each['killed']['failed']} |"
            )
    return "\n".join([*lines, "", *_conclusions()])


def _conclusions() -> list[str]:
    return [
        "Envoy has no means to notice a silent server: for an Ingress "
        "[Contour 1.33](https://github.com/projectcontour/contour/blob/release-1.33/internal/envoy/"
        "v3/cluster.go) sets neither health checks nor outlier detection, and for no service "
        "keepalive. Its connect timeout counts for new connections only. So the share of the "
        "lost server fails until its endpoint goes, unless calls are tried again: `try_timeout` "
        "makes them late instead. A second try may pick the same server, so two retries leave one "
        "call in 27 of that time; and Envoy's own limit of 3 retries in flight leaves nearly all. "
        "A `try_timeout` that is shorter than an answer takes runs that call up to five times.",
        "",
        "With tcp_retries2 at 3 the kernel of Envoy's pods gives the connection up after 3 s. From "
        "then on the calls fail that were to open a new one, and those can be tried again even "
        "if they are not idempotent. It is an unsafe sysctl for Kubernetes, so the stack does not "
        "set it.",
    ]


LOST_SERVER = Experiment(
    title="Lost server",
    question="What does Envoy make of a server whose node is lost, and do retries help?",
    run=run,
    findings=findings,
    draw=draw,
    tell=tell,
    shortened=False,
)
