"""Few and many connections: what an idle one costs Envoy, in plaintext and over TLS."""

import statistics
from typing import Any

from matplotlib.figure import Figure

from experiments import plots
from experiments.experiment import Experiment, Finding, Result, count_failed
from experiments.lab import ZONE, Lab
from grpc_platform.conventions import CONTOUR_NAMESPACE
from grpc_platform.quantities import memory_bytes
from grpc_platform.specs import EnvoySpec
from testbed.disruptions import operations
from testbed.load.certificate import provide_certificate
from testbed.load.sampler import Sampler, of_kind

SIZES = (1_000, 20_000)
"""Connections of two Envoys together: a process may open 20,000 files here."""
_QUICK_SIZES = (100, 1_000)
ENVOYS = 2
_CLIENTS = 2
_OPENED = 400  # connections a second that both clients together open
_CALLS = 20  # calls/s of each client: its connections are idle
_LONG = "10m"  # a connection's age: none ends during a measurement
_SECURE = "secure"


def run(lab: Lab) -> Result:
    """Fresh Envoys for each way and size, since none gives memory back soon."""
    ca = provide_certificate(lab.cluster, f"{_SECURE}-tls", f"{_SECURE}.{ZONE}")
    selector = {"app.kubernetes.io/name": "load"}
    lab.deploy(
        envoy={"min_replicas": ENVOYS, "max_replicas": ENVOYS},
        contour={"timeouts": {"max_connection_duration": _LONG, "connection_idle_timeout": _LONG}},
        services={_SECURE: {"tls_secret": f"{_SECURE}-tls", "selector": selector}},
    )
    ways: dict[str, tuple[str, tuple[str, ...]]] = {
        "plain": (lab.target(), ()),
        "tls": (f"{_SECURE}.{ZONE}:{EnvoySpec().https_port}", (f"--ca={ca}",)),
    }
    rows: list[Result] = []
    for way, (target, flags) in ways.items():
        for size in _QUICK_SIZES if lab.quick else SIZES:
            lab.say(f"{size:,} connections, {way}")
            rows.append({"way": way, "connections": size, **_measure(lab, target, flags, size)})
    return {"rows": rows, "envoys": ENVOYS}


def _measure(lab: Lab, target: str, flags: tuple[str, ...], size: int) -> Result:
    for pod in lab.envoys():
        lab.cluster.kubectl("delete", "pod", "-n", CONTOUR_NAMESPACE, pod, "--force")
    operations.resize_fleet(lab.cluster, ENVOYS)
    lab.wait_for_name()
    before = _memory(lab)
    took = max(2, size // _OPENED)
    clients = [
        lab.client(
            f"--channels={size // _CLIENTS}",
            f"--rate={_CALLS}",
            f"--start-over={took}s",
            "--deadline=60s",
            "--duration=10m",
            "--policy=pick_first",
            *flags,
            targets={"envoy": target},
        )
        for _ in range(_CLIENTS)
    ]
    for client in clients:
        lab.wait_until_running(client)
    with Sampler(lab.cluster) as opening:
        lab.pause(took + 5)
    with Sampler(lab.cluster) as idle:
        lab.pause(5)
    after = _memory(lab)
    reports = [client.stop()["targets"]["envoy"] for client in clients]
    opened = sum(report["connections"] for report in reports)
    cpu = [sum(of_kind(sample["cpu"], "envoy")) for sample in opening.samples]
    return {
        "opened": opened,
        "kib_each": 1024 * (after - before) / max(1, opened),
        "mib": after,
        "cpu_opening": 1e6 * sum(cpu) / max(1, opened),
        "cpu_idle": statistics.mean(
            sum(of_kind(sample["cpu"], "envoy")) for sample in idle.samples
        ),
        "codes": [report["codes"] for report in reports],
    }


def _memory(lab: Lab) -> float:
    """MiB of all Envoys."""
    with Sampler(lab.cluster) as sampler:
        lab.pause(3)
    return sum(of_kind(sampler.samples[-1]["mebibytes"], "envoy"))


def findings(result: Result) -> list[Finding]:
    """The claims about connections."""
    rows = result["rows"]
    failed = count_failed(*(codes for row in rows for codes in row["codes"]))
    most = max(rows, key=lambda row: row["kib_each"] * (row["connections"] >= 1000))
    fit = memory_bytes(EnvoySpec().memory) / 1024 / most["kib_each"]
    largest = {row["way"]: row for row in rows}
    missing = sum(max(0, row["connections"] - row["opened"]) for row in rows)
    return [
        Finding(
            "all connections are opened and stay",
            not missing,
            f"{missing} were not; {largest['plain']['opened']:,} in plaintext",
        ),
        Finding("no call fails", not failed, f"{failed} failed"),
        Finding(
            "a TLS connection costs more memory than one in plaintext",
            largest["tls"]["kib_each"] > largest["plain"]["kib_each"],
            f"{largest['tls']['kib_each']:.0f} KiB, {largest['plain']['kib_each']:.0f} KiB",
            control=True,
        ),
        Finding(
            "an Envoy's default memory holds 10,000 idle connections",
            fit >= 10_000,
            f"{fit:,.0f} at {most['kib_each']:.0f} KiB each ({most['way']})",
        ),
    ]


def draw(result: Result) -> dict[str, Figure]:
    """Memory of a connection."""
    rows = result["rows"]
    sizes = sorted({row["connections"] for row in rows})
    series: dict[str, Any] = {
        way: [
            plots.Bar(value=row["kib_each"])
            for size in sizes
            for row in rows
            if (row["way"], row["connections"]) == (way, size)
        ]
        for way in ("plain", "tls")
    }
    with plots.panels("Envoy's memory for an idle connection") as (figure, (axes,)):
        plots.bars(axes, [f"{size:,}" for size in sizes], series, y_label="KiB")
    return {"connections": figure}


def tell(result: Result) -> str:
    """The page's text."""
    lines = [
        f"Connections from {_CLIENTS} clients to {result['envoys']} fresh Envoys, opened at "
        f"{_OPENED} a second and then nearly idle.",
        "",
        "| connections | | memory each | CPU to open one | CPU of all when idle |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {row['opened']:,} | {row['way']} | {row['kib_each']:.0f} KiB "
        f"| {row['cpu_opening']:.0f} µs | {row['cpu_idle']:.2f} cores |"
        for row in result["rows"]
    ]
    return "\n".join(lines)


CONNECTIONS = Experiment(
    title="Few and many connections",
    question="What does an idle connection cost an Envoy?",
    run=run,
    findings=findings,
    draw=draw,
    tell=tell,
)
