"""The reconnect herd: clients that started together reconnect together, because nothing spreads
their connections' ages (Contour 1.33 has no jitter)."""

import statistics
from collections import Counter
from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from experiments import plots
from experiments.experiment import Experiment, Finding, Result, count_failed
from experiments.lab import Lab
from testbed.load.clients import Client
from testbed.load.sampler import Sampler, of_kind

_CHANNELS = 600
_RATE = 1200
_REMEDIES: dict[str, tuple[str, ...]] = {
    "all at once": (),
    "spread over a period": ("--start-over={period}s",),
}


def run(lab: Lab) -> Result:
    """The same number of clients twice: started all at once, and over one reconnect period."""
    lab.deploy(envoy={"min_replicas": 3, "max_replicas": 3})
    period = lab.times.reconnect_interval.total_seconds()
    channels, periods = (_CHANNELS // 3, 2) if lab.quick else (_CHANNELS, 3)
    found: dict[str, Any] = {}
    for name, arguments in _REMEDIES.items():
        lab.say(f"{channels} clients, started {name}")
        client = lab.client(
            f"--channels={channels}",
            f"--rate={_RATE}",
            "--policy=pick_first",
            "--duration=24h",
            *(argument.format(period=period) for argument in arguments),
        )
        lab.wait_until_running(client)
        # Without the start itself.
        lab.pause(0.7 * period if not arguments else 1.2 * period)
        found[name] = reconnects(lab, [client], periods * period)
    return {"channels": channels, "rate": _RATE, "period": period, "starts": found}


def reconnects(lab: Lab, clients: Sequence[Client], seconds: float) -> Result:
    """Of running clients, and then stop them: by second the connections opened (over all), the p99
    (the worst of them) and the CPU of all Envoys; meanwhile failed calls, without the start's."""
    with Sampler(lab.cluster) as sampler:
        lab.pause(seconds)
    reports = [client.stop()["targets"]["envoy"] for client in clients]
    since, until = sampler.samples[0]["at"], sampler.samples[-1]["at"]
    opened: Counter[int] = Counter()
    p99: dict[int, float] = {}
    codes: Counter[str] = Counter()
    failed = 0
    for report in reports:
        codes.update(report["codes"])
        for window in report["windows"]:
            if since <= window["at"] <= until:
                second = int(window["at"] - since)
                opened[second] += window["opened"]
                p99[second] = max(p99.get(second, 0.0), window["p99"] or 0.0)
                failed += window["failed"]
    return {
        "codes": dict(codes),
        "failed": failed,
        "at": sorted(opened),
        "opened": [opened[second] for second in sorted(opened)],
        "p99": [p99[second] for second in sorted(opened)],
        "cpu_at": [sample["at"] - since for sample in sampler.samples],
        "cpu": [sum(of_kind(sample["cpu"], "envoy")) for sample in sampler.samples],
    }


def _peak(values: list[float]) -> float:
    """The largest value divided by the median; 1 is even."""
    median = statistics.median(values)
    return max(values) / median if median else max(values)


def _peaks(start: Result, period: float) -> list[int]:
    """The most connections opened in any one second, by period."""
    peaks: dict[int, int] = {}
    for at, opened in zip(start["at"], start["opened"], strict=True):
        peaks[int(at // period)] = max(opened, peaks.get(int(at // period), 0))
    # The rest after the last whole period does not count.
    return [peaks[place] for place in sorted(peaks)[:-1]]


def findings(result: Result) -> list[Finding]:
    """The claims about the herd."""
    together, apart = (result["starts"][name] for name in _REMEDIES)
    herds, spread = (_peaks(start, result["period"]) for start in (together, apart))
    failed = count_failed(*(start["codes"] for start in result["starts"].values()))
    return [
        Finding(
            "clients that started together reconnect together, in every period",
            min(herds) >= result["channels"] / 4,
            f"in the busiest second of each period {', '.join(map(str, herds))} connections of "
            f"{result['channels']} clients",
            control=True,
        ),
        Finding(
            "started over one period they reconnect evenly",
            max(spread) <= min(herds) / 2,
            f"at most {max(spread)} in one second",
        ),
        Finding("no call fails in a herd", not failed, f"{failed} failed"),
        Finding(
            "a herd costs latency for a moment",
            max(together["p99"]) > max(apart["p99"]),
            f"CPU peaks at {_peak(together['cpu']):.1f} times its median (spread: "
            f"{_peak(apart['cpu']):.1f}), p99 of a second at {max(together['p99']):.0f} ms "
            f"(spread: {max(apart['p99']):.0f} ms)",
            binding=False,
        ),
    ]


def draw(result: Result) -> dict[str, Figure]:
    """Connections opened, CPU and p99 over time."""
    return {"herd": charts(result["starts"])}


def charts(starts: Result) -> Figure:
    """Of what `reconnects` found, by kind of start."""
    titles = ("Connections opened in a second", "CPU of all Envoys", "p99 of a second")
    with plots.panels(*titles, height=2.2) as (figure, (opened, cpu, p99)):
        for axes, key, at, label in (
            (opened, "opened", "at", "connections"),
            (cpu, "cpu", "cpu_at", "cores"),
            (p99, "p99", "at", "ms"),
        ):
            series = {name: (start[at], start[key]) for name, start in starts.items()}
            plots.lines(axes, series, y_label=label)
        p99.set(xlabel="seconds")
    return figure


def tell(result: Result) -> str:
    """The page's text."""
    return (
        f"{result['channels']} pick_first channels, {result['rate']:,} calls/s together, over 3 "
        f"Envoys, a connection's life of {result['period']:g} s. Envoy counts a connection's age "
        "from its own start, so whatever opened connections at one moment (a rollout of the "
        "clients, an Envoy that ended) makes them end at one moment, again and again. Envoy can "
        "spread it from 1.39 on (`max_connection_duration_jitter`), but Contour 1.33 goes with "
        "1.38 and has no key for it. The remedy is on the client's side: start pods over a while, "
        "as a rolling update does by itself, rather than all at once."
    )


HERD = Experiment(
    title="The reconnect herd",
    question="What do clients do that started together, and what helps?",
    run=run,
    findings=findings,
    draw=draw,
    tell=tell,
)
