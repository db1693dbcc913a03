"""Whether the largest Envoy fleet fits on fixed node groups, and which nodes Envoy avoids."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ..conventions import CAPACITY_TYPE_LABEL, SPOT
from ..quantities import cpu_cores, instance_type, memory_bytes
from ..specs import NodeGroupSpec

OFF_SPOT_TERMS: tuple[dict[str, str | tuple[str, ...]], ...] = (
    {"key": CAPACITY_TYPE_LABEL, "operator": "NotIn", "values": (SPOT,)},
)
"""Match expressions of one node selector term: nodes that are not spot capacity.

Karpenter, EKS Auto Mode and this platform's spot node groups set this label. A pod must not select
by EKS's own label `eks.amazonaws.com/capacityType`: Auto Mode then makes no nodes for it
(https://github.com/komodorio/helm-charts/pull/640). An existing cluster's spot nodes need the label
as well.
"""

_MIB: Final = 2**20

# The share of an instance's memory that firmware and kernel use, which kubelet does not count:
# https://karpenter.sh/docs/reference/settings/ (VM_MEMORY_OVERHEAD_PERCENT).
_MEMORY_OVERHEAD: Final = 0.075

# Pod addresses by instance size, from the current generation with the fewest:
# https://github.com/aws/amazon-vpc-cni-k8s/blob/master/misc/eni-max-pods.txt
_POD_ADDRESSES = {"medium": 8, "large": 29, "xlarge": 58, "2xlarge": 58}
_BURSTABLE_POD_ADDRESSES = {"medium": 17, "large": 35, "xlarge": 58, "2xlarge": 58}
_POD_ADDRESSES_OF_LARGER: Final = 234


@dataclass(frozen=True)
class PodRequest:
    """A pod's requests, or a node's free resources: thousandths of a core, bytes."""

    millicores: int
    memory: int

    @classmethod
    def of(cls, *containers: tuple[str, str]) -> "PodRequest":
        """Sum the (CPU, memory) requests of a pod's containers: `("500m", "1Gi")`."""
        return cls(
            sum(round(cpu_cores(cpu) * 1000) for cpu, _ in containers),
            sum(memory_bytes(memory) for _, memory in containers),
        )


# Per node: aws-node (25m for each of its two containers), kube-proxy, eks-pod-identity-agent.
_DAEMONS = PodRequest(150, 0)
_DAEMON_PODS: Final = 3

_ADDON_PODS = (
    *[PodRequest.of(("100m", "70Mi"))] * 2,  # coredns
    *[PodRequest.of(("100m", "200Mi"))] * 2,  # metrics-server
)


@dataclass
class _Node:
    millicores: int
    memory: int
    pods: int

    def room_for(self, pod: PodRequest) -> int:
        """How many such pods still fit."""
        fitting = min(self.millicores // pod.millicores, self.memory // pod.memory, self.pods)
        return max(0, fitting)

    def take(self, pod: PodRequest) -> None:
        self.millicores -= pod.millicores
        self.memory -= pod.memory
        self.pods -= 1


@dataclass(frozen=True)
class FleetRoom:
    """How many Envoy pods must fit at once, and how many fit."""

    needed: int
    room: int

    @property
    def fits(self) -> bool:
        """Whether the largest fleet can roll out without a pod waiting for a node."""
        return self.room >= self.needed


def fleet_room(
    groups: Mapping[str, NodeGroupSpec],
    envoy: PodRequest,
    *,
    max_replicas: int,
    surge: int,
    others: Sequence[PodRequest] = (),
) -> FleetRoom:
    """Compare how many Envoys a rollout of the largest fleet needs with how many fit on the nodes.

    Needed are `max_replicas`, the Deployment's `surge`, and `max_replicas` more that drain: new
    pods are ready long before old ones have drained, so at the end all old ones still run. `envoy`
    is one Envoy pod's request, `others` are the requests of the platform's other pods (Contour,
    external-dns). EKS's add-ons are included here; the services' own pods are not, and need extra
    room. Spot and tainted groups do not count, because Envoy avoids them.
    """
    nodes = [
        _allocatable(group)
        for group in groups.values()
        if not group.spot and not any(t.effect != "PreferNoSchedule" for t in group.taints)
        for _ in range(group.size)
    ]
    for pod in (*_ADDON_PODS, *others):
        # Like the scheduler's default: the node with the most room.
        if nodes:
            max(nodes, key=lambda node: node.millicores).take(pod)
    room = sum(node.room_for(envoy) for node in nodes)
    return FleetRoom(2 * max_replicas + surge, room)


def _allocatable(group: NodeGroupSpec) -> _Node:
    """What a group's smallest instance offers to pods, without its daemons."""
    nodes = [_node(name) for name in group.instance_types]
    return _Node(
        min(node.millicores for node in nodes),
        min(node.memory for node in nodes),
        min(node.pods for node in nodes),
    )


def _node(name: str) -> _Node:
    instance = instance_type(name)
    size = name.partition(".")[2]
    by_size = _BURSTABLE_POD_ADDRESSES if name.startswith("t") else _POD_ADDRESSES
    addresses = by_size.get(size, _POD_ADDRESSES_OF_LARGER)
    # https://docs.aws.amazon.com/eks/latest/userguide/choosing-instance-type.html
    pods = min(addresses, 110 if instance.cores < 30 else 250)
    # https://github.com/awslabs/amazon-eks-ami/blob/main/nodeadm/internal/kubelet/config.go:
    # kubelet's reservation, and the 100 MiB below which it evicts.
    reserved_memory = (255 + 11 * addresses + 100) * _MIB
    memory = int(instance.memory_gib * 1024 * _MIB * (1 - _MEMORY_OVERHEAD)) - reserved_memory
    millicores = instance.cores * 1000 - _reserved_millicores(instance.cores)
    return _Node(millicores - _DAEMONS.millicores, memory - _DAEMONS.memory, pods - _DAEMON_PODS)


def _reserved_millicores(cores: int) -> int:
    """kubelet's reservation: 6% of the first core, 1% of the second, 0.5% of two more, then
    0.25%."""
    shares: Iterable[tuple[int, float]] = ((1, 60), (1, 10), (2, 5), (max(0, cores - 4), 2.5))
    reserved, left = 0.0, cores
    for span, per_core in shares:
        reserved += min(span, left) * per_core
        left -= min(span, left)
    return round(reserved)
