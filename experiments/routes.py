"""Routes: services added, changed and removed while they and others are called."""

import time
from collections.abc import Callable, Iterable
from typing import Any

from experiments import routes_page
from experiments.experiment import Experiment, Finding, Result
from experiments.growth import highest_memory, means, updates, wait_until_routed
from experiments.lab import Lab, spread
from experiments.lost_nodes import account, settle, stop
from experiments.route_changes import CHANGED, CHANGES, Services, counters
from grpc_platform.quantities import memory_bytes
from grpc_platform.specs import ContourSpec, EnvoySpec
from testbed.load.sampler import Sampler

SIZES = (10, 1_000, 5_000)
_QUICK_SIZES = (10, 100)
_MEMORY = "4Gi"  # of an Envoy: 5,000 routes do not fit its default
_QUIET = 20.0
_AFTER = 5.0  # seconds after a change whose calls count with it
_STREAM = 2.0
_STREAMS = "streams"
_STREAMING = (
    "--policy=round_robin",
    "--channels=4",
    "--rate=4",
    f"--stream={_STREAM}s",
    "--interval=100ms",
)
OTHERS = "others"
CLIENTS: dict[tuple[str, str], tuple[str, tuple[str, ...]]] = {
    (OTHERS, "round_robin"): ("load", ("--policy=round_robin", "--channels=4", "--rate=200")),
    (OTHERS, "pick_first"): ("load", ("--policy=pick_first", "--channels=8", "--rate=200")),
    (OTHERS, _STREAMS): ("streams", _STREAMING),
    (CHANGED, "round_robin"): (CHANGED, ("--policy=round_robin", "--channels=4", "--rate=100")),
    (CHANGED, "pick_first"): (CHANGED, ("--policy=pick_first", "--channels=8", "--rate=100")),
    (CHANGED, _STREAMS): (CHANGED, _STREAMING),
}
"""By whom they call and how: the service, and the arguments."""


def run(lab: Lab) -> Result:
    """Add services up to each size, and make all `CHANGES` there while clients call."""
    selector = {"app.kubernetes.io/name": "load"}
    lab.deploy(
        envoy={"min_replicas": 2, "max_replicas": 2, "memory": _MEMORY},
        services={CHANGED: {"selector": selector}},
    )
    services = Services(lab)
    services.serve_others()
    rows: list[Result] = []
    made = 3  # the program's own services
    for size in _QUICK_SIZES if lab.quick else SIZES:
        lab.say(f"{size:,} routes")
        names = [f"route-{number:04}" for number in range(made, size)]
        made = size
        rows.append({"routes": size, "added": len(names), **_measure(lab, services, names)})
    return {"rows": rows, "calls_per_second": 600}


def _measure(lab: Lab, services: Services, names: list[str]) -> Result:
    before = updates(lab)
    with Sampler(lab.cluster) as sampler:
        began = time.monotonic()
        services.add(names)
        missed = wait_until_routed(lab, names)
        took = time.monotonic() - began
        clients = {
            f"{whom} {how}": lab.client(
                *arguments, "--deadline=14.5s", targets={"envoy": lab.target(service)}
            )
            for (whom, how), (service, arguments) in CLIENTS.items()
        }
        settle(lab, clients)
        phases = [_watch(lab, "quiet", lambda: _poll(lab, _QUIET))]
        for change in CHANGES:
            lab.say(change.what)
            phases.append(_watch(lab, change.name, lambda act=change.act: act(lab, services)))
        reports = stop(clients)
    return {
        "seconds": took,
        "missed": len(missed),
        "mebibytes": highest_memory(sampler.samples),
        "phases": [phase | _accounts(reports, phase) for phase in phases],
        "slow": sum(report["slow"] for report in _unary(reports).values()),
        "failures": [f for report in reports.values() for f in report["failures"]][:20],
        **means(before, updates(lab)),
    }


def _poll(lab: Lab, seconds: float) -> None:
    """Ask the Envoys all the time, as it is done during a change."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        counters(lab)
        lab.pause(0.2)


def _watch(lab: Lab, name: str, act: Callable[[], Any]) -> Result:
    began = time.time()
    measured = act()
    seconds = time.time() - began
    lab.pause(_AFTER)
    return {
        "name": name,
        "began": began,
        "seconds": seconds,
        "ended": time.time(),
        "measured": measured,
    }


def _accounts(reports: dict[str, Result], phase: Result) -> Result:
    """The calls of a phase, by whom. A stream that it met was sent up to its length before."""
    began, seconds = phase["began"] - _STREAM, phase["ended"] - phase["began"]
    return {
        whom: _account({n: r for n, r in reports.items() if n.startswith(whom)}, began, seconds)
        for whom in (OTHERS, CHANGED)
    }


def _account(reports: dict[str, Result], began: float, seconds: float) -> Result:
    each = {name: account(report, began, seconds) for name, report in reports.items()}
    unary = [
        window["p99"]
        for report in _unary(reports).values()
        for window in report["windows"]
        if began - 1 < window["at"] <= began + seconds - 1 and window["p99"] is not None
    ]
    return {
        "calls": sum(a["calls"] for a in each.values()),
        "failed": {name.rpartition(" ")[2]: a["failed"] for name, a in each.items()},
        "p99": spread(unary),
    }


def _unary(reports: dict[str, Result]) -> dict[str, Result]:
    return {name: report for name, report in reports.items() if not name.endswith(_STREAMS)}


def failed(row: Result, whom: str, phases: Iterable[str]) -> int:
    """Calls of these clients that failed in these phases."""
    return sum(
        sum(phase[whom]["failed"].values()) for phase in row["phases"] if phase["name"] in phases
    )


def phase(row: Result, name: str) -> Result:
    """A row's phase of that name."""
    return next(each for each in row["phases"] if each["name"] == name)


def findings(result: Result) -> list[Finding]:
    """The claims about changes, at each number of routes."""
    every = {"quiet", *(change.name for change in CHANGES)}
    claimed = {c.name for c in CHANGES if c.lossless and not c.control} | {"quiet"}
    control = {change.name for change in CHANGES if change.control}
    found: list[Finding] = []
    for row in result["rows"]:
        size = f"{row['routes']:,} routes"
        calls = {
            whom: sum(each[whom]["calls"] for each in row["phases"]) for whom in (OTHERS, CHANGED)
        }
        lost = {whom: failed(row, whom, claimed) for whom in (OTHERS, CHANGED)}
        others = failed(row, OTHERS, every)
        without = failed(row, CHANGED, control)
        found += [
            Finding(
                f"{size}: services are added, changed and removed, and no call to others is lost",
                not others and calls[OTHERS] > 0,
                f"{others} of {calls[OTHERS]:,}",
            ),
            Finding(
                f"{size}: nor one to the service whose timeout, retries, circuit breakers and "
                "servers change",
                not lost[CHANGED] and calls[CHANGED] > 0,
                f"{lost[CHANGED]} of {calls[CHANGED]:,}",
            ),
            Finding(
                f"{size}: its Ingress is taken away: its calls are lost",
                without > 0,
                f"{without:,}",
                control=True,
            ),
            Finding(
                f"{size}: no unary call is over a second late",
                not row["slow"],
                f"{row['slow']}",
                # A time: other load on the machine makes calls late.
                binding=False,
            ),
        ]
    return found + _sizes(result)


def _sizes(result: Result) -> list[Finding]:
    rows = result["rows"]
    first, last = rows[0], rows[-1]
    new = [phase(row, "one")["measured"]["added"] for row in (first, last)]
    medians = [spread(each)["median"] if each else float("inf") for each in new]
    missed = sum(row["missed"] + phase(row, "add")["measured"]["missed"] for row in rows)
    added = sum(row["added"] + phase(row, "add")["measured"]["added"] for row in rows)
    memory = {
        "contour": memory_bytes(ContourSpec().memory) / 2**20,
        "envoy": memory_bytes(EnvoySpec().memory) / 2**20,
    }
    fits = [
        row["routes"]
        for row in rows
        if all(row["mebibytes"][kind] <= limit for kind, limit in memory.items())
    ]
    return [
        Finding(
            f"one more is routed as soon with {last['routes']:,} routes as with {first['routes']}",
            medians[1] <= 3 * medians[0],
            f"{medians[0]:.1f} s, {medians[1]:.1f} s",
            binding=False,
        ),
        Finding(
            "every new service gets its endpoints",
            not missed,
            f"{missed} of {added:,} got none until theirs changed",
            # A fault of Contour, not of this platform.
            binding=False,
        ),
        Finding(
            f"{last['routes']:,} routes fit the default memory",
            last["routes"] in fits,
            f"Contour {last['mebibytes']['contour']:,.0f} of {memory['contour']:,.0f} MiB, "
            f"Envoy {last['mebibytes']['envoy']:,.0f} of {memory['envoy']:,.0f} MiB",
            binding=False,
        ),
    ]


ROUTES = Experiment(
    title="Routes change under load",
    question="Is a call lost when services are added, changed and removed, and how soon are they "
    "routed?",
    run=run,
    findings=findings,
    draw=routes_page.draw,
    tell=routes_page.tell,
)
