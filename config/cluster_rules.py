"""What must hold between the values of the clusters."""

from collections.abc import Iterator

from grpc_platform.conventions import EXTERNAL_DNS_CPU, EXTERNAL_DNS_MEMORY
from grpc_platform.eks.capacity import PodRequest, fleet_room
from grpc_platform.envoy.fleet import pod_request, surge
from grpc_platform.rules import Mistake, Path
from grpc_platform.rules.serving import dns_credentials
from grpc_platform.specs import ClusterSpec

from .settings import Settings


def _clusters_can_be_made(settings: Settings) -> Iterator[Mistake]:
    if not settings.serving:
        yield Mistake(("clusters",), None, "none serves; leave serves: true on one")
    contexts: dict[tuple[str | None, str], str] = {}
    in_eks = {name: name for name, cluster in settings.clusters.items() if not cluster.existing}
    for name, cluster in settings.clusters.items():
        path = ("clusters", name)
        if cluster.existing is None:
            yield from _new_cluster(settings, cluster, path)
            continue
        if others := sorted(cluster.model_fields_set - {"existing", "serves"}):
            yield Mistake(
                (*path, others[0]),
                None,
                "does not apply to an existing cluster; remove it",
            )
        place = (cluster.existing.kubeconfig, cluster.existing.context)
        if place in contexts:
            yield Mistake(
                (*path, "existing", "context"),
                cluster.existing.context,
                f"is cluster {contexts[place]} already; one name cannot be fed twice",
            )
        contexts.setdefault(place, name)
        eks_name = cluster.existing.eks_cluster_name
        if eks_name is not None and in_eks.setdefault(eks_name, name) != name:
            yield Mistake(
                (*path, "existing", "eks_cluster_name"),
                eks_name,
                f"is cluster {in_eks[eks_name]} already; one name cannot be fed twice",
            )
        if cluster.serves:
            where = (*path, "existing", "eks_cluster_name")
            yield from dns_credentials(eks_name, settings.external_dns, where)


def _new_cluster(settings: Settings, cluster: ClusterSpec, path: Path) -> Iterator[Mistake]:
    if cluster.access is None:
        yield Mistake(
            (*path, "access"), None, "is required: deployer_role names the role that runs pulumi up"
        )
    if cluster.auto_mode and cluster.node_groups:
        yield Mistake(
            (*path, "node_groups"),
            list(cluster.node_groups),
            "does not go with auto_mode, which runs the nodes; remove one",
        )
    if not cluster.auto_mode and not cluster.node_groups:
        yield Mistake((*path, "node_groups"), None, "is required, or auto_mode: true")
    if cluster.serves and cluster.node_groups and not cluster.auto_mode:
        yield from _fleet_fits(settings, cluster, path)
    reachable = (
        cluster.public_access_cidrs
        or cluster.private_access_cidrs
        or (settings.network is not None and settings.network.existing is not None)
    )
    if not reachable:
        yield Mistake(
            (*path, "public_access_cidrs"),
            list(cluster.public_access_cidrs),
            "leaves a private endpoint in a VPC that does not exist yet: nobody could apply the "
            "Kubernetes half; list CIDRs here, or in private_access_cidrs those of a runner or VPN",
        )


def _fleet_fits(settings: Settings, cluster: ClusterSpec, path: Path) -> Iterator[Mistake]:
    contour = PodRequest.of((settings.contour.cpu, settings.contour.memory))
    largest = settings.envoy.max_replicas
    found = fleet_room(
        cluster.node_groups,
        pod_request(settings.envoy),
        max_replicas=largest,
        surge=surge(largest),
        others=[
            *[contour] * settings.contour.replicas,
            PodRequest.of((EXTERNAL_DNS_CPU, EXTERNAL_DNS_MEMORY)),
        ],
    )
    if not found.fits:
        yield Mistake(
            (*path, "node_groups"),
            list(cluster.node_groups),
            f"hold {found.room} Envoys, and a rollout of envoy.max_replicas ({largest}) may have "
            f"{found.needed} at once, those that drain included; add nodes or larger ones, lower "
            "envoy.max_replicas, or use auto_mode",
            against=("envoy",),
        )


CLUSTER_RULES = (_clusters_can_be_made,)
