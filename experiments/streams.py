"""Long streams: the effect of connection durations, drains and grace periods."""

from typing import Any

from matplotlib.figure import Figure

from experiments import plots
from experiments.experiment import Experiment, Finding, Result, count_failed
from experiments.lab import PLATFORM, Lab
from testbed.disruptions import operations
from testbed.load.clients import Client

_DEADLINE = "15s"
"""The longest finite deadline: as short as the default one, so that the drain ends sooner."""
_STREAMS = 12
_IDLE_TIMEOUT = 10  # seconds, in place of Envoy's 5 minutes
_PAST = "past the grace period"


def run(lab: Lab) -> Result:
    """Run streams of four lengths side by side: first undisturbed, then while every Envoy is
    replaced. Last, run streams that are silent for longer than Envoy waits."""
    idle = {"contour": {"timeouts": {"stream_idle_timeout": f"{_IDLE_TIMEOUT}s"}}}
    lab.deploy(envoy={"max_deadline": _DEADLINE, "min_replicas": 2, "max_replicas": 2}, **idle)
    lengths = _lengths(lab)
    alone = {name: length for name, length in lengths.items() if name != _PAST}
    rolled = dict(lengths)
    if lab.quick:
        alone = {"longer than a connection": lengths["longer than a connection"]}
        rolled = {"longer than a connection": lengths["longer than a connection"]}
    lab.say("streams, and nothing else")
    undisturbed = _watch(lab, alone, rollout=False)
    lab.say("streams, and every Envoy is replaced")
    replaced = _watch(lab, rolled, rollout=True)
    lab.say("streams that say nothing for a while")
    quiet = {
        f"{interval} s": _client(lab, 3 * interval, interval).report()["targets"]["envoy"]
        for interval in (_IDLE_TIMEOUT // 2, _IDLE_TIMEOUT * 3 // 2)
    }
    return {
        "lengths": lengths,
        "reconnect_interval": lab.times.reconnect_interval.total_seconds(),
        "termination_grace_period": _grace(lab),
        "idle_timeout": _IDLE_TIMEOUT,
        "undisturbed": undisturbed,
        "replaced": replaced,
        "quiet": quiet,
    }


def _lengths(lab: Lab) -> dict[str, float]:
    """Streams' lengths in seconds, named by the time they are compared with."""
    connection, grace = lab.times.reconnect_interval.total_seconds(), _grace(lab)
    return {
        "shorter than a connection": connection / 3,
        "longer than a connection": connection * 1.5,
        "shorter than the grace period": grace * 0.75,
        _PAST: grace * 1.3,
    }


def _grace(lab: Lab) -> float:
    """An Envoy's termination grace period, in seconds."""
    deployment = lab.cluster.get("deployment", *PLATFORM, "envoy")
    return float(deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"])


def _client(lab: Lab, length: float, interval: float) -> Client:
    return lab.client(
        f"--channels={_STREAMS}",
        "--calls=1",
        f"--stream={length}s",
        f"--interval={interval}s",
        "--policy=round_robin",
        targets={"envoy": lab.target("streams")},
    )


def _watch(lab: Lab, lengths: dict[str, float], *, rollout: bool) -> dict[str, Any]:
    """Start streams of each length at once. Returns their results."""
    clients = {name: _client(lab, length, 0.5) for name, length in lengths.items()}
    if rollout:
        lab.pause(3)
        operations.restart(lab.cluster, "envoy")
    return {name: client.report()["targets"]["envoy"] for name, client in clients.items()}


def _cut(report: Result) -> int:
    return count_failed(report["codes"])


def _lives(report: Result) -> list[float]:
    """Durations of the cut streams, in seconds."""
    return sorted(failure["after_ms"] / 1000 for failure in report["failures"])


def findings(result: Result) -> list[Finding]:
    """The claims that a streaming service may rely on."""
    grace = result["termination_grace_period"]
    undisturbed = sum(_cut(report) for report in result["undisturbed"].values())
    within = {n: r for n, r in result["replaced"].items() if n != _PAST}
    cut = sum(_cut(report) for report in within.values())
    longest = max(result["lengths"][name] for name in within)
    found = [
        Finding(
            "max connection duration cuts no stream",
            not undisturbed,
            f"{undisturbed} of {_count(result['undisturbed'])} cut",
        ),
        Finding(
            "a stream shorter than the termination grace period outlives the replacement of its "
            "Envoy",
            not cut,
            f"{cut} of {_count(within)} cut, of up to {longest:.0f} s",
        ),
    ]
    if _PAST in result["replaced"]:
        report = result["replaced"][_PAST]
        lives = _lives(report)
        found.append(
            Finding(
                "a longer one is cut when the grace period is over, not before",
                _cut(report) == report["calls"] and min(lives, default=0) >= grace,
                f"{_cut(report)} of {report['calls']} cut, the first after "
                f"{min(lives, default=0):.0f} s; the period is {grace:.0f} s",
                control=True,
            )
        )
    busy, silent = result["quiet"].values()
    found.append(
        Finding(
            "a stream with a message within the stream idle timeout is never cut",
            not _cut(busy),
            f"{_cut(busy)} of {busy['calls']} cut",
        )
    )
    found.append(
        Finding(
            "one that is silent for longer is cut",
            _cut(silent) == silent["calls"],
            f"{_cut(silent)} of {silent['calls']} cut",
            control=True,
        )
    )
    return found


def _count(reports: dict[str, Any]) -> int:
    return sum(report["calls"] for report in reports.values())


def draw(result: Result) -> dict[str, Figure]:
    """Cut streams in percent, by length."""
    names = [name for name in result["lengths"] if name in result["replaced"]]
    phases = {"nothing happens": "undisturbed", "Envoys replaced": "replaced"}
    series = {
        title: [plots.Bar(value=_percent_cut(result[phase].get(name))) for name in names]
        for title, phase in phases.items()
    }
    labels = [
        name.replace(" than ", " than\n") + f"\n{result['lengths'][name]:.0f} s" for name in names
    ]
    with plots.panels("Streams that were cut") as (figure, (axes,)):
        plots.bars(axes, labels, series, y_label="percent", x_label="length of the stream")
    return {"streams": figure}


def _percent_cut(report: Result | None) -> float:
    return 100 * _cut(report) / report["calls"] if report else 0.0


def tell(result: Result) -> str:
    """The page's text."""
    interval, grace = result["reconnect_interval"], result["termination_grace_period"]
    rows = [
        f"| {name} | {result['lengths'][name]:.0f} s "
        + "".join(
            f"| {_cut(result[phase][name])} of {result[phase][name]['calls']} "
            if name in result[phase]
            else "| "
            for phase in ("undisturbed", "replaced")
        )
        + "|"
        for name in result["lengths"]
        if name in result["replaced"]
    ]
    return "\n".join(
        [
            f"A connection lives {interval:g} s here, an Envoy that is told to end at most "
            f"{grace:.0f} s (the longest finite deadline is {_DEADLINE} in this run). Streams "
            "began just before all Envoys were replaced.",
            "",
            "| stream | length | cut, nothing happens | cut, Envoys replaced |",
            "| --- | --- | --- | --- |",
            *rows,
            "",
            "At max connection duration Envoy tells the client to make new calls elsewhere (GOAWAY)"
            " and lets the streams on the old connection go on, so a stream may outlive its "
            "connection's age any number of times; it is not rebalanced either. What ends a stream "
            "is the end of its Envoy: by a rollout, a scale-in or a drained node, and then not "
            "before `termination_grace_period`. A streaming client must expect that and resume; "
            "a service that cannot resume keeps its streams below that time.",
            "",
            "Silence is another matter: Envoy cuts a stream that carries nothing for "
            "`stream_idle_timeout` (5 minutes unless set; shortened here to "
            f"{result['idle_timeout']} s). Send something more often than that, or raise it.",
        ]
    )


STREAMS = Experiment(
    title="Long streams",
    question="What may a streaming service rely on?",
    run=run,
    findings=findings,
    draw=draw,
    tell=tell,
)
