"""The figures of the peers, and the page's text about them."""

from collections.abc import Iterator, Mapping

from experiments import hops, paired, shares
from experiments.experiment import Result, count_failed
from experiments.paired import SHIPPED
from experiments.peer_hops import CONTROL

NAMES = {
    SHIPPED: "Envoy as shipped",
    "caddy": "Caddy",
    "nginx": "nginx",
    "haproxy": "HAProxy",
    CONTROL: "L4 balancer",
}
EVEN = 1.15
"""Calls of a hop count as even over the servers up to this max/mean."""
STAYS = 0.05
"""New servers or hops with at most this part of the calls count as not found."""
SERVERS, HOPS = 3, 2
"""At the start; the scale-out doubles both, so that half of the calls should go to the new ones."""
_SCENARIOS = {"route change": "a changed route", "rollout": "a rollout of the hop"}
_NEW = {"to_new_servers": "servers", "to_new_hops": "hops"}


def lost(told: Result) -> dict[str, int]:
    """Failed calls and cut streams of a scenario, by kind."""
    return {kind: count_failed(told[kind]["codes"]) for kind in ("calls", "streams")}


def unevenness(told: Result) -> float:
    """Of calls over the servers; those that got none count too."""
    calls = told["calls"]["pods"]
    return shares.unevenness(calls, _servers(calls))["max_over_mean"]


def _servers(calls: Mapping[str, int]) -> list[str]:
    """By name, with one for each that got no call."""
    return [*calls, *(f"idle {n}" for n in range(SERVERS - len(calls)))]


def tell(result: Result) -> str:
    """The page's text."""
    one, full = (paired.summary(result["cost"][key]) for key in ("one", "saturation"))
    present = [name for name in NAMES if name in result["balance"]]
    absent = [NAMES[name] for name in NAMES if name not in present]
    lines = [
        f"Fleets of {HOPS} of each kind before the same {SERVERS} servers, all scenarios for all "
        "at once. Each is configured for gRPC as its own documentation says, and ends its pods by "
        f"its own graceful stop, {hops.PRE_STOP} s after the pod has left its name. Twice as many "
        "servers and hops are then added while connections are up: an even share of the new ones "
        "is 50 %." + (f" Not on this machine: {', '.join(absent)}." if absent else ""),
        "",
        "| | adds p50 | p99 | CPU a call | max/mean of servers | to new servers | to new hops "
        "| lost by a changed route | lost by a rollout |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name in present:
        scaled = _scaled(result, name)
        cells = [
            *(f"{one[name]['added'][q]['median']:.2f} ms" for q in ("p50", "p99")),
            f"{full[name]['cpu']['median']:.0f} µs",
            f"{unevenness(result['balance'][name]):.2f}",
            *(f"{scaled[key]:.0%}" if scaled else "–" for key in _NEW),
            *(_losses(result, name, scenario) or "–" for scenario in _SCENARIOS),
        ]
        lines.append(f"| {NAMES[name]} | {' | '.join(cells)} |")
    lines += ["", "Why Envoy with Contour, and not one of these, by this run:", ""]
    cost = result["cost"]
    for name in (name for name in present if name != SHIPPED):
        adds = paired.added_ratio(cost["one"], name, SHIPPED, "p50")["median"]
        cpu = paired.cpu_ratio(cost["saturation"], name, SHIPPED)["median"]
        costs = f"adds {adds:.2f} times what Envoy adds, for {cpu:.2f} times its CPU"
        lines.append(f"- {NAMES[name]} {'; '.join([costs, *_lacks(result, name)])}.")
    return "\n".join(
        [
            *lines,
            "",
            "nginx ends a connection after 1,000 requests by default (`keepalive_requests`), which "
            "spreads clients over its hops as max connection duration does. It looks its servers' "
            "name up only when it starts (from 1.27.3 on `resolve` follows it). None of them "
            "watches Kubernetes itself: here a changed route is a new file and a reload, which "
            "takes a controller. Contour sends it to Envoy over xDS.",
        ]
    )


def _scaled(result: Result, name: str) -> Result:
    return result.get("scale-out", {}).get(name, {}).get("calls", {})


def _losses(result: Result, name: str, scenario: str) -> str:
    """Empty where the scenario was not run with this hop."""
    if scenario not in result or name == CONTROL:
        return ""
    counts = lost(result[scenario][name])
    return f"{counts['calls']:,} calls, {counts['streams']:,} streams"


def _lacks(result: Result, name: str) -> Iterator[str]:
    """What this run shows of a peer that the platform promises."""
    if (ratio := unevenness(result["balance"][name])) > EVEN:
        yield f"spreads unevenly (max/mean {ratio:.2f})"
    for key, what in _NEW.items():
        share = _scaled(result, name).get(key, 0.5)
        if share < 0.25:
            yield f"sends {share:.0%} to new {what} where half is even"
    for scenario, what in _SCENARIOS.items():
        if name != CONTROL and scenario in result and any(lost(result[scenario][name]).values()):
            yield f"loses {_losses(result, name, scenario)} by {what}"
