"""Few clients: how one to six client pods load a fleet, by their load-balancing policy."""

import time

from matplotlib.figure import Figure

from experiments import plots, shares
from experiments.experiment import Experiment, Finding, Result, count_failed
from experiments.lab import Lab, spread

ENVOYS = 4
POLICIES = ("pick_first", "round_robin")
SIZES = (1, 2, 3, 4, 5, 6)
_CALLS_EACH = 20  # calls/s of a client


def run(lab: Lab) -> Result:
    """Run all sizes of both policies at once: each client is a channel of its own, and a few calls
    per second do not disturb others."""
    lab.deploy(envoy={"min_replicas": ENVOYS, "max_replicas": ENVOYS})
    fleet = sorted(lab.envoys().values())
    period = lab.times.reconnect_interval.total_seconds()
    periods = 2 if lab.quick else 5
    began = time.time()
    clients = {
        (policy, size): lab.client(
            f"--channels={size}",
            f"--rate={size * _CALLS_EACH}",
            f"--policy={policy}",
            "--duration=24h",
        )
        for policy in POLICIES
        for size in SIZES
    }
    lab.pause(periods * period, f"{periods} periods of {len(clients)} groups of clients")
    rows: list[Result] = []
    for (policy, size), client in clients.items():
        report = client.stop()["targets"]["envoy"]
        windows = report["windows"]
        first = windows[0]["at"] + 1  # the first window includes the start
        each = shares.by_period(windows, first, windows[-1]["at"], period)
        idle = [sum(not w["callers"].get(envoy) for envoy in fleet) for w in windows[1:-1]]
        ratios = [shares.unevenness(calls, fleet)["max_over_mean"] for calls in each]
        rows.append(
            {
                "policy": policy,
                "clients": size,
                "idle": spread(idle),
                "max_over_mean": spread(ratios),
                "opened": _opened(windows, first, first + len(each) * period) / len(each),
                "codes": report["codes"],
            }
        )
    return {"envoys": ENVOYS, "period": period, "periods": periods, "began": began, "rows": rows}


def _opened(windows: list[Result], since: float, until: float) -> int:
    """Connections opened in [since, until)."""
    return sum(window["opened"] for window in windows if since <= window["at"] < until)


def row(result: Result, policy: str, clients: int) -> Result:
    """The measurements of one group."""
    return next(
        row for row in result["rows"] if (row["policy"], row["clients"]) == (policy, clients)
    )


def findings(result: Result) -> list[Finding]:
    """The claims about few clients."""
    sizes = sorted({row["clients"] for row in result["rows"]})
    worst = max(row(result, "round_robin", size)["max_over_mean"]["high"] for size in sizes)
    idle = row(result, "pick_first", 1)["idle"]["median"]
    failed = count_failed(*(r["codes"] for r in result["rows"]))
    renewed = min(row(result, "pick_first", size)["opened"] / size for size in sizes)
    left = row(result, "pick_first", sizes[-1])["idle"]["median"]
    return [
        Finding(
            "round_robin uses every Envoy evenly, even from a single client",
            worst <= 1.1,
            f"max/mean at most {worst:.2f} in any period",
        ),
        Finding(
            "with pick_first a single client leaves all Envoys idle but one",
            idle == result["envoys"] - 1,
            f"{idle:g} of {result['envoys']} idle in the median second",
            control=True,
        ),
        Finding(
            f"{sizes[-1]} pick_first clients use every Envoy at a time",
            left == 0,
            f"{left:g} idle in the median second",
            binding=False,
        ),
        Finding(
            "pick_first clients reconnect once a period",
            renewed >= 0.8,
            f"in the mean of a group at least {renewed:.1f} connections a client and period",
        ),
        Finding("no call fails", not failed, f"{failed} failed"),
    ]


def draw(result: Result) -> dict[str, Figure]:
    """Idle Envoys, and connections opened, by number of clients."""
    sizes = sorted({row["clients"] for row in result["rows"]})
    labels = [str(size) for size in sizes]
    idle, opened = "Envoys without a call", "connections opened"
    with plots.panels(idle, opened) as (figure, (above, below)):
        plots.bars(
            above,
            labels,
            {p: [plots.bar(row(result, p, size)["idle"]) for size in sizes] for p in POLICIES},
            y_label=f"of {result['envoys']}, in a second",
        )
        plots.bars(
            below,
            labels,
            {p: [plots.Bar(value=row(result, p, s)["opened"]) for s in sizes] for p in POLICIES},
            y_label="in a reconnect period",
            x_label="client pods",
        )
    return {"few_clients": figure}


def tell(result: Result) -> str:
    """The page's text."""
    sizes = sorted({row["clients"] for row in result["rows"]})
    lines = [
        f"{result['envoys']} Envoys, {result['periods']} reconnect periods of "
        f"{result['period']:g} s, {_CALLS_EACH} calls/s from each client; all groups at the same "
        "time.",
        "",
        "| clients | policy | idle in a second | max/mean of a period | connections a period |",
        "| --- | --- | --- | --- | --- |",
    ]
    for size in sizes:
        for policy in POLICIES:
            found = row(result, policy, size)
            idle, ratio = found["idle"], found["max_over_mean"]
            lines.append(
                f"| {size} | {policy} | {idle['median']:g} ({idle['low']:g} to {idle['high']:g}) "
                f"| {ratio['median']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f}) "
                f"| {found['opened']:.1f} |"
            )
    lines += [
        "",
        "One connection uses one Envoy, so with no more clients than Envoys some picks "
        "collide and some Envoys idle. "
        "`round_robin`, which the client contract gives, opens a connection to "
        "each Envoy instead: a fleet of *n* costs *n* connections a client and reconnect. That is "
        "the better trade until clients number some times the Envoys; see balance for what "
        "`pick_first` does then.",
    ]
    return "\n".join(lines)


FEW_CLIENTS = Experiment(
    title="Few clients",
    question="Do one to six client pods use the whole fleet?",
    run=run,
    findings=findings,
    draw=draw,
    tell=tell,
)
