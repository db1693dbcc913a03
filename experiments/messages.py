"""Large messages: throughput and memory of Envoy, up to the most that gRPC takes by default."""

from matplotlib.figure import Figure

from experiments import paired, plots
from experiments.experiment import Experiment, Finding, Result, count_failed
from experiments.growth import highest_memory
from experiments.lab import ZONE, Lab
from testbed.load import clients
from testbed.load.sampler import Sampler

SIZES = (4_000, 64_000, 1_000_000, 4_000_000)
"""Bytes of a request. gRPC refuses messages over 4 MiB by default."""
_IN_FLIGHT = 4
_MOST_MIB = 64
"""What the largest messages may add to Envoy's memory, and still be called streamed through."""


def run(lab: Lab) -> Result:
    """Requests of each size, directly and through Envoy in turn."""
    lab.deploy(envoy={"min_replicas": 1, "max_replicas": 1})
    lab.serve(1)
    targets = {"direct": clients.DIRECT, "envoy": lab.target()}
    seconds = 3 if lab.quick else 12
    rows: list[Result] = []
    for size in SIZES:
        lab.say(f"{size:,} bytes")
        flags = (f"--payload={size}", f"--concurrency={_IN_FLIGHT}", f"--authority=load.{ZONE}")
        with Sampler(lab.cluster) as sampler:
            found = paired.in_turn(lab, targets, *flags, seconds=seconds)
        memory = highest_memory(sampler.samples)["envoy"]
        rows.append({"bytes": size, "ways": found, "envoy_mib": memory})
    return {"rows": rows, "in_flight": _IN_FLIGHT}


def findings(result: Result) -> list[Finding]:
    """The claims about large messages."""
    rows = result["rows"]
    failed = count_failed(*(way["codes"] for row in rows for way in row["ways"].values()))
    grown = max(row["envoy_mib"] for row in rows) - rows[0]["envoy_mib"]
    small, large = (_slower(row) for row in (rows[0], rows[-1]))
    return [
        Finding("no call fails", not failed, f"{failed} failed"),
        Finding(
            "Envoy passes messages on as they come, and does not gather them",
            grown <= _MOST_MIB,
            f"{grown:+.0f} MiB with {result['in_flight']} requests of {rows[-1]['bytes']:,} bytes "
            "in flight each way",
        ),
        Finding(
            "the larger the message, the less the hop counts",
            large <= small,
            f"{small:.1f} times a direct call with {rows[0]['bytes']:,} bytes, {large:.1f} times "
            f"with {rows[-1]['bytes']:,}",
            binding=False,
        ),
    ]


def _slower(row: Result) -> float:
    direct, envoy = (row["ways"][way]["milliseconds"]["p50"] for way in ("direct", "envoy"))
    return envoy / direct


def mebibytes_per_second(row: Result, way: str) -> float:
    """Of requests, while both ways are called in turn."""
    return row["bytes"] * row["ways"][way]["calls_per_second"] / 2**20


def draw(result: Result) -> dict[str, Figure]:
    """The time of a call, by size."""
    rows = result["rows"]
    with plots.panels("A call with a large request (p50)") as (figure, (axes,)):
        series = {
            way: [plots.Bar(value=row["ways"][way]["milliseconds"]["p50"]) for row in rows]
            for way in ("direct", "envoy")
        }
        plots.bars(axes, [f"{row['bytes']:,} B" for row in rows], series, y_label="ms")
    return {"messages": figure}


def tell(result: Result) -> str:
    """The page's text."""
    lines = [
        f"{result['in_flight']} requests in flight on one connection each way, directly and "
        "through Envoy in turn.",
        "",
        "| request | direct p50 | through Envoy p50 | p99 | MiB/s through Envoy | Envoy's CPU a "
        "MiB | Envoy's memory |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in result["rows"]:
        direct, envoy = row["ways"]["direct"], row["ways"]["envoy"]
        lines.append(
            f"| {row['bytes']:,} bytes | {direct['milliseconds']['p50']:.2f} ms "
            f"| {envoy['milliseconds']['p50']:.2f} ms | {envoy['milliseconds']['p99']:.2f} ms "
            f"| {mebibytes_per_second(row, 'envoy'):,.0f} "
            f"| {envoy['cpu'] / row['bytes'] * 2**20:,.0f} µs | {row['envoy_mib']:.0f} MiB |"
        )
    return "\n".join(lines)


MESSAGES = Experiment(
    title="Large messages",
    question="What does the hop do to messages of 4 KB to 4 MB?",
    run=run,
    findings=findings,
    draw=draw,
    tell=tell,
)
