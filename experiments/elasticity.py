"""Elasticity: the real autoscaler under a day's load, and its algorithm over longer curves."""

import time

from experiments import fleet_cost
from experiments.curves import FOLDER, read
from experiments.experiment import Result
from experiments.lab import Lab
from experiments.sampler import Sampler
from grpc_platform.components.specs import EnvoySpec

_CPU_MILLICORES = 100
"""Of each Envoy: little, so that a few thousand calls a second are a day's peak."""
_CHANNELS = 48
_PEAK = 4000  # calls/s
_FLOOR = 0.1
"""The night's load, as a part of the peak."""
_DAY = 540.0  # seconds
_QUICK_DAY = 150.0
_POLL = 3.0


def run(lab: Lab) -> Result:
    """The working day of experiments/curves in minutes, by the same clients all day."""
    lab.deploy(
        envoy={
            "min_replicas": 2,
            "max_replicas": 8,
            "cpu": f"{_CPU_MILLICORES}m",
            "concurrency": 1,
        },
    )
    day = _QUICK_DAY if lab.quick else _DAY
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
    ready = {f"envoy {name}" for name in lab.envoys()} | {"envoy"}
    assert ready
    utilization = [
        {"at": sample["at"] - began, **_utilization(sample["cpu"])} for sample in sampler.samples
    ]
    windows = [
        {"at": w["at"] - began, "ok": w["ok"], "failed": w["failed"], "p99": w["p99"]}
        for w in report["windows"]
    ]
    return {
        "day": day,
        "cpu_millicores": _CPU_MILLICORES,
        "target": EnvoySpec().target_cpu_utilization,
        "curve": curve,
        "fleet": fleet,
        "utilization": utilization,
        "windows": windows,
        "codes": report["codes"],
        "slow": report["slow"],
        "study": fleet_cost.study(),
    }


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
