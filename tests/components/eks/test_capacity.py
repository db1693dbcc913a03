from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grpc_platform.eks.capacity import PodRequest, fleet_room
from grpc_platform.specs import NodeGroupSpec, Taint

ENVOY = PodRequest.of(("1", "1Gi"))


def room(pod: PodRequest = ENVOY, *, others: tuple[PodRequest, ...] = (), **group: Any) -> int:
    groups = {"workers": NodeGroupSpec(**group)}
    return fleet_room(groups, pod, max_replicas=1, surge=1, others=others).room


def test_a_rollout_of_the_largest_fleet_needs_it_twice_and_the_surge() -> None:
    found = fleet_room({}, ENVOY, max_replicas=12, surge=1)
    assert (found.needed, found.room, found.fits) == (25, 0, False)


def test_a_fleet_that_fits_exactly_fits() -> None:
    groups = {"workers": NodeGroupSpec(instance_types=("m7g.large",), size=3)}
    assert fleet_room(groups, ENVOY, max_replicas=1, surge=1).fits
    assert not fleet_room(groups, ENVOY, max_replicas=2, surge=1).fits


def test_a_request_sums_the_containers_of_a_pod() -> None:
    assert PodRequest.of(("1", "1Gi"), ("50m", "64Mi")) == PodRequest(1050, 1088 * 2**20)


def test_kubelet_and_daemons_keep_a_whole_core_from_fitting_twice() -> None:
    # 2 cores less 70m for kubelet, 150m for daemons and 100m for one pod of an add-on
    assert room(instance_types=("m7g.large",), size=4) == 4
    assert room(PodRequest.of(("840m", "1Gi")), instance_types=("m7g.large",), size=4) == 8
    assert room(PodRequest.of(("841m", "1Gi")), instance_types=("m7g.large",), size=4) == 4


def test_memory_bounds_the_fleet_too() -> None:
    # 8 GiB less 7.5%, less 255 + 29 * 11 + 100 MiB, less what the add-ons' pods take
    assert room(PodRequest.of(("100m", "6Gi")), instance_types=("m7g.large",)) == 2
    assert room(PodRequest.of(("100m", "7Gi")), instance_types=("m7g.large",)) == 0


def test_the_number_of_pods_on_a_node_bounds_the_fleet_too() -> None:
    # 29 addresses, 3 daemons, 4 pods of add-ons on the one node
    tiny = PodRequest.of(("1m", "1Mi"))
    assert room(tiny, instance_types=("m7g.large",), size=1) == 22
    # a managed node group stops at 110 pods below 30 cores, and at 250 above
    assert room(tiny, instance_types=("m7g.4xlarge",), size=1) == 103
    assert room(tiny, instance_types=("m7g.8xlarge",), size=1) == 227


DAEMON_PODS, ADDON_PODS = 3, 4
"""Pods of AWS on a group of one node: of each node, and of the cluster."""


@pytest.mark.parametrize(
    ("instance", "addresses"),
    [
        ("m7g.medium", 8),
        ("m7g.large", 29),
        ("m7g.xlarge", 58),
        ("m7g.2xlarge", 58),
        ("t4g.medium", 17),
        ("t4g.large", 35),
        ("t4g.xlarge", 58),
        ("t4g.2xlarge", 58),
    ],
)
def test_every_pod_takes_one_of_its_nodes_addresses(instance: str, addresses: int) -> None:
    """https://github.com/aws/amazon-vpc-cni-k8s/blob/master/misc/eni-max-pods.txt"""
    tiny = PodRequest.of(("1m", "1Mi"))
    assert room(tiny, instance_types=(instance,), size=1) == addresses - DAEMON_PODS - ADDON_PODS


@pytest.mark.parametrize(
    ("instance", "millicores"),
    [
        ("m7g.medium", 1000 - 60),
        ("m7g.large", 2000 - 70),
        ("m7g.xlarge", 4000 - 80),
        ("m7g.2xlarge", 8000 - 90),
        ("m7g.4xlarge", 16000 - 110),
        ("m7g.16xlarge", 64000 - 230),
    ],
)
def test_a_pod_fits_to_the_last_millicore_that_kubelet_leaves(
    instance: str, millicores: int
) -> None:
    """An Envoy fleet that the rules let through must not wait for room in a rollout. What kubelet
    keeps is in
    https://github.com/awslabs/amazon-eks-ami/blob/main/nodeadm/internal/kubelet/config.go"""
    left = millicores - 150 - ADDON_PODS * 100
    assert room(PodRequest(left, 2**20), instance_types=(instance,), size=1) == 1
    assert room(PodRequest(left + 1, 2**20), instance_types=(instance,), size=1) == 0


def test_a_pod_fits_to_the_last_mebibyte_that_kubelet_leaves() -> None:
    left = int(8 * 1024 * 0.925 - (255 + 11 * 29 + 100) - 2 * 70 - 2 * 200)
    assert room(PodRequest(1, left * 2**20), instance_types=("m7g.large",), size=1) == 1
    assert room(PodRequest(1, (left + 1) * 2**20), instance_types=("m7g.large",), size=1) == 0


def test_spot_and_tainted_groups_do_not_count() -> None:
    assert room(spot=True, size=9) == 0
    assert room(taints=(Taint(key="batch"),), size=9) == 0
    assert room(taints=(Taint(key="batch", effect="NoExecute"),), size=9) == 0
    assert room(taints=(Taint(key="batch", effect="PreferNoSchedule"),), size=9) == 9


def test_groups_add_up_and_a_mixed_group_counts_as_its_smallest_type() -> None:
    # c7g.xlarge has half the memory of m7g.xlarge
    large = PodRequest.of(("100m", "10Gi"))
    assert room(large, instance_types=("m7g.xlarge",), size=2) == 2
    assert room(large, instance_types=("m7g.xlarge", "c7g.xlarge"), size=2) == 0
    one, other = NodeGroupSpec(size=2), NodeGroupSpec(size=3)
    assert fleet_room({"a": one, "b": other}, ENVOY, max_replicas=1, surge=1).room == 5


def test_the_platforms_other_pods_take_their_room() -> None:
    contour = PodRequest.of(("700m", "256Mi"))
    assert room(size=3) == 3
    assert room(size=3, others=(contour,)) == 2


@given(
    size=st.integers(1, 20),
    instance=st.sampled_from(("m7g.large", "c7i.2xlarge", "r6g.4xlarge", "t4g.medium")),
    millicores=st.integers(1, 8000),
    mebibytes=st.integers(1, 32768),
)
def test_what_is_counted_never_exceeds_what_the_instances_have(
    size: int, instance: str, millicores: int, mebibytes: int
) -> None:
    cores, gib = {
        "m7g.large": (2, 8),
        "c7i.2xlarge": (8, 16),
        "r6g.4xlarge": (16, 128),
        "t4g.medium": (2, 4),
    }[instance]
    pod = PodRequest(millicores, mebibytes * 2**20)
    found = room(pod, instance_types=(instance,), size=size)
    assert found * millicores < size * cores * 1000
    assert found * mebibytes < size * gib * 1024
    assert found <= room(pod, instance_types=(instance,), size=size + 1)
