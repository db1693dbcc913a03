"""Nothing lost: calls during every disruption of a platform in use."""

import contextlib
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from matplotlib.figure import Figure

from experiments import plots
from experiments.experiment import Experiment, Finding, Result, count_failed
from experiments.lab import Lab
from experiments.scenarios import QUICK, SCENARIOS, Scenario
from experiments.steps import ENVOYS, RETRY_ANNOTATIONS, RETRY_ON
from testbed.cluster.errors import LocalError
from testbed.load.clients import Client

CALLS = 100_000
"""Minimum calls in each scenario, over its runs."""
RUNS = 2
_RATE = 2_000
_QUICK_CALLS = 60_000
_STREAM = 2.0  # seconds; a new stream begins when one ends
# The contract's policy, and the other one that docs/clients.md names, at half the rate each.
CLIENTS: dict[str, tuple[str, ...]] = {
    "round_robin": ("--policy=round_robin", "--channels=12", f"--rate={_RATE // 2}"),
    "pick_first": ("--policy=pick_first", "--channels=24", f"--rate={_RATE // 2}"),
    "streams": (
        "--policy=round_robin",
        "--channels=12",
        f"--stream={_STREAM}s",
        "--interval=100ms",
    ),
    "C-core": ("--policy=round_robin", "--channels=6", "--rate=100"),
}
_DEADLINE = "14.5s"  # the contract's timeout for the default deadline of 15 s


def run(lab: Lab) -> Result:
    """Run each scenario with calls of its own: before it, during it, and until the last terminating
    Envoy or server is gone and every connection has been renewed."""
    lab.deploy(envoy={"min_replicas": ENVOYS, "max_replicas": ENVOYS})
    calls, runs = (_QUICK_CALLS, 1) if lab.quick else (CALLS, RUNS)
    found: dict[Scenario, Result] = {
        scenario: {
            "name": scenario.name,
            "what": scenario.what,
            "lossless": scenario.lossless,
            "control": scenario.control,
            "runs": [],
        }
        for scenario in SCENARIOS
        if not lab.quick or scenario.name in QUICK
    }
    # All scenarios once, then all again, so that two runs of one do not share a slow phase of the
    # machine.
    for _ in range(runs):
        for scenario, told in found.items():
            try:
                told["runs"].append(_observe(lab, scenario, calls // runs))
            except LocalError as error:
                # Continue: the other scenarios take half an hour.
                lab.say(f"it could not be done: {error.cause}")
                told["error"] = error.cause
    return {"scenarios": list(found.values()), "calls": calls}


def _observe(lab: Lab, scenario: Scenario, calls: int) -> Result:
    """One run of a scenario, with at least that many calls."""
    lab.say(scenario.what)
    scenario.prepare(lab)
    # Also after a failure: the next scenario must not get calls from these clients.
    with contextlib.ExitStack() as after:
        after.callback(scenario.restore, lab)
        started = time.time()
        clients: dict[str, Client] = {}
        for name, arguments in CLIENTS.items():
            clients[name] = lab.client(
                *arguments,
                f"--deadline={_DEADLINE}",
                targets={"envoy": lab.target("streams" if name == "streams" else "load")},
                family=name if name == "C-core" else "grpc-go",
            )
            after.callback(clients[name].remove)
        for client in clients.values():
            lab.wait_until_running(client)
        lab.pause(5)
        began = time.time()
        scenario.act(lab)
        acted = time.time()
        lab.wait_until_settled()
        settled = time.time()
        lab.pause(
            max(lab.times.reconnect_interval.total_seconds(), started + calls / _RATE - time.time())
        )
        reports = {name: client.stop()["targets"]["envoy"] for name, client in clients.items()}
        return {
            "events": {"begins": began, "done": acted, "settled": settled},
            "clients": {name: _account(report) for name, report in reports.items()},
        }


def _account(report: Result) -> Result:
    """The part of a client's report that is kept."""
    return {
        "calls": report["calls"],
        "failed": count_failed(report["codes"]),
        "codes": report["codes"],
        "slow": report.get("slow", 0),
        "milliseconds": report.get("milliseconds", {}),
        "failures": report["failures"][:20],
        "slowest": report.get("slowest", [])[:5],
        "windows": [
            {"at": window["at"], "ok": window["ok"], "failed": window["failed"]}
            for window in report["windows"]
        ],
    }


def total(scenario: Result, what: str) -> int:
    """``calls``, ``failed`` or ``slow`` of all clients in all runs."""
    return sum(account[what] for account in _accounts(scenario))


def _accounts(scenario: Result) -> Iterator[Result]:
    for run in scenario["runs"]:
        yield from run["clients"].values()


def _done(result: Result) -> list[Result]:
    return [scenario for scenario in result["scenarios"] if "error" not in scenario]


def findings(result: Result) -> list[Finding]:
    """One for each scenario."""
    found: list[Finding] = []
    for scenario in result["scenarios"]:
        if "error" in scenario:
            found.append(Finding(f"{scenario['what']}: it can be done", False, scenario["error"]))
            continue
        failed, slow, calls = (total(scenario, what) for what in ("failed", "slow", "calls"))
        figure = f"{_by_run(scenario)} failed, {slow} late, of {calls:,}"
        if scenario["control"]:
            claim, holds = f"{scenario['what']}: calls are lost", failed > 0
        elif scenario["lossless"]:
            claim = f"{scenario['what']}: no call is lost"
            holds = not failed and calls >= result["calls"]
        else:
            # Reported, not claimed.
            claim, holds = f"{scenario['what']}: how many calls are lost", False
            figure += f"; {_lasting(scenario)}"
        found.append(
            Finding(
                claim,
                holds,
                figure,
                control=scenario["control"],
                binding=scenario["lossless"] or scenario["control"],
            )
        )
    late = {
        s["what"]: total(s, "slow") for s in _done(result) if s["lossless"] and not s["control"]
    }
    told = [f"{what}: {count}" for what, count in late.items() if count]
    found.append(
        Finding(
            "where none is lost none is over a second late",
            not told,
            "; ".join(told) or "none",
            # A time: other load on the machine makes calls late.
            binding=False,
        )
    )
    return found


def _lasting(scenario: Result) -> str:
    """The time span of failed calls, in the worst run."""
    longest = 0.0
    for run in scenario["runs"]:
        bad = [w["at"] for a in run["clients"].values() for w in a["windows"] if w["failed"]]
        longest = max(longest, max(bad) - min(bad) + 1 if bad else 0.0)
    return f"within {longest:.0f} s" if longest else "none was"


def _by_run(scenario: Result) -> str:
    """The number of failed calls, in total and in each run."""
    each = [sum(a["failed"] for a in run["clients"].values()) for run in scenario["runs"]]
    return (
        f"{sum(each)} ({' + '.join(map(str, each))})" if sum(each) and each[1:] else f"{sum(each)}"
    )


def draw(result: Result) -> dict[str, Figure]:
    """When calls failed: a row per scenario over time, its runs one above the other."""
    scenarios = _done(result)
    with plots.panels("Failed calls by second", height=0.6 + 0.32 * len(scenarios)) as (
        figure,
        (axes,),
    ):
        rows: Any = axes
        for place, scenario in enumerate(scenarios):
            failed: Counter[float] = Counter()
            settled = 0.0
            for run in scenario["runs"]:
                zero = run["events"]["begins"]
                settled = max(settled, run["events"]["settled"] - zero)
                for account in run["clients"].values():
                    for window in account["windows"]:
                        failed[round(window["at"] - zero)] += window["failed"]
            rows.hlines(place, min(failed), max(failed), color="#cccccc", linewidth=1)
            rows.hlines(place, 0, settled, color=plots.GREY, linewidth=5, alpha=0.35)
            bad = {at: count for at, count in failed.items() if count}
            sizes = [10 + 3 * count**0.5 for count in bad.values()]
            rows.scatter(list(bad), [place] * len(bad), s=sizes, color=plots.COLOURS[1], zorder=3)
        names = [f"{'control: ' if s['control'] else ''}{s['name']}" for s in scenarios]
        rows.set_yticks(range(len(scenarios)), names, fontsize=8)
        rows.invert_yaxis()
        rows.set(xlabel="seconds since its start; thick until all terminating pods are gone")
    return {"nothing_lost": figure}


def tell(result: Result) -> str:
    """The page's text."""
    lines = [
        f"{_RATE:,} unary calls a second, half of them by `round_robin` (the client contract's "
        "policy) and half by `pick_first`, with streams of 2 s and a client on C-core beside them; "
        f"at least {result['calls']:,} calls in each scenario, over its runs. No retries but "
        "gRPC's own transparent ones. Late is a call that took over a second more than the median. "
        "An address whose pod has ended is silent, as in a VPC.",
        "",
        "| scenario | calls | failed (in each run) | round_robin | pick_first | streams | C-core "
        "| late | codes |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for scenario in _done(result):
        each = [
            str(sum(run["clients"][name]["failed"] for run in scenario["runs"])) for name in CLIENTS
        ]
        codes: Counter[str] = Counter()
        for account in _accounts(scenario):
            codes.update({code: n for code, n in account["codes"].items() if code != "OK"})
        told = ", ".join(f"{code} {count}" for code, count in sorted(codes.items()))
        mark = "control: " if scenario["control"] else ""
        lines.append(
            f"| {mark}{scenario['what']} | {total(scenario, 'calls'):,} | {_by_run(scenario)} "
            f"| {' | '.join(each)} | {total(scenario, 'slow')} | {told} |"
        )
    return "\n".join([*lines, "", *_conclusions(result)])


def _conclusions(result: Result) -> list[str]:
    names = {scenario["name"]: scenario for scenario in _done(result)}
    said = [
        "The preStop hooks are required: without them an Envoy ends with calls in flight, and "
        "leaves clients with silent addresses (streams fail many times over: their client begins "
        "the next at once). With the hooks an Envoy stays until no client is connected, so late "
        "clients are served even with a drain delay of 0 or a TTL longer than the drain; "
        "and where an address is silent these clients try the next one "
        "after 250 ms ([Happy Eyeballs](https://github.com/grpc/grpc-go/pull/7725)). The drain "
        "delay is for clients that try one address after the other, as grpc-java does "
        "[unless told otherwise](https://github.com/grpc/grpc-java/pull/11348), and for fleets so "
        "quiet that an Envoy has no connection while its address is still known; neither was "
        "measured.",
        "",
        "A pod that dies loses its calls in flight. A silent pod loses every call of the "
        "clients that are connected to it, until TCP or keepalive tells the client (see lost "
        "nodes); `pick_first` clients, with no other connection, suffer longest.",
    ]
    if "server-killed" in names and "server-killed-retries" in names:
        without, retried = (names[name] for name in ("server-killed", "server-killed-retries"))
        said += [
            "",
            f"Retries by Envoy of what no server has begun (`{RETRY_ANNOTATIONS[RETRY_ON]}`): "
            f"{_by_run(without)} calls failed without them when a server was killed, "
            f"{_by_run(retried)} with them, of {total(without, 'calls'):,} and "
            f"{total(retried, 'calls'):,}. Those were in flight, and only their caller knows "
            "whether they may run twice. Retries change nothing where nothing is lost anyway, so "
            "they are not the default: a service that wants them annotates its Ingress.",
        ]
    return said


NOTHING_LOST = Experiment(
    title="Nothing lost",
    question="Is a call lost when the platform scales, rolls out, renews or fails?",
    run=run,
    findings=findings,
    draw=draw,
    tell=tell,
)
