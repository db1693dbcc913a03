"""Elasticity: the real autoscaler under a day's load, and its algorithm over longer curves."""

import statistics
import time

from matplotlib.figure import Figure

from experiments import fleet_cost, plots
from experiments.curves import FOLDER, read
from experiments.experiment import Experiment, Finding, Result, count_failed
from experiments.lab import Lab
from grpc_platform.specs import EnvoySpec
from testbed.load.sampler import Sample, Sampler, of_kind

_CPU_MILLICORES = 200
"""CPU of each Envoy: little, so that a few thousand calls per second are a day's peak."""
_CHANNELS = 48
_PEAK = 2500  # calls/s
_FLOOR = 0.1
"""The night's load, as a fraction of the peak."""
_DAY = 4200.0  # seconds, at the true waits
_QUICK_DAY = 150.0
_POLL = 3.0
_DRAWN = ("working-day", 5)
"""The curve and the nodes of the mission's example."""


def run(lab: Lab) -> Result:
    """Run the working day of experiments/curves within minutes, with the same clients all day."""
    lab.deploy(
        envoy={
            "min_replicas": 2,
            "max_replicas": 8,
            "cpu": f"{_CPU_MILLICORES}m",
            "concurrency": 1,
        },
    )
    day = _QUICK_DAY if lab.quick else _DAY / lab.factor
    curve = _curve(day)
    client = lab.client(
        "--policy=pick_first",
        f"--channels={_CHANNELS}",
        f"--start-over={lab.times.reconnect_interval.total_seconds()}s",
        f"--curve={','.join(f'{second:.0f}s={rate:.0f}' for second, rate in curve)}",
        f"--duration={day}s",
    )
    lab.wait_until_running(client)
    lab.say(f"a day in {day:.0f} s")
    began = time.time()
    fleet: list[dict[str, float]] = []
    with Sampler(lab.cluster) as sampler:
        while time.time() < began + day:
            fleet.append({"at": time.time() - began, "envoys": len(lab.envoys())})
            lab.pause(_POLL)
    report = client.report()["targets"]["envoy"]
    utilization = [
        {"at": sample["at"] - began, **_utilization(sample)} for sample in sampler.samples
    ]
    study = fleet_cost.study((5,) if lab.quick else fleet_cost.NODES)
    for row in study["comparisons"]:
        if (row["curve"], row["nodes"]) != _DRAWN:
            del row["series"]  # megabytes that no chart draws
    windows = [
        {"at": w["at"] - began, "ok": w["ok"], "failed": w["failed"], "p99": w["p99"]}
        for w in report["windows"]
    ]
    return {
        "day": day,
        "quick": lab.quick,
        "cpu_millicores": _CPU_MILLICORES,
        "target": EnvoySpec().target_cpu_utilization,
        "curve": curve,
        "fleet": fleet,
        "utilization": utilization,
        "windows": windows,
        "codes": report["codes"],
        "slow": report["slow"],
        "study": study,
    }


def _utilization(sample: Sample) -> dict[str, float]:
    """CPU use of the mean and the busiest Envoy, in percent."""
    used = [1e5 * cores / _CPU_MILLICORES for cores in of_kind(sample["cpu"], "envoy")]
    return {"mean": sum(used) / max(1, len(used)), "max": max(used, default=0.0)}


def _curve(day: float) -> list[tuple[float, float]]:
    """The committed working day's shape, at this length and peak: seconds and calls/s."""
    shape = read(FOLDER / "working-day.csv")
    steps = 36
    cores = [shape.cores_at(shape.duration * step / steps) for step in range(steps + 1)]
    top, bottom = max(cores), min(cores)
    return [
        (
            day * step / steps,
            _PEAK * (_FLOOR + (1 - _FLOOR) * (value - bottom) / (top - bottom)),
        )
        for step, value in enumerate(cores)
    ]


def _smooth(points: list[dict[str, float]], key: str, seconds: float) -> list[tuple[float, float]]:
    """Means over that many seconds."""
    groups: dict[int, list[float]] = {}
    for point in points:
        groups.setdefault(int(point["at"] // seconds), []).append(point[key])
    return [(place * seconds, statistics.mean(values)) for place, values in sorted(groups.items())]


def _example(result: Result) -> Result:
    return next(r for r in result["study"]["comparisons"] if (r["curve"], r["nodes"]) == _DRAWN)


def findings(result: Result) -> list[Finding]:
    """The claims about elasticity."""
    sizes = [point["envoys"] for point in result["fleet"]]
    failed = count_failed(result["codes"])
    made = sum(result["codes"].values())
    smooth = _smooth(result["utilization"], "mean", 15)
    busiest = max(value for _, value in smooth)
    small = _example(result)
    flat = [r for r in result["study"]["comparisons"] if r["curve"] == "flat" and r["nodes"] == 5]
    return [
        Finding(
            "the fleet follows the load up and down",
            max(sizes) > min(sizes) and sizes[-1] < max(sizes),
            f"{min(sizes)} to {max(sizes)} Envoys, {sizes[-1]} at the end",
            binding=not result["quick"],
        ),
        Finding(
            "no call fails in a day of growth and shrinkage",
            not failed,
            f"{failed} failed, {result['slow']} over a second late, of {made:,}",
        ),
        Finding(
            "the mean Envoy stays within its CPU",
            busiest <= 100,
            f"at most {busiest:.0f} % over 15 s; the target is {result['target']} %",
            binding=False,
        ),
        Finding(
            "on the mission's 5 nodes the autoscaled fleet costs less than a DaemonSet (computed)",
            small["saving_percent"] > 0,
            f"{small['saving_percent']:.0f} % fewer pod-hours on a working day",
        ),
        *(
            Finding(
                "under a flat, high load it saves nothing (computed)",
                row["saving_percent"] < 10,
                f"{row['saving_percent']:.0f} %",
                control=True,
            )
            for row in flat
        ),
    ]


def draw(result: Result) -> dict[str, Figure]:
    """The day: load, Envoys, their CPU and p99; and a computed day against a DaemonSet."""
    titles = ("Calls/s", "Envoys", "CPU of an Envoy", "p99")
    with plots.panels(*titles, height=1.9) as (figure, (load, fleet, cpu, p99)):
        windows = [w for w in result["windows"] if w["p99"] is not None]
        rate = _smooth(windows, "ok", 5)
        plots.lines(load, {"answered": _points(rate)}, y_label="calls/s")
        sizes = [(point["at"], point["envoys"]) for point in result["fleet"]]
        plots.lines(fleet, {"ready": _points(sizes)}, y_label="pods", steps=True)
        used = {
            "mean": _points(_smooth(result["utilization"], "mean", 5)),
            "busiest": _points(_smooth(result["utilization"], "max", 5)),
        }
        plots.lines(cpu, used, y_label="% of its CPU", marks={"target": result["target"]})
        plots.lines(p99, {"p99": _points(_smooth(windows, "p99", 5))}, y_label="ms")
        p99.set(xlabel=f"seconds of a day that takes {result['day']:.0f} s")
    small = _example(result)
    return {"elasticity": figure, "elasticity-cost": fleet_cost.draw(small)}


def _points(pairs: list[tuple[float, float]]) -> plots.Points:
    return [x for x, _ in pairs], [y for _, y in pairs]


def tell(result: Result) -> str:
    """The page's text."""
    lines = [
        f"A working day in {result['day']:.0f} s, by {_CHANNELS} pick_first clients that are there "
        f"all day, up to {_PEAK:,} calls/s; each Envoy has {result['cpu_millicores']}m of CPU, so "
        "that this is a load for several. The real autoscaler, with the stack's own behaviour; its "
        "60 s and 15 s policies are not shortened, so it follows this day more slowly than a real "
        "one.",
        "",
        "Computed by the HPA's published algorithm (`python -m experiments.fleet_cost CURVE.csv "
        "--nodes N` for a curve of your own), Deployment + HPA against a DaemonSet on the same "
        "nodes, default settings:",
        "",
        "| curve | nodes | pod-hours | DaemonSet | saved | busiest | minutes over 100 % | better |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in result["study"]["comparisons"]:
        hpa, daemons = row["hpa"], row["daemon_set"]
        lines.append(
            f"| {row['curve']} | {row['nodes']} | {hpa['pod_hours']:.0f} "
            f"| {daemons['pod_hours']:.0f} | {row['saving_percent']:.0f} % "
            f"| {hpa['highest_utilization_percent']:.0f} % | {hpa['minutes_over_100']:.0f} "
            f"| {row['better'].replace('_', ' ')} |"
        )
    return "\n".join([*lines, *_choice(result)])


def _choice(result: Result) -> list[str]:
    """Why the target and the scale-down window have their values: other values, on 5 nodes."""
    settings, sweep = result["study"]["settings"], result["study"]["sweep"]
    window = settings["scale_down"]["stabilization_window_seconds"]
    lines = [
        "",
        f"Other targets, on 5 nodes with the default scale-down window of {window:.0f} s (which is "
        "`rebalance_time`): pod-hours, the busiest Envoy, minutes over 100 %.",
        "",
        "| target | working day | spike | bursts |",
        "| --- | --- | --- | --- |",
    ]
    for target in fleet_cost.TARGETS:
        cells = [
            f"{row['pod_hours']:.0f} h, {row['highest_utilization_percent']:.0f} %, "
            f"{row['minutes_over_100']:.0f} min"
            for curve in ("working-day", "spike", "bursts")
            for row in sweep
            if (row["curve"], row["target_utilization"]) == (curve, target)
            and row["scale_down_window_seconds"] == window
        ]
        lines.append(f"| {target} % | {' | '.join(cells)} |")
    return [
        *lines,
        "",
        "Above 60 % an ordinary day saves little and leaves little room, and no target saves a "
        "load that jumps within minutes: a new Envoy carries its share only after "
        "`rebalance_time`. For such a load raise `envoy.min_replicas`; so 60 % stays the default.",
    ]


ELASTICITY = Experiment(
    title="Elasticity",
    question="Does the fleet follow the load, and what does that save?",
    run=run,
    findings=findings,
    draw=draw,
    tell=tell,
)
