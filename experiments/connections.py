"""Few and many connections: what an idle one costs Envoy, in plaintext and over TLS, and what many
do that reconnect at one moment."""

import statistics
from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from experiments import herd, plots
from experiments.experiment import Experiment, Finding, Result, count_failed
from experiments.lab import ZONE, Lab
from grpc_platform.conventions import CONTOUR_NAMESPACE
from grpc_platform.quantities import memory_bytes
from grpc_platform.specs import EnvoySpec
from testbed.load.certificate import provide_certificate
from testbed.load.clients import Client
from testbed.load.sampler import Sampler, cores, of_kind

SIZES = (1_000, 20_000)
"""Connections of two Envoys together: a process may open 20,000 files here."""
_QUICK_SIZES = (100, 1_000)
ENVOYS = 2
_CLIENTS = 2
_CALLS = 100  # calls/s of each client over all its connections, which are idle in between
_OPENED = 500  # connections a second that clients open: more would wait for the clients' CPU
_SPREAD = 60  # seconds: a connection's life in the herd, over which the spread herd starts
_QUICK_SPREAD = 20
_SERVICE = "secure"
_WAYS = {"plain": "http.ingress_http", "tls": "http.ingress_https"}
"""With the prefix of Envoy's statistics."""


def run(lab: Lab) -> Result:
    """Fresh Envoys for each way and size, since none gives memory back soon."""
    ca = provide_certificate(lab.cluster, f"{_SERVICE}-tls", f"{_SERVICE}.{ZONE}")
    _deploy(lab, "10m")
    lab.serve(1)
    targets: dict[str, tuple[str, ...]] = {
        "plain": (lab.target(),),
        "tls": (f"{_SERVICE}.{ZONE}:{EnvoySpec().https_port}", f"--ca={ca}"),
    }
    sizes = _QUICK_SIZES if lab.quick else SIZES
    rows: list[Result] = []
    for way, (target, *flags) in targets.items():
        for size in sizes:
            lab.say(f"{size:,} connections, {way}")
            rows.append({"way": way, "connections": size, **_idle(lab, way, target, flags, size)})
    most, spread = sizes[-1], _QUICK_SPREAD if lab.quick else _SPREAD
    _deploy(lab, f"{spread}s")
    herds: Result = {}
    for name, over in (("all at once", spread // 6), ("spread over a period", spread)):
        lab.say(f"a herd of {most:,}, {name}")
        _replace_envoys(lab)
        clients = _start(lab, lab.target(), [], most, over)
        # Some are being opened again at any moment.
        _wait_for(lab, "plain", 0.99 * most)
        herds[name] = herd.reconnects(lab, clients, 1.5 * spread)
    return {
        "envoys": ENVOYS,
        "rows": rows,
        "herd": {"connections": most, "life": spread, "starts": herds},
    }


def _deploy(lab: Lab, age: str) -> None:
    """Two Envoys whose connections live that long, with the true grace: the herd takes longer than
    a tenth of it on two cores that clients and Envoys share."""
    timeouts = {
        "max_connection_duration": age,
        "connection_shutdown_grace_period": "15s",
        "connection_idle_timeout": "1h",
    }
    selector = {"app.kubernetes.io/name": "load"}
    lab.deploy(
        envoy={"min_replicas": ENVOYS, "max_replicas": ENVOYS},
        contour={"timeouts": timeouts},
        services={_SERVICE: {"tls_secret": f"{_SERVICE}-tls", "selector": selector}},
    )


def _start(lab: Lab, target: str, flags: Sequence[str], size: int, over: int) -> list[Client]:
    """Clients with as many connections together, opened over so many seconds. With round_robin
    each channel has one to each Envoy, and opens the next at once when one ends; pick_first waits
    for the next call."""
    clients = [
        lab.client(
            f"--channels={size // (_CLIENTS * ENVOYS)}",
            f"--rate={_CALLS}",
            "--deadline=2m",
            "--duration=1h",
            "--policy=round_robin",
            f"--start-over={over}s",
            # gRPC's own pause: thousands that look up as often as in other experiments need a core.
            "--re-resolve=30s",
            *flags,
            targets={"envoy": target},
        )
        for _ in range(_CLIENTS)
    ]
    for client in clients:
        lab.wait_until_running(client)
    return clients


def _replace_envoys(lab: Lab) -> None:
    for pod in lab.envoys():
        lab.cluster.kubectl("delete", "pod", "-n", CONTOUR_NAMESPACE, pod, "--force")
    lab.resize(ENVOYS)


def _open(lab: Lab, way: str) -> int:
    """Connections that Envoys have."""
    return sum(lab.stat(lab.envoys().values(), f"{_WAYS[way]}.downstream_cx_active").values())


def _wait_for(lab: Lab, way: str, size: float) -> None:
    lab.cluster.wait(
        f"{size:,.0f} connections to be open", lambda: _open(lab, way) >= size, timeout=300
    )


def _idle(lab: Lab, way: str, target: str, flags: Sequence[str], size: int) -> Result:
    _replace_envoys(lab)
    before = _envoys(lab, 3)["mebibytes"]
    clients = _start(lab, target, flags, size, max(2, size // _OPENED))
    _wait_for(lab, way, size)
    lab.pause(2)
    idle = _envoys(lab, 5)
    opened = _open(lab, way)
    reports = [client.stop()["targets"]["envoy"] for client in clients]
    grown = idle["mebibytes"] - before
    return {
        "opened": opened,
        "kib_each": 1024 * grown / opened,
        "cpu": idle["cpu"],
        "codes": [report["codes"] for report in reports],
        "failures": [failure for report in reports for failure in report["failures"][:3]],
    }


def _envoys(lab: Lab, seconds: int) -> dict[str, float]:
    """The memory of all Envoys at the end of so many seconds, and their CPU within them."""
    with Sampler(lab.cluster) as sampler:
        lab.pause(seconds)
    memory = sum(of_kind(sampler.samples[-1]["mebibytes"], "envoy"))
    return {"cpu": cores(sampler.samples, "envoy"), "mebibytes": memory}


def findings(result: Result) -> list[Finding]:
    """The claims about connections."""
    rows, starts = result["rows"], result["herd"]["starts"]
    idle = [codes for row in rows for codes in row["codes"]]
    failed, in_herd = count_failed(*idle), sum(start["failed"] for start in starts.values())
    largest = {row["way"]: row for row in rows}
    missing = sum(max(0, row["connections"] - row["opened"]) for row in rows)
    fit = holds(result)
    together, apart = (max(starts[name]["opened"]) for name in starts)
    return [
        Finding(
            "all connections open, and stay while they are idle",
            not missing,
            f"{missing} of {sum(row['connections'] for row in rows):,} did not",
        ),
        Finding("no call fails on idle connections", not failed, f"{failed} failed"),
        Finding(
            "a TLS connection costs more memory than one in plaintext",
            largest["tls"]["kib_each"] > largest["plain"]["kib_each"],
            f"{largest['tls']['kib_each']:.0f} KiB, {largest['plain']['kib_each']:.0f} KiB",
            control=True,
        ),
        Finding(
            "half of an Envoy's default memory holds 10,000 idle connections",
            fit >= 10_000,
            f"{fit:,.0f} of the dearest",
        ),
        Finding(
            f"{result['herd']['connections']:,} connections that were opened together are opened "
            "together again",
            together >= 2 * apart,
            f"at most {together:,} in one second; spread, {apart:,}",
            control=True,
        ),
        Finding(
            f"no call fails in a herd of {result['herd']['connections']:,}",
            not in_herd,
            f"{in_herd} failed; p99 of the worst second "
            + ", ".join(f"{name} {max(start['p99']):,.0f} ms" for name, start in starts.items()),
        ),
    ]


def kib_each(result: Result) -> float:
    """Memory of an idle connection, of those that cost most."""
    rows = result["rows"]
    most = max(row["connections"] for row in rows)
    return max(row["kib_each"] for row in rows if row["connections"] == most)


def holds(result: Result) -> float:
    """Connections in half of an Envoy's default memory."""
    return memory_bytes(EnvoySpec().memory) / 2 / 1024 / kib_each(result)


def draw(result: Result) -> dict[str, Figure]:
    """Memory of a connection, and the herds."""
    rows = result["rows"]
    sizes = sorted({row["connections"] for row in rows})
    memory: dict[str, Any] = {
        way: [
            plots.Bar(value=row["kib_each"])
            for size in sizes
            for row in rows
            if (row["way"], row["connections"]) == (way, size)
        ]
        for way in _WAYS
    }
    with plots.panels("Envoy's memory for an idle connection") as (figure, (axes,)):
        plots.bars(axes, [f"{size:,}" for size in sizes], memory, y_label="KiB")
    return {"connections": figure, "connections_herd": herd.charts(result["herd"]["starts"])}


def tell(result: Result) -> str:
    """The page's text."""
    lines = [
        f"Connections from {_CLIENTS} clients to {result['envoys']} fresh Envoys, nearly idle "
        f"({_CLIENTS * _CALLS} calls/s over all of them). Memory is what the processes hold.",
        "",
        "| connections | | memory each | CPU of both Envoys while idle |",
        "| --- | --- | --- | --- |",
    ]
    lines += [
        f"| {row['opened']:,} | {'TLS' if row['way'] == 'tls' else 'plaintext'} "
        f"| {row['kib_each']:.0f} KiB | {row['cpu']:.3f} cores |"
        for row in result["rows"]
    ]
    size = result["herd"]["connections"]
    return "\n".join(
        [
            *lines,
            "",
            f"A herd of {size:,}, in plaintext: connections that live {result['herd']['life']} s, "
            "opened within a sixth of that, or over all of it. To open one again takes Envoy "
            f"{reconnect_cpu(result):.0f} µs of CPU; most of the herd's time is that of "
            "the clients, which share two cores with the Envoys here.",
        ]
    )


def reconnect_cpu(result: Result) -> float:
    """Microseconds of Envoy for a connection that is opened again, beyond what idle ones take."""
    together = result["herd"]["starts"]["all at once"]
    idle = statistics.median(together["cpu"])
    return 1e6 * sum(cpu - idle for cpu in together["cpu"]) / sum(together["opened"])


CONNECTIONS = Experiment(
    title="Few and many connections",
    question="What does an idle connection cost an Envoy, and what do 20,000 do that reconnect?",
    run=run,
    findings=findings,
    draw=draw,
    tell=tell,
)
