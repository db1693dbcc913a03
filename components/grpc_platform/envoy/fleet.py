"""How many Envoy pods there can be, and the resources they take, in plain numbers."""

import math
from typing import Final

from ..eks.capacity import PodRequest
from ..quantities import cpu_cores, memory_bytes
from ..specs import EnvoySpec

MAX_SURGE_PERCENT: Final = 25
"""Share of the fleet that a rollout may add, rounded up: any fleet rolls out in four steps."""

SHUTDOWN_MANAGER_CPU_REQUEST: Final = "20m"
SHUTDOWN_MANAGER_CPU_LIMIT: Final = "200m"
"""With less CPU the manager's last count of connections can miss the grace period:
https://github.com/projectcontour/contour/issues/7366"""

SHUTDOWN_MANAGER_MEMORY: Final = "128Mi"
"""Request and limit: enough for the manager and, during a drain, `contour envoy shutdown`."""

_HEAP_SHARE = 0.9


def surge(replicas: int) -> int:
    """How many Envoys beyond `replicas` a rollout may run; draining ones are not counted."""
    return math.ceil(replicas * MAX_SURGE_PERCENT / 100)


def pod_request(spec: EnvoySpec) -> PodRequest:
    """The resources that one Envoy pod requests."""
    manager = (SHUTDOWN_MANAGER_CPU_REQUEST, SHUTDOWN_MANAGER_MEMORY)
    return PodRequest.of((spec.cpu, spec.memory), manager)


def concurrency(spec: EnvoySpec) -> int:
    """Envoy's worker threads: `spec.concurrency`, or one per core of a `cpu` in whole cores."""
    return spec.concurrency or int(cpu_cores(spec.cpu))


def max_heap_bytes(spec: EnvoySpec) -> int:
    """The heap at which Envoy sheds load (it refuses calls from 98% of this on). It is below the
    container's limit, which leaves room for threads' stacks, code and allocator overhead."""
    return int(memory_bytes(spec.memory) * _HEAP_SHARE)
