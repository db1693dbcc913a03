"""The floor: the hop as shipped beside the least that any hop can add, in one run."""

import json

from matplotlib.figure import Figure

from experiments import cpu_profile, hops, paired, plots
from experiments.envoy_variants import VARIANTS, static_copy
from experiments.experiment import Experiment, Finding, Result, count_failed
from experiments.floor_page import BARE, HOPS, gains, ratios, tell
from experiments.lab import ZONE, Lab
from experiments.paired import DIRECT, SHIPPED
from grpc_platform.conventions import CONTOUR_NAMESPACE
from testbed.cluster.apps import CONFIG_DUMP_URL
from testbed.disruptions import pods
from testbed.load import clients

GOALS = {"p50": 1.1, "p99": 1.2, "cpu": 1.1}
"""What the hop as shipped may add, as a multiple of what a bare Envoy adds."""
_RATES = (50, 100, 200)
"""Calls a second each way: six ways at the highest take about half of two cores."""
_ROUNDS = 5
"""Of both Envoys at saturation, one after the other: the ratio of two times that vary."""
_AUTHORITY = f"--authority=load.{ZONE}"


def run(lab: Lab) -> Result:
    """One server; a hop of each kind, and the platform's Envoy."""
    lab.deploy(envoy={"min_replicas": 1, "max_replicas": 1})
    lab.serve(1)
    beside = (
        hops.relay("relaytcp", "tcp"),
        hops.relay("relayhttp2", "http2"),
        hops.envoy("copying", hops.copying()),
        hops.envoy(BARE, hops.bare()),
    )
    hops.start(lab, *beside)
    targets = {DIRECT: clients.DIRECT, **{hop.name: hop.target for hop in beside}}
    targets[SHIPPED] = lab.target()
    alone, seconds, repeats = (4, 4, 1) if lab.quick else (25, 15, 3)
    lab.say("one call at a time")
    one = [paired.in_turn(lab, targets, _AUTHORITY, seconds=alone) for _ in range(repeats)]
    rates: dict[str, list[Result]] = {}
    for rate in _RATES if not lab.quick else ():
        lab.say(f"{rate} calls/s each way")
        flags = (_AUTHORITY, f"--rate={rate * len(targets)}", "--channels=8")
        rates[str(rate)] = [
            paired.in_turn(lab, targets, *flags, seconds=seconds) for _ in range(repeats)
        ]
    lab.say("saturation")
    short = max(3, seconds // 3)
    full = [paired.saturate(lab, targets, seconds=short) for _ in range(repeats)]
    lab.say("the two Envoys alone")
    two = {name: targets[name] for name in (DIRECT, BARE, SHIPPED)}
    pair = {
        "one": [paired.in_turn(lab, two, _AUTHORITY, seconds=alone) for _ in range(repeats)],
        "saturation": [
            paired.saturate(lab, two, seconds=short) for _ in range(1 if lab.quick else _ROUNDS)
        ],
    }
    lab.say("profiles")
    profiles = _profiles(lab, targets)
    lab.say("copies with one setting changed")
    variants = _variants(lab, targets[DIRECT], seconds)
    return {
        "seconds": seconds,
        "repeats": repeats,
        "one": one,
        "rates": rates,
        "saturation": full,
        "pair": pair,
        "profiles": profiles,
        "variants": variants,
    }


def _profiles(lab: Lab, targets: dict[str, str]) -> Result:
    """Each hop's profile at saturation; empty where perf is missing."""
    found: Result = {}
    for name in HOPS:
        namespace = CONTOUR_NAMESPACE if name == SHIPPED else "default"
        client = lab.client(
            *("--channels=8", "--concurrency=16", "--duration=2m"), targets={name: targets[name]}
        )
        lab.wait_until_running(client)
        lab.pause(1)
        (pod,) = (pod["metadata"]["name"] for pod in pods.of_app(lab.cluster, name, namespace))
        profile = cpu_profile.profile(lab, pod, name, namespace)
        client.stop()
        if profile is None:
            return {}
        found[name] = profile
    return found


def _variants(lab: Lab, direct: str, seconds: int) -> Result:
    """Copies of the Envoy as shipped, all called in turn."""
    (pod,) = lab.envoys()
    dump = pods.fetch_within(lab.cluster, CONTOUR_NAMESPACE, pod, SHIPPED, CONFIG_DUMP_URL)
    shipped = static_copy(json.loads(dump))
    wanted = VARIANTS[:2] if lab.quick else VARIANTS
    each = [variant.hop(shipped) for variant in wanted]
    hops.start(lab, *each)
    targets = {DIRECT: direct, SHIPPED: lab.target(), **{hop.name: hop.target for hop in each}}
    repeats = 1 if lab.quick else 3
    one = [paired.in_turn(lab, targets, _AUTHORITY, seconds=2 * seconds) for _ in range(repeats)]
    # All at once, as fast as they go: the same moment for each of them.
    busy = (_AUTHORITY, "--channels=8", "--concurrency=16")
    full = [paired.in_turn(lab, targets, *busy, seconds=seconds) for _ in range(repeats)]
    hops.stop(lab, *each)
    return {"one": one, "full": full}


def findings(result: Result) -> list[Finding]:
    """The claims about the floor."""
    found = ratios(result)
    named = {"p50": "at p50", "p99": "at p99", "cpu": "in CPU a call at saturation"}
    one = paired.summary(result["one"])
    adds = {name: one[name]["added"]["p50"]["median"] for name in HOPS}
    same = gains(result)[SHIPPED]
    pair = result["pair"]
    runs = (
        *(*result["one"], *result["saturation"], *pair["one"], *pair["saturation"]),
        *(run for several in result["rates"].values() for run in several),
        *(*result["variants"]["one"], *result["variants"]["full"]),
    )
    failed = count_failed(*(way["codes"] for run in runs for way in run.values()))
    claims = [
        Finding(
            f"as shipped Envoy adds at most {goal} times what a bare one adds {named[key]}",
            found[key]["median"] <= goal,
            _times(found[key]),
            binding=False,
        )
        for key, goal in GOALS.items()
    ]
    return [
        *claims,
        Finding(
            "a relay that only copies bytes adds less than any Envoy that reads HTTP/2",
            adds["relaytcp"] < min(adds[BARE], adds[SHIPPED]),
            ", ".join(f"{name} {value:.3f} ms" for name, value in adds.items()),
            control=True,
        ),
        Finding(
            "the static copy that the settings are tried on costs what the shipped one costs",
            abs(same["p50"]) <= 0.1,
            f"the shipped one adds {-same['p50']:+.0%} to it at p50, {-same['cpu']:+.0%} in CPU",
            control=True,
            binding=False,
        ),
        Finding("no call fails", not failed, f"{failed} failed"),
    ]


def _times(ratio: dict[str, float]) -> str:
    return f"{ratio['median']:.2f} times ({ratio['low']:.2f} to {ratio['high']:.2f})"


def draw(result: Result) -> dict[str, Figure]:
    """What each hop adds and uses, from the floor up."""
    one, full = paired.summary(result["one"]), paired.summary(result["saturation"])
    labels = ["relay,\nbytes", "relay,\nHTTP/2", "Envoy,\nbytes", "bare\nEnvoy", "as\nshipped"]
    titles = ("Added to a call, one at a time (p50)", "The hop's CPU for a call, at saturation")
    with plots.panels(*titles) as (figure, (latency, cpu)):
        added = [plots.bar(one[name]["added"]["p50"]) for name in HOPS]
        plots.bars(latency, labels, {"": added}, y_label="ms")
        plots.bars(cpu, labels, {"": [plots.bar(full[name]["cpu"]) for name in HOPS]}, y_label="µs")
    return {"floor": figure}


FLOOR = Experiment(
    title="The hop against its floor",
    question="How near is the hop as shipped to the least that a hop can add?",
    run=run,
    findings=findings,
    draw=draw,
    tell=tell,
)
