"""How many Envoys a load needs (docs/sizing.md)."""

import math
from statistics import mean
from typing import Any

from grpc_platform.quantities import memory_bytes
from grpc_platform.specs import EnvoySpec

SPARE = 1
"""One more than the load needs, so that one can be lost or replaced."""


def envoys(
    calls_per_second: float,
    microseconds: float,
    *,
    cores: float = 1.0,
    connections: int = 0,
    kib_each: float = 0.0,
    spec: EnvoySpec | None = None,
) -> int:
    """The Envoys that a load needs, without `SPARE`: by CPU at the autoscaler's target, by memory
    (half of it: the rest is for calls and configuration), and by the limit of connections."""
    spec = spec or EnvoySpec()
    cpu = calls_per_second * microseconds / 1e6 / (cores * spec.target_cpu_utilization / 100)
    memory = connections * kib_each * 1024 / (memory_bytes(spec.memory) / 2)
    return max(1, *(math.ceil(each) for each in (cpu, memory, connections / spec.max_connections)))


def busiest(elasticity: dict[str, Any], seconds: float = 15.0) -> dict[str, float]:
    """The busiest moment of the run `elasticity`: calls/s, microseconds of CPU for a call, and
    Envoys."""
    windows = elasticity["windows"]
    starts = [w["at"] for w in windows if w["at"] + seconds <= windows[-1]["at"]]

    def within(rows: list[Any], at: float) -> list[Any]:
        return [row for row in rows if at <= row["at"] < at + seconds]

    at = max(starts, key=lambda start: sum(w["ok"] for w in within(windows, start)))
    rate = mean(w["ok"] for w in within(windows, at))
    used = mean(u["mean"] for u in within(elasticity["utilization"], at)) / 100
    running = mean(f["envoys"] for f in within(elasticity["fleet"], at))
    cores = used * running * elasticity["cpu_millicores"] / 1000
    settled = max(f["envoys"] for f in elasticity["fleet"] if f["at"] >= at)
    return {"calls_per_second": rate, "microseconds": 1e6 * cores / rate, "envoys": settled}
