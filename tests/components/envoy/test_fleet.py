"""The size of Envoy's pods, in numbers."""

import pytest

from grpc_platform.eks.capacity import PodRequest
from grpc_platform.envoy import fleet
from grpc_platform.specs import EnvoySpec


@pytest.mark.parametrize(
    ("replicas", "extra"), [(1, 1), (2, 1), (4, 1), (5, 2), (12, 3), (400, 100)]
)
def test_a_rollout_adds_a_quarter_of_the_fleet_rounded_up(replicas: int, extra: int) -> None:
    assert fleet.surge(replicas) == extra


def test_a_pod_requests_what_its_two_containers_do() -> None:
    spec = EnvoySpec(cpu="2", memory="2Gi")
    assert fleet.pod_request(spec) == PodRequest(2020, (2048 + 128) * 2**20)


def test_envoy_has_a_worker_thread_per_core_unless_told_otherwise() -> None:
    assert fleet.concurrency(EnvoySpec(cpu="4")) == 4
    assert fleet.concurrency(EnvoySpec(cpu="4", concurrency=2)) == 2
    assert fleet.concurrency(EnvoySpec(cpu="2000m")) == 2
    assert fleet.concurrency(EnvoySpec(cpu="500m", concurrency=1)) == 1


def test_the_heap_limit_leaves_a_tenth_of_the_memory_to_what_is_not_heap() -> None:
    assert fleet.max_heap_bytes(EnvoySpec(memory="1000Mi")) == 900 * 2**20
