"""Policies: few, some and many clients with each load-balancing policy of the client contract."""

import time

from matplotlib.figure import Figure

from experiments import plots, shares
from experiments.experiment import Experiment, Finding, Result, count_failed
from experiments.lab import Lab, spread
from grpc_platform.service_config import SUBSET_SIZE

ENVOYS = 6
POLICIES = ("pick_first", "random_subsetting", "round_robin")
_OPENED = {
    "pick_first": (1, 2),
    "random_subsetting": (SUBSET_SIZE, SUBSET_SIZE),
    "round_robin": (ENVOYS, ENVOYS),
}
"""Connections that a client opens in a period, at least and at most."""
CALLS_EACH = {5: 20.0, 50: 4.0, 500: 0.5}
"""Calls a second of each client, by the number of clients."""


def run(lab: Lab) -> Result:
    """All groups at once; a group's channels are its clients, started over one period."""
    lab.deploy(envoy={"min_replicas": ENVOYS, "max_replicas": ENVOYS})
    fleet = sorted(lab.envoys().values())
    period = lab.times.reconnect_interval.total_seconds()
    periods = 2 if lab.quick else 5
    sizes = list(CALLS_EACH)[:2] if lab.quick else list(CALLS_EACH)
    clients = {
        (policy, size): lab.client(
            f"--channels={size}",
            f"--rate={size * CALLS_EACH[size]}",
            f"--policy={policy}",
            f"--start-over={period}s",
            "--duration=24h",
        )
        for policy in POLICIES
        for size in sizes
    }
    lab.pause(period + 10, "the clients start")
    began = time.time()
    lab.pause(periods * period, f"{periods} periods of {len(clients)} groups of clients")
    rows: list[Result] = []
    for (policy, size), client in clients.items():
        report = client.stop()["targets"]["envoy"]
        windows = [w for w in report["windows"] if began <= w["at"] < began + periods * period]
        each = shares.by_period(windows, began, began + periods * period, period)
        rows.append(
            {
                "policy": policy,
                "clients": size,
                "max_over_mean": spread(
                    [shares.unevenness(calls, fleet)["max_over_mean"] for calls in each]
                ),
                "opened": sum(w["opened"] for w in windows) / periods,
                "codes": report["codes"],
            }
        )
    return {"envoys": ENVOYS, "period": period, "periods": periods, "rows": rows}


def row(result: Result, policy: str, clients: int) -> Result:
    """The measurements of one group."""
    return next(
        row for row in result["rows"] if (row["policy"], row["clients"]) == (policy, clients)
    )


def _sizes(result: Result) -> list[int]:
    return sorted({row["clients"] for row in result["rows"]})


def findings(result: Result) -> list[Finding]:
    """The claims behind the contract's choice of a policy."""
    sizes = _sizes(result)
    few, many = sizes[0], sizes[-1]
    worst = max(row(result, "round_robin", size)["max_over_mean"]["high"] for size in sizes)
    uneven = {p: row(result, p, few)["max_over_mean"]["median"] for p in POLICIES}
    opened = {p: row(result, p, many)["opened"] / many for p in POLICIES}
    failed = count_failed(*(r["codes"] for r in result["rows"]))
    told = ", ".join(f"{count:.1f} by {policy}" for policy, count in opened.items())
    return [
        Finding(
            "round_robin is even with any number of clients",
            worst <= 1.1,
            f"max/mean at most {worst:.2f} in any period",
        ),
        Finding(
            f"with {few} clients pick_first is the least even",
            uneven["pick_first"] == max(uneven.values()),
            ", ".join(f"{ratio:.2f} by {policy}" for policy, ratio in uneven.items()),
            control=True,
        ),
        Finding(
            f"a client of {many} opens one or two connections a period by pick_first, "
            f"{SUBSET_SIZE} by random_subsetting, {result['envoys']} by round_robin",
            all(
                0.8 * low <= opened[policy] <= 1.2 * high for policy, (low, high) in _OPENED.items()
            ),
            told,
        ),
        Finding("no call fails", not failed, f"{failed} failed"),
    ]


def draw(result: Result) -> dict[str, Figure]:
    """Evenness and connections, by policy and number of clients."""
    sizes = _sizes(result)
    labels = [f"{size} clients" for size in sizes]
    with plots.panels("the busiest Envoy over the mean", "connections opened") as (
        figure,
        (above, below),
    ):
        plots.bars(
            above,
            labels,
            {
                policy: [plots.bar(row(result, policy, size)["max_over_mean"]) for size in sizes]
                for policy in POLICIES
            },
            y_label="of one period",
        )
        plots.bars(
            below,
            labels,
            {
                policy: [
                    plots.Bar(value=row(result, policy, size)["opened"] / size) for size in sizes
                ]
                for policy in POLICIES
            },
            y_label="by a client in a period",
        )
    return {"policies": figure}


def tell(result: Result) -> str:
    """The page's text."""
    period = result["period"]
    lines = [
        f"{result['envoys']} Envoys, {result['periods']} reconnect periods of {period:g} s, all "
        f"groups at the same time, on grpc-go. `random_subsetting` takes {SUBSET_SIZE} Envoys "
        "([gRFC A68](https://github.com/grpc/proposal/blob/master/A68-random-subsetting.md)).",
        "",
        "| clients | policy | max/mean of a period | opened by a client | opened a second |",
        "| --- | --- | --- | --- | --- |",
    ]
    for size in _sizes(result):
        for policy in POLICIES:
            found = row(result, policy, size)
            ratio = found["max_over_mean"]
            lines.append(
                f"| {size} | {policy} | {ratio['median']:.2f} ({ratio['low']:.2f} to "
                f"{ratio['high']:.2f}) | {found['opened'] / size:.1f} "
                f"| {found['opened'] / period:.1f} |"
            )
    lines += [
        "",
        "A client holds one connection by `pick_first`, but may open two in a period: when the "
        "look-up's answer comes while it still connects, it [begins again with the list shuffled "
        "anew](https://github.com/grpc/grpc-go/blob/v1.85.0/balancer/pickfirst/pickfirst.go) and "
        "closes the one that is ready later. Opened a second is of this period: at the true times "
        "divide it by the factor.",
    ]
    return "\n".join(lines)


POLICIES_COMPARED = Experiment(
    title="Balancing policies",
    question="Which policy for how many clients: how even, and for how many connections?",
    run=run,
    findings=findings,
    draw=draw,
    tell=tell,
)
