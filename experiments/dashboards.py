"""Dashboards: every query of every panel, asked of a Prometheus that watched a busy platform."""

import re
import time
from collections.abc import Callable, Iterator

from experiments import dashboard_figures, service_breaks, steps
from experiments.alerts import pod_monitors, scope_of
from experiments.dashboard_queries import SERVICE, Asked
from experiments.experiment import Experiment, Finding, Result
from experiments.lab import STACK, ZONE, Lab
from experiments.steps import ENVOYS
from grpc_platform.monitoring import grafana, rules
from testbed.disruptions import operations
from testbed.load.clients import Client
from testbed.monitoring.parts import KUBE_STATE_METRICS, PROMETHEUS
from testbed.monitoring.watch import watch

_SCRAPES = 30.0  # seconds between scrapes, at the true times
_POINTS = 5.0  # seconds between the points of a panel
_QUIET = 20.0  # seconds before, between and after the events
_NOBODY_EXPORTS = "sum(rate(envoy_cluster_nothing[$__rate_interval]))"
_OF_STATUS = re.compile(r"envoy_cluster_grpc_\d+\{")
_CLIENTS: dict[str, tuple[str, ...]] = {
    "load": ("--policy=round_robin", "--channels=12", "--rate=300"),
    "streams": ("--policy=round_robin", "--channels=12", "--stream=20s", "--interval=200ms"),
    "slow": ("--policy=round_robin", "--rate=5"),
    "failing": ("--policy=round_robin", "--rate=2"),
    "tight": ("--policy=round_robin", "--channels=3", "--rate=50"),
}
"""The client of each service; those of `service_breaks` fail or are slow on purpose."""
EVENTS: tuple[tuple[str, Callable[[Lab], None]], ...] = (
    ("an Envoy is added", lambda lab: operations.resize_fleet(lab.cluster, ENVOYS + 1)),
    ("an Envoy is taken away", lambda lab: operations.resize_fleet(lab.cluster, ENVOYS)),
    ("two services get retries", steps.retries(True)),
    ("a server is killed", steps.kill_server),
    ("every Envoy is replaced", steps.roll_envoys),
    ("every Contour is replaced", steps.roll_contour),
    ("every server is replaced", steps.roll_servers),
)


def run(lab: Lab) -> Result:
    """Call a platform while its fleet scales, drains and rolls, then ask every query of every
    panel about that time."""
    lab.deploy(
        envoy={"min_replicas": ENVOYS, "max_replicas": ENVOYS + 1},
        services=service_breaks.SERVICES,
    )
    service_breaks.serve(lab)
    scope = scope_of(lab.factor)
    interval = _SCRAPES / lab.factor
    monitoring = watch(
        lab.cluster,
        pod_monitors=pod_monitors(lab),
        groups=rules.groups(scope),
        name=f"{STACK}.{ZONE}",
        probe_job=scope.dns_probe_job,
        interval=interval,
    )
    clients = [*_start_clients(lab)]
    for client in clients:
        lab.wait_until_running(client)
    began = time.time()
    lab.pause(_QUIET, "calls")
    events: list[tuple[str, float]] = []
    for what, act in EVENTS[:2] if lab.quick else EVENTS:
        lab.say(what)
        events.append((what, time.time() - began))
        act(lab)
        lab.wait_until_settled()
        lab.pause(_QUIET)
    asked = Asked(
        monitoring=monitoring, since=began, until=time.time(), step=_POINTS, interval=interval
    )
    for client in clients:
        client.stop()
    lab.say("the panels' queries")
    return {
        "service": SERVICE,
        "step": _POINTS,
        "events": events,
        "dashboards": {
            name.removesuffix(".json"): asked.dashboard(text)
            for name, text in grafana.dashboards().items()
        },
        "control": len(asked.points(_NOBODY_EXPORTS)[0]),
    }


def _start_clients(lab: Lab) -> Iterator[Client]:
    for service, arguments in _CLIENTS.items():
        yield lab.client(*arguments, targets={"envoy": lab.target(service)})
    yield lab.client("--rate=1", f"--authority=unknown.{ZONE}")


def findings(result: Result) -> list[Finding]:
    """Two for each dashboard."""
    found: list[Finding] = []
    for name, board in result["dashboards"].items():
        queries = [
            (panel["title"], query)
            for row in board["rows"]
            for panel in row["panels"]
            for query in panel["queries"]
        ]
        # Envoy has a metric for each status, from the first such call on.
        always = [each for each in queries if not _OF_STATUS.search(each[1]["expr"])]
        silent = sorted({title for title, query in always if not _answered(query)})
        statuses = sum(_answered(query) for _, query in queries) - len(always)
        found.append(
            Finding(
                f"every query of the dashboard {name} returns data",
                not silent,
                f"no data: {', '.join(silent)}"
                if silent
                else f"all {len(always)}, and {statuses} of those by status",
            )
        )
        empty = sorted(what for what, values in board["variables"].items() if not values)
        choices = "; ".join(f"{what}: {len(v)}" for what, v in board["variables"].items())
        found.append(
            Finding(f"every variable of the dashboard {name} has choices", not empty, choices)
        )
    found.append(
        Finding(
            "a query of a metric that nobody exports returns nothing",
            not result["control"],
            f"{result['control']} series",
            control=True,
        )
    )
    return found


def _answered(query: Result) -> bool:
    return any(value is not None for series in query["series"] for value in series["values"])


def tell(result: Result) -> str:
    """The page's text."""
    events = ", ".join(f"{what} after {at:.0f} s" for what, at in result["events"])
    return (
        f"Every query of both dashboards, asked of a real Prometheus that scraped the platform: "
        f"{events}. [Dashboards](../dashboards.md) shows each panel as it was."
    )


DASHBOARDS = Experiment(
    title="Dashboards",
    question="Does every query of every panel return data?",
    run=run,
    findings=findings,
    draw=dashboard_figures.draw,
    tell=tell,
    parts=(PROMETHEUS, KUBE_STATE_METRICS),
    page="dashboards.md",
)
