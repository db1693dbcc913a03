"""Series: how many time series the platform's metrics are, by number of services."""

import re
import statistics
import time
from collections import Counter
from collections.abc import Sequence

from matplotlib.figure import Figure

from experiments import plots
from experiments.dashboards_page import used_metrics
from experiments.experiment import Experiment, Finding, Result
from experiments.growth import SIZES, bundles, wait_until_routed
from experiments.lab import PLATFORM, ZONE, Lab
from grpc_platform.conventions import (
    CONTOUR_METRICS_PORT,
    ENVOY_METRICS_PORT,
    EXTERNAL_DNS_METRICS_PORT,
    EXTERNAL_DNS_NAMESPACE,
)
from testbed.cluster import deploy
from testbed.cluster.control_plane import PYTHON
from testbed.disruptions.pods import of_app

_SERVICE = re.compile(r'envoy_cluster_name="([^"]+)"')
_HOSTS_AT_ONCE = 250  # command lines have a limit


def run(lab: Lab) -> Result:
    """Add services up to each size, call each of them through each Envoy, and count what Envoy,
    Contour and external-dns export."""
    lab.deploy(envoy={"min_replicas": 2, "max_replicas": 2})
    used = used_metrics()
    rows: list[Result] = []
    made = 0
    for size in SIZES[:2] if lab.quick else SIZES:
        lab.say(f"{size} services")
        names = [f"service-{number:04}" for number in range(made, size)]
        deploy.apply(lab.cluster, bundles(lab, names))
        missing = wait_until_routed(lab, names)
        called = [name for name in names if name not in missing]
        idle = _scrape(lab)
        _call(lab, called)
        made = size
        text, seconds = _timed(lab)
        rows.append(
            {
                "services": size,
                "missed": len(missing),
                "idle_service": _of_one(idle, called),
                "used_service": _of_one(text, called),
                "envoy": samples(text).total(),
                "envoy_used": sum(name in used for name in samples(text).elements()),
                "megabytes": len(text) / 1e6,
                "seconds": seconds,
                "contour": _largest(lab, PLATFORM[1], "contour", CONTOUR_METRICS_PORT),
                "external_dns": _largest(
                    lab, EXTERNAL_DNS_NAMESPACE, "external-dns", EXTERNAL_DNS_METRICS_PORT
                ),
            }
        )
    return {"rows": rows, "used": sorted(used)}


def samples(text: str) -> "Counter[str]":
    """How many series each metric has in an exposition."""
    lines = (line for line in text.splitlines() if line and not line.startswith("#"))
    return Counter(re.split(r"[{ ]", line, maxsplit=1)[0] for line in lines)


def _scrape(lab: Lab) -> str:
    envoy = next(iter(lab.envoys().values()))
    return lab.read([envoy], ENVOY_METRICS_PORT, "stats/prometheus")[envoy]


def _timed(lab: Lab) -> tuple[str, float]:
    began = time.monotonic()
    return _scrape(lab), time.monotonic() - began


def _call(lab: Lab, names: Sequence[str]) -> None:
    for address in lab.envoys().values():
        for first in range(0, len(names), _HOSTS_AT_ONCE):
            hosts = [f"{name}.{ZONE}" for name in names[first : first + _HOSTS_AT_ONCE]]
            once = (PYTHON, "-m", "testbed.load.once", f"{address}:{lab.http_port}")
            lab.cluster.inside(*once, *hosts, timeout=300)


def _of_one(text: str, names: Sequence[str]) -> float:
    """The median number of series of one of these services."""
    count = Counter(_SERVICE.findall(text))
    return statistics.median(count[f"default_{name}_50051"] for name in names)


def _largest(lab: Lab, namespace: str, app: str, port: int) -> int:
    """The most series of any pod of an application."""
    addresses = [pod["status"]["podIP"] for pod in of_app(lab.cluster, app, namespace)]
    return max(samples(t).total() for t in lab.read(addresses, port, "metrics").values())


def formula(result: Result) -> tuple[float, float]:
    """The series of one Envoy without services, and those that each service in use adds."""
    first, last = result["rows"][0], result["rows"][-1]
    each = (last["envoy"] - first["envoy"]) / (last["services"] - first["services"])
    return first["envoy"] - each * first["services"], each


def findings(result: Result) -> list[Finding]:
    """The claims about series."""
    base, each = formula(result)
    worst = max(abs(base + each * r["services"] - r["envoy"]) / r["envoy"] for r in result["rows"])
    last = result["rows"][-1]
    kept = last["envoy_used"]
    return [
        Finding(
            "the series of an Envoy are a constant and a number for each service",
            worst < 0.05,
            f"{base:,.0f} + {each:,.0f} for each; at most {worst:.1%} off",
        ),
        Finding(
            "a service that was called has more series than one that was not",
            all(row["used_service"] > row["idle_service"] for row in result["rows"]),
            f"{last['used_service']:.0f} and {last['idle_service']:.0f}",
            control=True,
        ),
        Finding(
            "the rules and dashboards read a small part of them",
            kept <= 0.15 * last["envoy"],
            f"{kept:,} of {last['envoy']:,}",
            binding=False,
        ),
    ]


def draw(result: Result) -> dict[str, Figure]:
    """Series of an Envoy, by number of services."""
    rows = result["rows"]
    labels = [f"{row['services']:,}" for row in rows]
    series = {
        "all": [plots.Bar(value=row["envoy"] / 1000) for row in rows],
        "read by rules and dashboards": [plots.Bar(value=row["envoy_used"] / 1000) for row in rows],
    }
    with plots.panels("Time series of one Envoy") as (figure, (axes,)):
        plots.bars(axes, labels, series, y_label="thousands", x_label="services")
    return {"series": figure}


def tell(result: Result) -> str:
    """The page's text."""
    base, each = formula(result)
    lines = [
        "Services as in Growth, each called once through each of two Envoys. Envoy exports all its "
        "counters, used or not, and each histogram with 20 buckets.",
        "",
        "| services | an Envoy | read by rules and dashboards | one service: not called, called | "
        "a scrape | a Contour | external-dns |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {row['services']:,} | {row['envoy']:,} "
        f"| {row['envoy_used']:,} "
        f"| {row['idle_service']:.0f}, {row['used_service']:.0f} "
        f"| {row['megabytes']:.1f} MB, {row['seconds']:.1f} s "
        f"| {row['contour']:,} | {row['external_dns']:,} |"
        for row in result["rows"]
    ]
    lines += ["", f"One Envoy has {base:,.0f} series and {each:,.0f} more for each service."]
    return "\n".join(lines)


SERIES = Experiment(
    title="Time series",
    question="How many time series does Prometheus store for an Envoy and for a service?",
    run=run,
    findings=findings,
    draw=draw,
    tell=tell,
)
