"""The cost or saving of Envoy's settings: each variant compared with the shipped settings."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from experiments import plots
from experiments.experiment import Experiment, Finding, Result, count_failed
from experiments.lab import Lab, spread
from testbed.load.sampler import Sampler, answered, cores

_ONE_ENVOY = {"min_replicas": 1, "max_replicas": 1}
VARIANTS: dict[str, Mapping[str, Mapping[str, Any]]] = {
    "as shipped": {},
    "no access log": {"contour": {"accesslog_level": "disabled"}},
    "2 workers": {"envoy": {"concurrency": 2}},
    "2 workers, balanced": {
        "envoy": {"concurrency": 2},
        "contour": {"listener": {"connection_balancer": "exact"}},
    },
}
_RATE = 2000
_CHANNELS = 16
_IN_FLIGHT = 2000
_DELAY = 0.5  # seconds per call at the server, so that calls pile up
DEFAULT_LIMIT = 1024
"""https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/circuit_breaking"""


def run(lab: Lab) -> Result:
    """Each variant on one Envoy at the same rate, in rounds; then calls that pile up, with
    Envoy's own circuit breaker and the shipped one."""
    seconds, rounds = (5, 1) if lab.quick else (12, 2)
    variants = list(VARIANTS)[:2] if lab.quick else list(VARIANTS)
    measured: dict[str, list[Result]] = {name: [] for name in variants}
    for number in range(rounds):
        for name in variants:
            lab.say(f"{name}, {number + 1} of {rounds}")
            changes = VARIANTS[name]
            lab.deploy(**{**changes, "envoy": {**_ONE_ENVOY, **changes.get("envoy", {})}})
            measured[name].append(_measure(lab, seconds))
    found = {
        name: {key: spread([one[key] for one in each]) for key in each[0]}
        for name, each in measured.items()
    }
    lab.say(f"{_IN_FLIGHT} calls in flight on one Envoy")
    lab.serve(2, f"--delay={_DELAY}s")
    breakers: dict[str, Any] = {}
    envoys_own = {"max_pending_requests": DEFAULT_LIMIT, "max_requests": DEFAULT_LIMIT}
    for name, limits in (("envoy's", envoys_own), ("shipped", {})):
        lab.deploy(envoy=_ONE_ENVOY, services={"load": {"circuit_breakers": limits}})
        client = lab.client(
            f"--channels={_CHANNELS}", f"--rate={_IN_FLIGHT / _DELAY}", f"--duration={seconds}s"
        )
        breakers[name] = client.report()["targets"]["envoy"]["codes"]
    return {"rate": _RATE, "rounds": rounds, "variants": found, "breakers": breakers}


def _measure(lab: Lab, seconds: int) -> Result:
    client = lab.client(f"--rate={_RATE}", f"--channels={_CHANNELS}", f"--duration={seconds + 6}s")
    lab.wait_until_running(client)
    lab.pause(3)
    with Sampler(lab.cluster) as sampler:
        lab.pause(seconds)
    report, samples = client.report()["targets"]["envoy"], sampler.samples
    return {
        "microseconds_of_cpu": 1e6 * cores(samples, "envoy") / answered(report["windows"], samples),
        "p50": report["milliseconds"]["p50"],
        "p99": report["milliseconds"]["p99"],
    }


def findings(result: Result) -> list[Finding]:
    """The claims behind the defaults."""
    variants = result["variants"]
    shipped = variants["as shipped"]["microseconds_of_cpu"]["median"]
    silent = variants["no access log"]["microseconds_of_cpu"]["median"]
    envoys_own, ours = (result["breakers"][name] for name in ("envoy's", "shipped"))
    refused, failed = count_failed(envoys_own), count_failed(ours)
    return [
        Finding(
            "the access log is a small part of a call's CPU",
            shipped - silent <= 0.15 * shipped,
            f"{shipped:.0f} µs a call with it, {silent:.0f} µs without",
            binding=False,
        ),
        Finding(
            f"of {_IN_FLIGHT:,} calls in flight Envoy's own limit of {DEFAULT_LIMIT:,} fails some",
            refused > 0,
            f"{refused:,} of {sum(envoys_own.values()):,} calls failed",
            control=True,
        ),
        Finding(
            "the shipped circuit breaker lets the same load through",
            not failed,
            f"{failed} of {sum(ours.values()):,} failed",
        ),
    ]


def draw(result: Result) -> dict[str, Figure]:
    """CPU of a call, by variant."""
    variants = result["variants"]
    labels = [name.replace(", ", ",\n").replace(" a ", "\na ") for name in variants]
    with plots.panels("Envoy's CPU for a call", f"p99 at {result['rate']:,} calls/s") as (
        figure,
        (cpu, p99),
    ):
        for axes, key, label in ((cpu, "microseconds_of_cpu", "µs"), (p99, "p99", "ms")):
            series = {"": [plots.bar(found[key]) for found in variants.values()]}
            plots.bars(axes, labels, series, y_label=label)
        names: Any = p99
        names.tick_params(axis="x", labelsize=7)
    return {"settings": figure}


def tell(result: Result) -> str:
    """The page's text."""
    lines = [
        f"One Envoy at {result['rate']:,} calls/s on {_CHANNELS} connections, each variant "
        f"deployed in turn, {result['rounds']} rounds.",
        "",
        "| variant | Envoy's CPU a call | p50 | p99 |",
        "| --- | --- | --- | --- |",
    ]
    for name, found in result["variants"].items():
        cpu = found["microseconds_of_cpu"]
        lines.append(
            f"| {name} | {cpu['median']:.0f} µs ({cpu['low']:.0f} to {cpu['high']:.0f}) "
            f"| {found['p50']['median']:.2f} ms | {found['p99']['median']:.2f} ms |"
        )
    lines += [
        "",
        "The access log stays on: its CPU is within the spread. To save its volume, set "
        "`contour.accesslog_level`. More workers than cores cost a little and gain nothing, and "
        "with one worker there is nothing for the connection balancer to balance: both stay as "
        "they are. The circuit breaker is the one default that was changed. Envoy's statistics "
        "are not among Contour's settings.",
    ]
    return "\n".join(lines)


SETTINGS = Experiment(
    title="Settings",
    question="What do Envoy's settings cost or save?",
    run=run,
    findings=findings,
    draw=draw,
    tell=tell,
)
