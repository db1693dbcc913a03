"""The rules for a cluster."""

from collections.abc import Iterator

from ..conventions import EXTERNAL_DNS_CPU, EXTERNAL_DNS_MEMORY
from ..eks.capacity import PodRequest, fleet_room
from ..envoy.fleet import pod_request, surge
from ..specs import ClusterSpec, ContourSpec, EnvoySpec, NodeGroupSpec
from .mistake import Mistake, Path


def new_cluster(spec: ClusterSpec, path: Path = ()) -> Iterator[Mistake]:
    """A new EKS cluster."""
    if spec.access is None:
        yield Mistake(
            (*path, "access"), None, "is required: deployer_role names the role that runs pulumi up"
        )
    groups = (*path, "node_groups")
    if spec.auto_mode and spec.node_groups:
        remedy = "cannot be combined with auto_mode, which runs the nodes; remove one"
        yield Mistake(groups, list(spec.node_groups), remedy)
    if not spec.auto_mode and not spec.node_groups:
        yield Mistake(groups, None, "is required, or auto_mode: true")
    if spec.node_groups and all(map(_keeps_pods_off, spec.node_groups.values())):
        yield Mistake(
            groups,
            list(spec.node_groups),
            "are all tainted, so CoreDNS and metrics-server find no node and EKS gives up after "
            "20 minutes; add a group without taints",
        )
    for name, group in spec.node_groups.items():
        release, minor = group.release_version, spec.kubernetes_version
        # Bottlerocket releases have their own version numbers.
        wrong = release and group.ami == "al2023" and not release.startswith(f"{minor}.")
        if wrong:
            remedy = f"is not a release for Kubernetes {minor} (kubernetes_version)"
            yield Mistake((*groups, name, "release_version"), release, remedy)


def _keeps_pods_off(group: NodeGroupSpec) -> bool:
    return any(taint.effect != "PreferNoSchedule" for taint in group.taints)


def reachable(spec: ClusterSpec, path: Path, *, new_vpc: bool) -> Iterator[Mistake]:
    """A new cluster's endpoint: `pulumi up` must be able to reach it."""
    if new_vpc and not (spec.public_access_cidrs or spec.private_access_cidrs):
        yield Mistake(
            (*path, "public_access_cidrs"),
            list(spec.public_access_cidrs),
            "leaves only a private endpoint in a new VPC, which pulumi up cannot reach; list "
            "CIDRs here, or those of a runner or VPN in private_access_cidrs",
        )


def fleet_fits(
    spec: ClusterSpec, contour: ContourSpec, envoy: EnvoySpec, path: Path
) -> Iterator[Mistake]:
    """The largest Envoy fleet must fit on a serving cluster's fixed node groups."""
    if spec.auto_mode or all(map(_keeps_pods_off, spec.node_groups.values())):
        return
    largest = envoy.max_replicas
    found = fleet_room(
        spec.node_groups,
        pod_request(envoy),
        max_replicas=largest,
        surge=surge(largest),
        others=[
            *[PodRequest.of((contour.cpu, contour.memory))] * contour.replicas,
            PodRequest.of((EXTERNAL_DNS_CPU, EXTERNAL_DNS_MEMORY)),
        ],
    )
    if not found.fits:
        yield Mistake(
            (*path, "node_groups"),
            list(spec.node_groups),
            f"hold {found.room} Envoys, but a rollout of envoy.max_replicas ({largest}) may run "
            f"{found.needed} at once, draining ones included; add more or larger nodes, lower "
            "envoy.max_replicas, or use auto_mode",
            against=("envoy",),
        )
