"""Clients: what the example clients lose in five languages, by the contract and by default."""

import contextlib
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from matplotlib.figure import Figure

from experiments import plots
from experiments.client_runs import (
    CONTRACT,
    DEFAULTS,
    MODES,
    account,
    bad,
    choose,
    lost_and_late,
    of_each,
    pod,
    start,
)
from experiments.client_scenarios import GREETER, QUICK, RATE, SCENARIOS, TICKER, Scenario
from experiments.experiment import Experiment, Finding, Result
from experiments.lab import Lab
from experiments.steps import ENVOYS
from testbed.clients.pods import Clients, Stopped
from testbed.cluster import apps, readiness
from testbed.cluster.errors import LocalError

PERIOD = 300
"""Seconds: the calls of the five minutes after a sudden death, of which `GOALS` are shares."""
KILLED, LOST = "envoy-killed", "envoy-lost"
GOALS = {KILLED: 0.5, LOST: 1.0}
"""Percent of these calls that may fail with the contract."""
NO_USER_TIMEOUT = {"node": 2.0, "rust": 2.0}
"""The same when a node is lost, for languages that cannot set TCP_USER_TIMEOUT: they wait for a
ping and its timeout, 15 s (https://github.com/nodejs/node/issues/52048, and tonic's Endpoint has no
such option)."""
_WARM_UP = 5.0  # seconds: a JVM's first calls are slow


def run(lab: Lab) -> Result:
    """All clients side by side in each scenario, each language with the contract and without."""
    languages, absent = choose(lab)
    apps.install(lab.cluster)
    changes: dict[str, dict[str, Any]] = {
        "envoy": {"min_replicas": ENVOYS, "max_replicas": ENVOYS},
        "services": {GREETER: {}, TICKER: {"streaming": True}},
    }
    lab.deploy(**changes)
    for manifest in apps.manifests():
        readiness.wait_until_ready(lab.cluster, manifest)
    contracts = {
        service.name.partition(".")[0]: service.outputs["client_contract"]
        for service in lab.preview(**changes).of_type("grpc-platform:index:GrpcService")
    }
    return {
        "languages": languages,
        "absent": absent,
        "contracts": {name: contracts[name] for name in (GREETER, TICKER)},
        "scenarios": [
            _attempt(lab, scenario, languages, contracts[scenario.service])
            for scenario in SCENARIOS
            if not lab.quick or scenario.name in QUICK
        ],
    }


def _attempt(lab: Lab, scenario: Scenario, languages: Sequence[str], contract: Any) -> Result:
    try:
        return _observe(lab, scenario, languages, contract)
    except LocalError as error:
        # Continue: the other scenarios take half an hour.
        lab.say(f"it could not be done: {error.cause}")
        return {"name": scenario.name, "what": scenario.what, "error": error.cause}


def _observe(lab: Lab, scenario: Scenario, languages: Sequence[str], contract: Any) -> Result:
    lab.say(scenario.what)
    scenario.prepare(lab)
    clients = Clients(lab.cluster, lab.http_port)
    with contextlib.ExitStack() as after:
        # Also after a failure: the next scenario must not get calls from these clients.
        after.callback(scenario.restore, lab)
        after.callback(clients.remove)
        start(clients, languages, contract, scenario.arguments(lab))
        lab.pause(_WARM_UP)
        # By default a client calls one Envoy: the one that most call, so that its end is seen.
        last = [clients.calls(pod(name, DEFAULTS))[-1].envoy for name in languages]
        ((busiest, _),) = Counter(last).most_common(1)
        began = time.time()
        address = scenario.act(lab, busiest)
        acted = time.time()
        lab.wait_until_settled()
        lab.pause(scenario.after(lab))
        stopped = clients.stop()
    # Since a new Envoy is under its name, or since an Envoy was lost.
    since = acted if scenario.name == "scale-out" else began
    return {
        "name": scenario.name,
        "what": scenario.what,
        "lossless": scenario.lossless,
        "seconds": round(time.time() - began),
        "clients": of_each(languages, lambda name: _told(stopped, name, began, since, address)),
    }


def _told(stopped: Stopped, name: str, began: float, since: float, address: str) -> Result:
    calls = [call for call in stopped.calls[name] if call.end >= began]
    unanswered = 0
    if name in stopped.waiting:
        # Not told by the client: calls are sent at its rate, and each that has ended is told.
        sent = 1 + round((stopped.at - stopped.calls[name][0].at) * RATE)
        unanswered = max(0, sent - len(stopped.calls[name]))
    return account(calls, unanswered, stopped.opened[name], since, address)


def share(account: Result) -> float:
    """The share that failed of the calls of `PERIOD`, in percent."""
    return 100 * account["failed"] / (account["rate"] * PERIOD)


def findings(result: Result) -> list[Finding]:
    """With the contract nothing is lost, and a sudden death costs no more than its goal."""
    found = [
        Finding(f"{scenario['what']}: it can be tried", False, scenario["error"])
        for scenario in result["scenarios"]
        if "error" in scenario
    ]
    for scenario in _done(result):
        each = scenario["clients"]
        if scenario["lossless"]:
            lossy = {name: n for name, of in each.items() if (n := of[CONTRACT]["failed"])}
            calls = sum(of[CONTRACT]["calls"] for of in each.values())
            told = ", ".join(f"{name} {failed}" for name, failed in lossy.items())
            figure = f"{told or 'none'} of {calls:,} calls, {len(each)} languages"
            found.append(Finding(f"{scenario['what']}: no call fails", not lossy, figure))
            continue
        found += _sudden(scenario)
    return [*found, *_late(result), *_controls(result)]


def _late(result: Result) -> Iterable[Finding]:
    lossless = [scenario for scenario in _done(result) if scenario["lossless"]]
    late = {
        f"{scenario['what']}, {name}": of[CONTRACT]["late"]
        for scenario in lossless
        for name, of in scenario["clients"].items()
    }
    told = "; ".join(f"{who}: {count}" for who, count in late.items() if count)
    claim = "where none fails none is over a second late"
    if lossless:
        # A time: other load on the machine makes calls late.
        yield Finding(claim, not told, told or "none", binding=False)


def _sudden(scenario: Result) -> Iterable[Finding]:
    """A finding for each bound that languages have."""
    shares = {name: share(of[CONTRACT]) for name, of in scenario["clients"].items()}
    goals = dict.fromkeys(shares, GOALS[scenario["name"]])
    if scenario["name"] == LOST:
        goals |= {name: goal for name, goal in NO_USER_TIMEOUT.items() if name in shares}
    for goal in sorted(set(goals.values())):
        those = {name: shares[name] for name in shares if goals[name] == goal}
        figure = ", ".join(f"{name} {value:.2f} %" for name, value in those.items())
        claim = f"{scenario['what']}: at most {goal:g} % of {PERIOD} s of calls fail"
        yield Finding(claim, max(those.values()) <= goal, figure)


def _done(result: Result) -> list[Result]:
    return [scenario for scenario in result["scenarios"] if "error" not in scenario]


def _controls(result: Result) -> Iterable[Finding]:
    for scenario in _done(result):
        if scenario["name"] == LOST:
            lost = {mode: _total(scenario, mode) for mode in MODES}
            figure = f"{lost[DEFAULTS]} failed or late, {lost[CONTRACT]} with the contract"
            claim = "an Envoy's node is lost: the languages' defaults lose more"
            yield Finding(claim, lost[DEFAULTS] > lost[CONTRACT], figure, control=True)


def _total(scenario: Result, mode: str) -> int:
    return sum(bad(of[mode]) for of in scenario["clients"].values())


def draw(result: Result) -> dict[str, Figure]:
    """Who finds a new Envoy, and who leaves a silent one, when."""
    names = {scenario["name"]: scenario for scenario in _done(result)}
    wanted = {
        "scale-out": ("adopted", "Until a new Envoy carries calls (from its name's change)"),
        "envoy-lost": ("left", "Until the last call to a silent Envoy is sent"),
    }
    there = {name: about for name, about in wanted.items() if name in names}
    if not there:
        return {}
    languages = result["languages"]
    with plots.panels(*(title for _, title in there.values())) as (figure, axes):
        for axis, (name, (key, _)) in zip(axes, there.items(), strict=True):
            of = names[name]["clients"]
            ceiling = float(names[name]["seconds"])
            series = {
                mode: [
                    plots.Bar(
                        value=ceiling if (told := _value(of[each][mode], key)) is None else told
                    )
                    for each in languages
                ]
                for mode in MODES
            }
            plots.bars(axis, languages, series, y_label="seconds")
    return {"clients": figure}


def tell(result: Result) -> str:
    """A table of what was lost, and one of times and connections."""
    languages = result["languages"]
    head = f"| | {' | '.join(languages)} |\n| --- |{' --- |' * len(languages)}"
    lost = [
        "Calls failed + late, with the contract and (by default), of the calls with the contract:",
        "",
        head,
    ]
    for scenario in _done(result):
        cells = [lost_and_late(scenario["clients"][name]) for name in languages]
        lost.append(f"| {scenario['what']} | {' | '.join(cells)} |")
    lost += ["", "Connections opened in that time:", "", head]
    for scenario in _done(result):
        cells = [_pair(scenario["clients"][name], "opened") for name in languages]
        lost.append(f"| {scenario['what']} | {' | '.join(cells)} |")
    names = {scenario["name"]: scenario for scenario in _done(result)}
    lost += ["", "Seconds; 0 where a client called other Envoys:", "", head]
    for name, key, what in (
        ("scale-out", "adopted", "until a new Envoy carries calls"),
        ("envoy-killed", "left", "until the last call to a killed Envoy is sent"),
        ("envoy-lost", "left", "until the last call to a silent Envoy is sent"),
    ):
        if name in names:
            cells = [_pair(names[name]["clients"][each], key) for each in languages]
            lost.append(f"| {what} | {' | '.join(cells)} |")
    return "\n".join(lost)


def _pair(of: Result, key: str) -> str:
    told = (_value(of[mode], key) for mode in MODES)
    by, default = ("never" if value is None else f"{value:g}" for value in told)
    return f"{by} ({default})"


def _value(of: Result, key: str) -> float | None:
    """None: never; calls that still wait for a silent Envoy's answer are not told by the client."""
    return None if key == "left" and of["unanswered"] else of[key]


CLIENTS = Experiment(
    title="Clients",
    question="What do clients in five languages lose, by the contract and by default?",
    run=run,
    findings=findings,
    draw=draw,
    tell=tell,
)
