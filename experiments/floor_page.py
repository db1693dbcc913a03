"""The figures of the floor, and the page's text about them."""

from typing import Any

from experiments import paired
from experiments.envoy_variants import SAME, UNUSED, VARIANTS
from experiments.experiment import Result
from experiments.paired import DIRECT, QUANTILES, SHIPPED

BARE = "bare"
HOPS = {
    "relaytcp": "relay that copies bytes (ours, Go)",
    "relayhttp2": "relay of HTTP/2 frames (ours, Go)",
    "copying": "Envoy that copies bytes",
    BARE: "bare Envoy: one static route, no log, no filter",
    SHIPPED: "Envoy as shipped",
}
"""By the prefix of its pods, from least to most."""
GAIN = 0.03
"""A setting gains something when it takes this part off what the copy adds, or off its CPU."""


def ratios(result: Result) -> dict[str, dict[str, float]]:
    """What the hop as shipped costs, as a multiple of a bare Envoy's cost, of runs with these two
    alone."""
    one, full = result["pair"]["one"], result["pair"]["saturation"]
    return {
        "p50": paired.added_ratio(one, SHIPPED, BARE, "p50"),
        "p99": paired.added_ratio(one, SHIPPED, BARE, "p99"),
        "cpu": paired.cpu_ratio(full, SHIPPED, BARE),
    }


def gains(result: Result) -> dict[str, dict[str, float]]:
    """By variant, the part it takes off what the copy adds (p50) and off its CPU for a call."""
    one, full = result["variants"]["one"], result["variants"]["full"]
    return {
        name: {
            "p50": 1 - paired.added_ratio(one, name, SAME.name, "p50")["median"],
            "p99": 1 - paired.added_ratio(one, name, SAME.name, "p99")["median"],
            "cpu": 1 - paired.cpu_ratio(full, name, SAME.name)["median"],
        }
        for name in one[0]
        if name != DIRECT
    }


def tell(result: Result) -> str:
    """The page's text."""
    lines = [
        "One server and one hop of each kind, all called in turn by one client; one worker in each "
        f"Envoy. {result['repeats']} repeats; in brackets the least and the most of them. Added is "
        "the hop's quantile less the direct call's in the same run.",
        "",
        "| one call at a time | adds p50 | p99 | p99.9 |",
        "| --- | --- | --- | --- |",
    ]
    one = paired.summary(result["one"])
    lines += [f"| {HOPS[name]} | {_added(one[name])} |" for name in HOPS]
    for rate, runs in result["rates"].items():
        at_rate = paired.summary(runs)
        lines += [
            "",
            f"| {int(rate):,} calls/s each way | adds p50 | p99 | p99.9 | CPU a call |",
            "| --- | --- | --- | --- | --- |",
            *(
                f"| {HOPS[name]} | {_added(at_rate[name])} | {_range(at_rate[name]['cpu'], '.0f')} "
                "µs |"
                for name in HOPS
            ),
        ]
    full = paired.summary(result["saturation"])
    lines += [
        "",
        "| saturation | calls/s | p50 | p99 | p99.9 | CPU a call |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, what in {DIRECT: "no hop", **HOPS}.items():
        found = full[name]
        ms = found["milliseconds"]
        cpu = f"{_range(found['cpu'], '.0f')} µs" if name in HOPS else "–"
        lines.append(
            f"| {what} | {found['calls_per_second']['median']:,.0f} | "
            + " | ".join(f"{ms[q]['median']:.1f} ms" for q in QUANTILES)
            + f" | {cpu} |"
        )
    pair = paired.summary(result["pair"]["one"])
    cpu = paired.summary(result["pair"]["saturation"])
    lines += [
        "",
        "| the two Envoys alone | adds p50 | p99 | p99.9 | CPU a call at saturation |",
        "| --- | --- | --- | --- | --- |",
        *(
            f"| {HOPS[name]} | {_added(pair[name])} | {_range(cpu[name]['cpu'], '.0f')} µs |"
            for name in (BARE, SHIPPED)
        ),
    ]
    return "\n".join([*lines, *_tell_profiles(result), *_tell_variants(result)])


def _tell_profiles(result: Result) -> list[str]:
    if not result["profiles"]:
        return ["", "perf is not there: no profile."]
    full = paired.summary(result["saturation"])
    lines = [
        "",
        "What lies between, by perf's samples of the CPU clock at saturation:",
        "",
        "| µs a call | in the kernel | in libc | in its own code | code that 90 % of that needs |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, found in result["profiles"].items():
        cpu = full[name]["cpu"]["median"]
        shares = " | ".join(f"{cpu * found[kind]:.1f}" for kind in ("kernel", "libc", "own"))
        lines.append(f"| {HOPS[name]} | {shares} | {found['kib_of_hot_code']:,.0f} KiB |")
    return [
        *lines,
        "",
        "The kernel's part is nearly the same with all: a hop receives and sends the same bytes. "
        "The difference is Envoy's own code for HTTP/2, headers, routing and counting. It has no "
        "hot spot that a setting could remove: its time is spread over so much code that it does "
        "not fit the processor's first caches.",
    ]


def _tell_variants(result: Result) -> list[str]:
    found = gains(result)
    lines = [
        "",
        "Each setting on a copy of the Envoy as shipped, all copies called in turn in one run. A "
        "minus is a gain; "
        f"less than {GAIN:.0%} counts as none.",
        "",
        "| copy with | set by | added p50 | p99 | CPU a call | |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for variant in VARIANTS:
        if variant.name not in found or variant is SAME:
            continue
        gain = found[variant.name]
        cells = " | ".join(f"{-gain[key]:+.0%}" for key in ("p50", "p99", "cpu"))
        through = variant.through or "Contour fixes it"
        lines.append(f"| {variant.what} | {through} | {cells} | {verdict(variant, gain)} |")
    if unused := found.get(UNUSED):
        lines += [
            "",
            f"Filters that gRPC does not use make up {unused['p50']:.0%} of what Envoy adds and "
            f"{unused['cpu']:.0%} of its CPU. Contour 1.33 gives them to every listener. The rest "
            "of the difference to a bare Envoy is the access log and the metrics that the docs "
            "promise.",
        ]
    return lines


def verdict(variant: Any, gain: dict[str, float]) -> str:
    """What the figures mean for a default."""
    if min(gain["p50"], gain["cpu"]) <= -GAIN:
        return "costs more"
    if max(gain["p50"], gain["cpu"]) < GAIN:
        return "gains nothing"
    if variant.loses:
        return f"loses {variant.loses}"
    return "gains" if variant.through else "cannot be set"


def _added(found: Result) -> str:
    return " | ".join(f"{_range(found['added'][q], '.3f')} ms" for q in QUANTILES)


def _range(values: dict[str, float], form: str) -> str:
    median, low, high = (format(values[key], form) for key in ("median", "low", "high"))
    return median if low == high else f"{median} ({low} to {high})"
