"""Large messages: throughput and memory of Envoy, up to the most that gRPC takes by default."""

from matplotlib.figure import Figure

from experiments import paired, plots
from experiments.experiment import Experiment, Finding, Result, count_failed
from experiments.growth import highest_memory
from experiments.lab import ZONE, Lab
from experiments.paired import DIRECT, SHIPPED
from testbed.load import clients
from testbed.load.sampler import Sampler

SIZES = (4_000, 64_000, 1_000_000, 4_000_000)
"""Bytes of a message. gRPC refuses messages over 4 MiB by default."""
KINDS = {"requests": 1, "both ways": 50}
"""Messages of a call: a large request with a small answer; a bidirectional stream of messages, each
answered by its like."""
_IN_FLIGHT = 4
_MOST_MIB = 64
"""What the largest messages may add to Envoy's memory, and still be called streamed through."""


def run(lab: Lab) -> Result:
    """Calls of each kind and size, directly and through Envoy in turn."""
    lab.deploy(envoy={"min_replicas": 1, "max_replicas": 1})
    lab.serve(1)
    targets = {DIRECT: clients.DIRECT, SHIPPED: lab.target()}
    seconds = 3 if lab.quick else 12
    rows: list[Result] = []
    for kind, messages in KINDS.items():
        streamed = (f"--exchange={messages}",) if messages > 1 else ()
        for size in SIZES:
            lab.say(f"{size:,} bytes, {kind}")
            flags = (f"--payload={size}", f"--concurrency={_IN_FLIGHT}", f"--authority=load.{ZONE}")
            with Sampler(lab.cluster) as sampler:
                ways = paired.in_turn(lab, targets, *flags, *streamed, seconds=seconds)
            memory = highest_memory(sampler.samples)[SHIPPED]
            rows.append({"kind": kind, "bytes": size, "ways": ways, "envoy_mib": memory})
    return {"rows": rows, "in_flight": _IN_FLIGHT}


def findings(result: Result) -> list[Finding]:
    """The claims about large messages."""
    rows = result["rows"]
    failed = count_failed(*(way["codes"] for row in rows for way in row["ways"].values()))
    grown = max(row["envoy_mib"] for row in rows) - rows[0]["envoy_mib"]
    found = [
        Finding("no call and no stream fails", not failed, f"{failed} failed"),
        Finding(
            "Envoy passes messages on as they come, and does not gather them",
            grown <= _MOST_MIB,
            f"{grown:+.0f} MiB with {result['in_flight']} messages of {rows[-1]['bytes']:,} bytes "
            "in flight",
        ),
    ]
    for kind in KINDS:
        small, *_, large = (row for row in rows if row["kind"] == kind)
        found.append(
            Finding(
                f"the larger the message, the less the hop counts ({kind})",
                _times(large) <= _times(small),
                f"{_times(small):.1f} times a direct message of {small['bytes']:,} bytes, "
                f"{_times(large):.1f} times one of {large['bytes']:,}",
                binding=False,
            )
        )
    return found


def _times(row: Result) -> float:
    return milliseconds(row, SHIPPED) / milliseconds(row, DIRECT)


def milliseconds(row: Result, way: str, quantile: str = "p50") -> float:
    """For a message; a stream's time is that of its messages one after another."""
    return row["ways"][way]["milliseconds"][quantile] / KINDS[row["kind"]]


def mebibytes_per_second(row: Result, way: str) -> float:
    """Of messages in one direction, while both ways are called in turn."""
    calls = row["ways"][way]["calls_per_second"]
    return row["bytes"] * KINDS[row["kind"]] * calls / 2**20


def draw(result: Result) -> dict[str, Figure]:
    """The time of a message, by size."""
    titles = [f"A message and its answer: {kind} (p50)" for kind in KINDS]
    with plots.panels(*titles) as (figure, panels):
        for kind, axes in zip(KINDS, panels, strict=True):
            rows = [row for row in result["rows"] if row["kind"] == kind]
            series = {
                way: [plots.Bar(value=milliseconds(row, way)) for row in rows]
                for way in (DIRECT, SHIPPED)
            }
            plots.bars(axes, [_size(row["bytes"]) for row in rows], series, y_label="ms")
    return {"messages": figure}


def _size(count: int) -> str:
    return f"{count // 1_000_000} MB" if count >= 1_000_000 else f"{count // 1_000} KB"


def tell(result: Result) -> str:
    """The page's text."""
    lines = [
        f"{result['in_flight']} calls in flight on one connection each way, directly and through "
        "Envoy in turn, as fast as they go. A request is answered with a few bytes; on a "
        f"bidirectional stream ({KINDS['both ways']} messages) each message is answered by its "
        "like, and the p99 is of whole streams.",
        "",
        "| | message | direct p50 | through Envoy p50 | p99 | MiB/s each direction through Envoy "
        "| Envoy's CPU a MiB | its memory, the most so far |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in result["rows"]:
        directions = 2 if KINDS[row["kind"]] > 1 else 1
        mebibytes = directions * row["bytes"] * KINDS[row["kind"]] / 2**20
        lines.append(
            f"| {row['kind']} | {_size(row['bytes'])} "
            f"| {milliseconds(row, DIRECT):.2f} ms | {milliseconds(row, SHIPPED):.2f} ms "
            f"| {milliseconds(row, SHIPPED, 'p99'):.2f} ms "
            f"| {mebibytes_per_second(row, SHIPPED):,.0f} "
            f"| {row['ways'][SHIPPED]['cpu'] / mebibytes:,.0f} µs | {row['envoy_mib']:.0f} MiB |"
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
