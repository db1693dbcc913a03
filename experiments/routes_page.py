"""The plots and the text of `routes`."""

from matplotlib.figure import Figure

from experiments import plots
from experiments.experiment import Result
from experiments.lab import spread
from experiments.route_changes import AT_ONCE, CHANGED, CHANGES, NO_ROUTE

_BENCHMARK = "https://github.com/howardjohn/gateway-api-bench"


def draw(result: Result) -> dict[str, Figure]:
    """Times to and from a route, the others' p99, and memory, by number of routes."""
    rows = result["rows"]
    labels = [f"{row['routes']:,}" for row in rows]
    ones = [_phase(row, "one")["measured"] for row in rows]
    times = {
        "added": [_bar(one["added"]) for one in ones],
        "removed": [_bar(one["removed"]) for one in ones],
    }
    latency = {
        name: [plots.Bar(value=_phase(row, key)["others"]["p99"]["median"]) for row in rows]
        for name, key in (
            ("quiet", "quiet"),
            ("one by one", "one"),
            (f"{AT_ONCE} added", "add"),
            (f"{AT_ONCE} changed", "change"),
        )
    }
    kinds = ("contour", "envoy")
    memory = {k: [plots.Bar(value=row["mebibytes"][k]) for row in rows] for k in kinds}
    titles = (
        "From apply or delete until every Envoy routes so",
        "Calls to others: p99 of a second (median)",
        "Memory of the largest pod",
    )
    with plots.panels(*titles, height=2.6) as (figure, (first, second, third)):
        plots.bars(first, labels, times, y_label="seconds")
        plots.bars(second, labels, latency, y_label="milliseconds")
        plots.bars(third, labels, memory, y_label="MiB", x_label="routes")
    return {"routes": figure}


def _phase(row: Result, name: str) -> Result:
    return next(each for each in row["phases"] if each["name"] == name)


def _bar(seconds: list[float]) -> plots.Bar:
    return plots.bar(spread(seconds)) if seconds else plots.Bar(value=0.0)


def tell(result: Result) -> str:
    """The page's text."""
    rows = result["rows"]
    lines = [
        "Each route is a service of its own, made as `GrpcService` makes it, without its name "
        "(Route53 has limits of its own); two servers stand behind all, two Contours and two "
        "Envoys. "
        f"{result['calls_per_second']} unary calls a second, by `round_robin` and by `pick_first`, "
        "and streams of 2 s, to services that are left alone (others) and to the one that is "
        "changed. Late is a call that took over a second more than the median. p99 is that of "
        "one second: the median of all, and the worst.",
        "",
        "| routes | all routed after | one added, routed after | removed, not routed after "
        f"| {AT_ONCE} added | {AT_ONCE} removed | Contour works it out in | Contour | Envoy |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        one = _phase(row, "one")["measured"]
        lines.append(
            f"| {row['routes']:,} | {row['seconds']:.0f} s ({row['added']:,} at once) "
            f"| {_seconds(one['added'])} | {_seconds(one['removed'])} "
            f"| {_phase(row, 'add')['measured']['seconds']:.0f} s "
            f"| {_phase(row, 'remove')['measured']['seconds']:.0f} s "
            f"| {1000 * row['rebuild_seconds']:.0f} ms "
            f"| {row['mebibytes']['contour']:,.0f} MiB | {row['mebibytes']['envoy']:,.0f} MiB |"
        )
    lines += ["", f"Calls that failed, of others and of the service `{CHANGED}`:", ""]
    columns = "".join(
        f"| {row['routes']:,} routes: failed | p99 of others, ms (worst) " for row in rows
    )
    lines += [f"| what happens {columns}|", f"| --- {'| --- | --- ' * len(rows)}|"]
    for name, what in [("quiet", "nothing")] + [(c.name, c.what) for c in CHANGES]:
        cells: list[str] = []
        for row in rows:
            each = _phase(row, name)
            others, changed = (sum(each[who]["failed"].values()) for who in ("others", CHANGED))
            p99 = each["others"]["p99"]
            cells += [f"{others} and {changed:,}", f"{p99['median']:.0f} ({p99['high']:.0f})"]
        lines.append(f"| {what} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", *_conclusions(result)])


def _seconds(values: list[float]) -> str:
    if not values:
        return "never"
    told = spread(values)
    return f"{told['median']:.1f} s ({told['low']:.1f} to {told['high']:.1f})"


def _conclusions(result: Result) -> list[str]:
    last = result["rows"][-1]
    return [
        "A change of a route or of a cluster's settings is new configuration for the same "
        "listener, so connections stay. Another port is another cluster for Envoy: calls that come "
        "after the old one is gone and before the new route fail (UNAVAILABLE, without a message: "
        "no cluster), those in flight end well. An Ingress that is deleted and made again "
        f"loses every call in between: the control does so for {NO_ROUTE:g} s.",
        "",
        "Contour sends all routes and all clusters anew at each change, whatever changed, so the "
        f"cost of one grows with all: at {last['routes']:,} routes each rebuild takes Contour "
        f"{1000 * last['rebuild_seconds']:.0f} ms. Many services at once wait for the controller "
        "that makes EndpointSlices, at 20 a second by default, longer than for Contour. An Envoy "
        "near the memory of its limit refuses calls (the overload manager): raise "
        "`envoy.memory` and `contour.memory` before the services come; here Envoy had 4 GiB.",
        "",
        f"[gateway-api-bench]({_BENCHMARK}) is the field's benchmark of this, for the Gateway API; "
        "Contour is not in it. It asks three things that are asked here too: whether any request "
        "fails while one route's backend port and headers change in turns, how long a new route "
        "takes until it answers (up to 3,000 of them), and what 5,000 routes cost in CPU and "
        "memory. Its requests are plain HTTP, on a machine with 16 cores, and it compares many "
        "gateways. Here they are gRPC calls and streams on long-lived connections, to services "
        "that are left alone too, with removal beside addition, on two cores and one gateway. Its "
        "Service keeps both ports, so its change is like the new selector here, not like the new "
        "port.",
    ]
