"""Growth: how many services one Contour and its Envoys carry."""

import re
import time
from collections.abc import Iterable

from matplotlib.figure import Figure

from experiments import plots
from experiments.experiment import Experiment, Finding, Result
from experiments.lab import PLATFORM, ZONE, Lab, spread
from grpc_platform.conventions import CONTOUR_METRICS_PORT, ENVOY_METRICS_PORT
from grpc_platform.quantities import memory_bytes
from grpc_platform.specs import ContourSpec, EnvoySpec
from testbed.cluster import deploy
from testbed.cluster.readiness import Object
from testbed.load.sampler import Sample, Sampler, of_kind

SIZES = (10, 100, 1000)
GIVEN_UP = 30.0  # seconds without another service
_NOBODY = "nobody"


def run(lab: Lab) -> Result:
    """Add services up to each size. At each size add a few more, one at a time, and measure the
    time until every Envoy routes each."""
    lab.deploy(envoy={"min_replicas": 2, "max_replicas": 2})
    sizes = SIZES[:2] if lab.quick else SIZES
    rows: list[Result] = []
    made = 0
    for size in sizes:
        lab.say(f"{size} services")
        names = [f"service-{number:04}" for number in range(made, size)]
        manifests = bundles(lab, names)
        before = updates(lab)
        with Sampler(lab.cluster) as sampler:
            began = time.time()
            deploy.apply(lab.cluster, manifests)
            missing = wait_until_routed(lab, names)
            took = time.time() - began - (GIVEN_UP if missing else 0)
            lab.pause(3)
        made = size
        repeats = 3 if lab.quick else 5
        each = [_time_one(lab, f"one-{size}-{number}") for number in range(repeats)]
        seconds = [one for one in each if one is not None]
        rows.append(
            {
                "services": size,
                "all_routed_seconds": took,
                "added": len(names),
                "one_routed_seconds": spread(seconds),
                "missed": len(missing) + each.count(None),
                "applied": len(names) + repeats,
                "mebibytes": highest_memory(sampler.samples),
                **means(before, updates(lab)),
            }
        )
    lab.say("control: a service that no server is behind")
    deploy.apply(lab.cluster, bundles(lab, [_NOBODY], app=_NOBODY))
    return {"rows": rows, "unrouted": sorted(wait_until_routed(lab, [_NOBODY]))}


def bundles(lab: Lab, names: Iterable[str], app: str = "load") -> list[Object]:
    """The Service and the Ingress of each of these services, in front of the pods of ``app``: the
    part of a bundle that Contour reads."""
    selector = {"app.kubernetes.io/name": app}
    wanted = {name: {"selector": selector} for name in names}
    return [
        deploy.manifest(resource)
        for resource in lab.preview(services=wanted)
        if resource.inputs.get("kind") in ("Service", "Ingress")
        and resource.inputs["metadata"]["name"] in wanted
    ]


def wait_until_routed(lab: Lab, names: list[str]) -> set[str]:
    """Wait until every Envoy has endpoints for all of them.

    Returns the services for which an Envoy never got any. Contour 1.33 can miss an EndpointSlice
    that comes together with its Service. Envoy then has the service without endpoints until these
    change.
    """
    envoys = lab.envoys().values()
    missing, since = set(names), time.monotonic()

    def routed() -> bool:
        nonlocal missing, since
        said = lab.read(envoys, ENVOY_METRICS_PORT, "stats?filter=membership_healthy")
        clusters = [set(re.findall(r"default_(\S+?)_50051\.\S+: [1-9]", s)) for s in said.values()]
        now_missing = {name for name in names if not all(name in found for found in clusters)}
        if len(now_missing) < len(missing):
            missing, since = now_missing, time.monotonic()
        return not missing or time.monotonic() > since + GIVEN_UP

    lab.cluster.wait(f"{len(names)} services to be routed", routed, timeout=900)
    return missing


def _time_one(lab: Lab, name: str) -> float | None:
    """Seconds from the apply of one more bundle until each Envoy routes it, called by address 20
    times a second; None if one never does."""
    manifests = bundles(lab, [name])
    targets = {ip: f"{ip}:{lab.http_port}" for ip in lab.envoys().values()}
    client = lab.client(
        f"--authority={name}.{ZONE}",
        f"--rate={20 * len(targets)}",
        "--window=50ms",
        "--duration=10m",
        targets=targets,
    )
    lab.wait_until_running(client)
    began = time.time()
    deploy.apply(lab.cluster, manifests)
    missing = wait_until_routed(lab, [name])
    lab.pause(1)
    reports = client.stop()["targets"]
    if missing:
        return None
    found = [
        min(w["at"] for w in report["windows"] if w["ok"] and w["at"] >= began)
        for report in reports.values()
    ]
    return max(found) - began


def highest_memory(samples: list[Sample]) -> dict[str, float]:
    """The highest memory of any Contour and of any Envoy, in MiB."""
    return {
        kind: max(size for sample in samples for size in of_kind(sample["mebibytes"], kind))
        for kind in ("contour", "envoy")
    }


def updates(lab: Lab) -> dict[str, tuple[float, float]]:
    """How often Contour rebuilt its configuration and Envoys loaded a list of clusters, and the
    total time of each (s, ms)."""
    pods = lab.cluster.get("pods", *PLATFORM, "-l", "app.kubernetes.io/name=contour")["items"]
    contours = lab.read([p["status"]["podIP"] for p in pods], CONTOUR_METRICS_PORT, "metrics")
    envoys = lab.read(lab.envoys().values(), ENVOY_METRICS_PORT, "stats/prometheus")
    return {
        name: (
            sum(_metric(text, f"{metric}_count") for text in said.values()),
            sum(_metric(text, f"{metric}_sum") for text in said.values()),
        )
        for name, metric, said in (
            ("rebuild_seconds", "contour_dagrebuild_seconds", contours),
            ("cds_milliseconds", "envoy_cluster_manager_cds_update_duration", envoys),
        )
    }


def means(
    before: dict[str, tuple[float, float]], after: dict[str, tuple[float, float]]
) -> dict[str, float]:
    """The mean time of one update between two readings."""
    return {
        name: (after[name][1] - before[name][1]) / max(1, after[name][0] - before[name][0])
        for name in after
    }


def _metric(text: str, name: str) -> float:
    found = re.search(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def findings(result: Result) -> list[Finding]:
    """The claims about growth."""
    rows = result["rows"]
    first, last = rows[0], rows[-1]
    slowest = max(row["one_routed_seconds"]["high"] for row in rows)
    memory = last["mebibytes"]
    limits = {
        "contour": memory_bytes(ContourSpec().memory) / 2**20,
        "envoy": memory_bytes(EnvoySpec().memory) / 2**20,
    }
    missed, applied = (sum(row[key] for row in rows) for key in ("missed", "applied"))
    return [
        Finding(
            "a service that no server is behind is not taken for routed",
            result["unrouted"] == [_NOBODY],
            f"unrouted after {GIVEN_UP:.0f} s: {', '.join(result['unrouted']) or 'none'}",
            control=True,
        ),
        Finding(
            "every new service gets its endpoints",
            not missed,
            f"{missed} of {applied:,} got none until theirs changed",
            # A fault of Contour, not of this platform.
            binding=False,
        ),
        Finding(
            f"a service is routed as soon with {last['services']} services as with "
            f"{first['services']}",
            last["one_routed_seconds"]["median"] <= 3 * first["one_routed_seconds"]["median"],
            f"{first['one_routed_seconds']['median']:.1f} s, "
            f"{last['one_routed_seconds']['median']:.1f} s (slowest {slowest:.1f} s)",
            binding=False,
        ),
        Finding(
            f"{last['services']} services fit Contour's and Envoy's default memory",
            memory["contour"] <= limits["contour"] and memory["envoy"] <= limits["envoy"],
            f"Contour {memory['contour']:.0f} of {limits['contour']:.0f} MiB, "
            f"Envoy {memory['envoy']:.0f} of {limits['envoy']:,.0f} MiB",
        ),
    ]


def draw(result: Result) -> dict[str, Figure]:
    """Time to a route, and memory, by number of services."""
    rows = result["rows"]
    labels = [f"{row['services']:,}" for row in rows]
    kinds = ("contour", "envoy")
    memory = {k: [plots.Bar(value=row["mebibytes"][k]) for row in rows] for k in kinds}
    one = {"one more service": [plots.bar(row["one_routed_seconds"]) for row in rows]}
    titles = ("From apply to routed by every Envoy", "Memory of the largest pod")
    with plots.panels(*titles) as (figure, (above, below)):
        plots.bars(above, labels, one, y_label="seconds")
        plots.bars(below, labels, memory, y_label="MiB", x_label="services")
    return {"growth": figure}


def tell(result: Result) -> str:
    """The page's text."""
    lines = [
        "Bundles as `GrpcService` makes them, without their names (Route53 has limits of its own), "
        "all in front of the same two servers; two Contours, two Envoys.",
        "",
        "| services | all routed after | one more, routed after | Contour works it out in | Envoy "
        "takes it up in | Contour | Envoy |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in result["rows"]:
        one = row["one_routed_seconds"]
        lines.append(
            f"| {row['services']:,} | {row['all_routed_seconds']:.0f} s ({row['added']} at once) "
            f"| {one['median']:.1f} s ({one['low']:.1f} to {one['high']:.1f}) "
            f"| {1000 * row['rebuild_seconds']:.0f} ms | {row['cds_milliseconds']:.0f} ms "
            f"| {row['mebibytes']['contour']:.0f} MiB | {row['mebibytes']['envoy']:.0f} MiB |"
        )
    lines += [
        "",
        "Contour 1.33 can miss an EndpointSlice that comes together with its Service, as when the "
        "bundle of pods that are there already is applied: Envoy then answers "
        "`no healthy upstream` until the endpoints change. It was seen once, in an earlier run on "
        "a busier machine. A bundle that comes before its app, as the platform means it, is not "
        "hit; else roll the app.",
        "",
        "Many at once wait for the controller that makes EndpointSlices, whose client makes 20 "
        "requests a second by default, longer than for Contour.",
    ]
    return "\n".join(lines)


GROWTH = Experiment(
    title="Growth",
    question="How many services does one Contour carry, and what bends first?",
    run=run,
    findings=findings,
    draw=draw,
    tell=tell,
)
