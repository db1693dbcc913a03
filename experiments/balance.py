"""Balance: long-lived clients over a fleet that grows and shrinks."""

import time
from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments import plots, shares
from experiments.experiment import Experiment, Finding, Result, count_failed
from experiments.lab import Lab, spread
from testbed.load.clients import Client

CHANNELS = {"grpc-go": 24, "C-core": 12}
"""pick_first clients of each family, one connection each."""
_CALLS_EACH = 10  # calls/s of a channel
_NEVER = "12m"
"""A max connection duration longer than the run: the longest that the drain's rules allow."""
_LEAST_FACTOR_OF_CONTROL = 4
"""With longer waits the control would last longer than even that, and so show nothing."""
_FULL_SHARE = 0.8
"""New Envoys count as carrying their share from this part of it on: random picks alone vary by the
rest."""


def run(lab: Lab) -> Result:
    """With the setting: 3 Envoys, then 2, 4 and 2; without it, 3 and 5."""
    period = lab.times.reconnect_interval.total_seconds()
    shape = {"envoy": {"min_replicas": 3, "max_replicas": 6}}
    lab.say("3 Envoys, with the setting")
    lab.deploy(**shape)
    periods = 2 if lab.quick else 5
    sizes = (2, 4) if lab.quick else (2, 4, 2)
    found = {"with": _measure(lab, periods, sizes)}
    if lab.factor >= _LEAST_FACTOR_OF_CONTROL:
        lab.say("without it: the control")
        without = {**shape, "contour": {"timeouts": {"max_connection_duration": _NEVER}}}
        lab.deploy(**without)
        found["without"] = _measure(lab, 1 if lab.quick else 2, (5,))
    return {
        "period": period,
        "channels": CHANNELS,
        "predicted_rebalance": lab.times.rebalance_time.total_seconds(),
        **found,
    }


def _measure(lab: Lab, periods: int, sizes: tuple[int, ...]) -> Result:
    period = lab.times.reconnect_interval.total_seconds()
    clients: dict[str, Client] = {}
    for family, channels in CHANNELS.items():
        arguments = (
            f"--channels={channels}",
            f"--rate={channels * _CALLS_EACH}",
            "--policy=pick_first",
            "--duration=24h",
        )
        start_over = (f"--start-over={period}s",) if family == "grpc-go" else ()
        clients[family] = lab.client(*arguments, *start_over, family=family)
    # The first period is the clients' start.
    lab.pause(period)
    events: list[dict[str, Any]] = []
    began = time.time()
    events.append({"at": began, "envoys": sorted(lab.envoys().values())})
    lab.pause(periods * period, f"{periods} periods on {len(lab.envoys())} Envoys")
    for size in sizes:
        grows = size > len(events[-1]["envoys"])
        decided = time.time()
        events.append({"at": decided, "decided": size})
        lab.resize(size)
        events.append({"at": time.time(), "envoys": sorted(lab.envoys().values())})
        settle = lab.times.rebalance_time.total_seconds() if grows else 0
        until = decided + settle + period
        lab.pause(max(period, until - time.time()), f"{size} Envoys under the name")
    ended = time.time()
    reports = {name: client.stop()["targets"]["envoy"] for name, client in clients.items()}
    return {"events": events, "ended": ended, "reports": reports}


def steady(phase: Result, family: str, period: float) -> dict[str, Any]:
    """Evenness on the first fleet: in single periods, and over all periods together."""
    start = phase["events"][0]
    decided = next((e["at"] for e in phase["events"] if "decided" in e), phase["ended"])
    windows = phase["reports"][family]["windows"]
    each = shares.by_period(windows, start["at"], decided, period)
    together = sum(each[1:], each[0])
    fleet = start["envoys"]
    channels = CHANNELS[family]
    return {
        "periods": len(each),
        "one_period": spread([shares.unevenness(c, fleet)["max_over_mean"] for c in each]),
        "one_period_cv": spread([shares.unevenness(c, fleet)["cv"] for c in each]),
        "together": shares.unevenness(together, fleet),
        "random_one": shares.random_picks(channels, len(fleet), 1),
        "random_together": shares.random_picks(channels, len(fleet), len(each)),
    }


def scale_out(phase: Result, family: str, predicted: float) -> dict[str, Any]:
    """After the growth: seconds until the new Envoys first carried their share. After the
    ``predicted`` seconds: their share, and how evenly calls fell on all Envoys."""
    events = phase["events"]
    at = next(
        place
        for place, event in enumerate(events)
        if event.get("decided", 0) > len(events[place - 1].get("envoys", ()))
    )
    before, after = events[at - 1]["envoys"], events[at + 1]["envoys"]
    new = sorted(set(after) - set(before))
    fair = len(new) / len(after)
    until = next((e["at"] for e in events[at + 2 :] if "decided" in e), phase["ended"])
    windows = [w for w in phase["reports"][family]["windows"] if w["at"] < until]
    late = shares.calls_by_envoy(windows, events[at]["at"] + predicted, until)
    return {
        "new": new,
        "envoys": len(after),
        "fair": fair,
        "max_over_mean": shares.unevenness(late, after)["max_over_mean"],
        "seconds": shares.time_to_share(windows, new, events[at]["at"], _FULL_SHARE * fair),
        "share": sum(late[ip] for ip in new) / sum(late.values()),
        "calls": sum(sum(w["callers"].get(ip, 0) for ip in new) for w in windows),
    }


def _phases(result: Result) -> list[str]:
    return [phase for phase in ("with", "without") if phase in result]


def _failed(result: Result) -> int:
    reports = (r for phase in _phases(result) for r in result[phase]["reports"].values())
    return count_failed(*(report["codes"] for report in reports))


def findings(result: Result) -> list[Finding]:
    """The claims about balance."""
    found: list[Finding] = []
    predicted = result["predicted_rebalance"]
    for family in CHANNELS:
        even = steady(result["with"], family, result["period"])
        ratio, bound = even["together"]["max_over_mean"], even["random_together"]["p999"]
        found.append(
            Finding(
                f"{family}: over {even['periods']} reconnect periods calls fall as evenly on 3 "
                "Envoys as random picks would",
                ratio <= bound,
                f"max/mean {ratio:.2f}; of random picks 999 runs in 1,000 are below {bound:.2f}",
            )
        )
        grown = scale_out(result["with"], family, predicted)
        found.append(
            Finding(
                f"{family}: new Envoys come to carry calls",
                grown["share"] >= grown["fair"] / 2,
                f"{100 * grown['share']:.0f} % of the calls in the end, where "
                f"{100 * grown['fair']:.0f} % is fair",
            )
        )
        took = grown["seconds"]
        found.append(
            Finding(
                f"{family}: they carry {_FULL_SHARE:.0%} of their share within rebalance_time",
                took is not None and took <= predicted,
                f"{took:.0f} s of {predicted:.0f} s" if took is not None else "never",
                # With so few clients chance matters: one run in ten takes a period more.
                binding=False,
            )
        )
        if "without" not in result:
            continue
        control = scale_out(result["without"], family, predicted)
        found.append(
            Finding(
                f"{family}: without max connection duration new Envoys stay idle",
                control["calls"] == 0 and control["max_over_mean"] > grown["max_over_mean"],
                f"{control['calls']} calls to {len(control['new'])} new Envoys of "
                f"{control['envoys']}; max/mean {control['max_over_mean']:.2f}, with it "
                f"{grown['max_over_mean']:.2f}",
                control=True,
            )
        )
    found.append(
        Finding("no call fails while the fleet changes", not _failed(result),
                f"{_failed(result)} failed")
    )  # fmt: skip
    return found


def draw(result: Result) -> dict[str, Figure]:
    """Each Envoy's share of the calls over time, with and without the setting."""
    titles = {
        "with": "Share of the calls of each Envoy, with max connection duration",
        "without": "Without it: the new Envoys get none",
    }
    phases = _phases(result)
    with plots.panels(*(titles[phase] for phase in phases), height=2.6) as (figure, axes):
        for each, phase in zip(axes, phases, strict=True):
            _draw_shares(each, result[phase])
            each.set(xlabel="seconds")
    return {"balance": figure}


def _draw_shares(axes: Axes, phase: Result) -> None:
    windows = phase["reports"]["grpc-go"]["windows"]
    zero = phase["events"][0]["at"]
    shown = [w for w in windows if zero <= w["at"] < phase["ended"]]
    envoys = list(dict.fromkeys(ip for e in phase["events"] for ip in e.get("envoys", ())))
    smooth = max(1, len(shown) // 120)
    groups = [shown[i : i + smooth] for i in range(0, len(shown), smooth)]
    groups = [group for group in groups if any(w["callers"] for w in group)]
    columns = [
        shares.calls_by_envoy(group, group[0]["at"], group[-1]["at"] + 1) for group in groups
    ]
    each = {
        f"Envoy {number + 1}": [100 * column[ip] / sum(column.values()) for column in columns]
        for number, ip in enumerate(envoys)
    }
    events = [(f"to {e['decided']}", e["at"] - zero) for e in phase["events"] if "decided" in e]
    places = [group[0]["at"] - zero for group in groups]
    plots.stacked(axes, places, each, y_label="percent", events=events)


def tell(result: Result) -> str:
    """The page's text."""
    period, predicted = result["period"], result["predicted_rebalance"]
    lines = [
        f"pick_first clients ({', '.join(f'{n} on {f}' for f, n in result['channels'].items())}), "
        f"{_CALLS_EACH} calls/s each, started over one reconnect period of {period:g} s. An idle "
        "Envoy counts as zero; *random* is what as many uniformly random picks of an Envoy would "
        "give (computed: median, and what 95 of 100 runs stay below).",
        "",
        "| clients | | max/mean of one period | random | of "
        f"{steady(result['with'], 'grpc-go', period)['periods']} periods together | random |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for phase in _phases(result):
        for family in result["channels"]:
            even = steady(result[phase], family, period)
            one, cv = even["one_period"], even["one_period_cv"]["median"]
            together = even["together"]
            cells = [
                family,
                phase,
                f"{one['median']:.2f} ({one['low']:.2f} to {one['high']:.2f}; cv {cv:.2f})",
                _picks(even["random_one"]),
                f"{together['max_over_mean']:.2f} (cv {together['cv']:.2f})",
                _picks(even["random_together"]),
            ]
            lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "After the fleet grew:", ""]
    lines += ["| clients | | new Envoys' share in the end | carried it after |"]
    lines += ["| --- | --- | --- | --- |"]
    for phase in _phases(result):
        for family in result["channels"]:
            grown = scale_out(result[phase], family, predicted)
            took = f"{grown['seconds']:.0f} s" if grown["seconds"] is not None else "never"
            lines.append(
                f"| {family} | {phase} | {100 * grown['share']:.0f} %, where "
                f"{100 * grown['fair']:.0f} % is fair | {took} |"
            )
    lines += [
        "",
        *_stickiness(result),
        f"`rebalance_time` predicts {predicted:.0f} s. Evenness comes over time, not at once: in "
        "any one period pick_first is as uneven as dice.",
    ]
    return "\n".join(lines)


def _stickiness(result: Result) -> list[str]:
    report = result["with"]["reports"]["grpc-go"]
    reconnects = report["moved"] + report["stayed"]
    return [
        f"Of grpc-go's {reconnects} reconnects {100 * report['moved'] / reconnects:.0f} % led to "
        "another Envoy: it may dial the old addresses again before it has resolved the name again, "
        "so a new Envoy gets its share somewhat later than from independent picks.",
        "",
    ]


def _picks(random: Mapping[str, float]) -> str:
    return f"{random['median']:.2f}, {random['p95']:.2f}"


BALANCE = Experiment(
    title="Balance",
    question="Do long-lived pick_first clients spread over the fleet, and over new Envoys?",
    run=run,
    findings=findings,
    draw=draw,
    tell=tell,
)
