"""How much room Envoy's pods take, in plain numbers."""

import math
from typing import Final

from ..eks.capacity import PodRequest
from ..quantities import cpu_cores, memory_bytes
from ..specs import EnvoySpec

MAX_SURGE_PERCENT: Final = 25
"""Envoys a rollout may add beyond the fleet's size, rounded up: four steps for any fleet."""

SHUTDOWN_MANAGER_CPU_REQUEST: Final = "20m"
SHUTDOWN_MANAGER_CPU_LIMIT: Final = "200m"
"""With less its last count of connections can miss the grace period:
https://github.com/projectcontour/contour/issues/7366"""

SHUTDOWN_MANAGER_MEMORY: Final = "128Mi"
"""Request and limit: room for the manager and, while the pod drains, `contour envoy shutdown`."""

_HEAP_SHARE = 0.9


def surge(replicas: int) -> int:
    """Envoys a rollout of a fleet of `replicas` may run beyond it; those that drain not counted."""
    return math.ceil(replicas * MAX_SURGE_PERCENT / 100)


def pod_request(spec: EnvoySpec) -> PodRequest:
    """What one Envoy pod requests of its node."""
    manager = (SHUTDOWN_MANAGER_CPU_REQUEST, SHUTDOWN_MANAGER_MEMORY)
    return PodRequest.of((spec.cpu, spec.memory), manager)


def concurrency(spec: EnvoySpec) -> int:
    """Envoy's worker threads: as told, or one per core, which are whole ones then."""
    return spec.concurrency or int(cpu_cores(spec.cpu))


def max_heap_bytes(spec: EnvoySpec) -> int:
    """The heap at which Envoy sheds load (it refuses calls from 98% of this on), short of the
    container's limit by what is not heap: threads' stacks, code, allocator overhead."""
    return int(memory_bytes(spec.memory) * _HEAP_SHARE)
