"""What must hold between the values that decide what is built, and who reaches it."""

from collections.abc import Iterator

from grpc_platform.components.specs import CallerSpec, ClusterSpec

from .mistakes import Mistake, Path
from .settings import Settings


def _network_fits_its_clusters(settings: Settings) -> Iterator[Mistake]:
    network = settings.network
    new = [name for name, cluster in settings.clusters.items() if cluster.existing is None]
    if network is None:
        if new:
            yield Mistake(("network",), None, f"is required by the new cluster {new[0]}")
        return
    if network.existing is not None:
        if others := sorted(network.model_fields_set - {"existing"}):
            yield Mistake(
                ("network", others[0]),
                getattr(network, others[0]),
                "does not apply to an existing VPC; remove it",
            )
        return
    if len(network.zones) < 2:
        yield Mistake(
            ("network", "zones"), list(network.zones), "EKS needs at least 2 availability zones"
        )
    if len(set(network.zones)) < len(network.zones):
        yield Mistake(("network", "zones"), list(network.zones), "names a zone twice")


def _clusters_can_be_made(settings: Settings) -> Iterator[Mistake]:
    if not settings.serving:
        yield Mistake(("clusters",), None, "none serves; leave serves: true on one")
    contexts: dict[tuple[str | None, str], str] = {}
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
        identity = cluster.existing.eks_cluster_name or settings.external_dns.credentials_secret
        if cluster.serves and identity is None:
            yield Mistake(
                (*path, "existing", "eks_cluster_name"),
                None,
                "is required, or external_dns.credentials_secret outside EKS: external-dns needs "
                "credentials for Route53",
            )


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
    reachable = (
        cluster.public_access_cidrs
        or cluster.private_endpoint_path
        or (settings.network is not None and settings.network.existing is not None)
    )
    if not reachable:
        yield Mistake(
            (*path, "public_access_cidrs"),
            list(cluster.public_access_cidrs),
            "leaves a private endpoint in a VPC that does not exist yet: nobody could apply the "
            "Kubernetes half; list CIDRs, or say in private_endpoint_path how it is reached",
        )


def _callers_are_known(settings: Settings) -> Iterator[Mistake]:
    for name, caller in settings.callers.items():
        yield from _caller(settings, caller, ("callers", name))


def _caller(settings: Settings, caller: CallerSpec, path: Path) -> Iterator[Mistake]:
    if caller.cluster is None:
        if caller.cidr is None:
            yield Mistake(
                (*path, "cidr"),
                None,
                "is required, or cluster: NetworkPolicy knows callers outside by address only",
            )
        if caller.namespaces:
            yield Mistake(
                (*path, "namespaces"), list(caller.namespaces), "goes with cluster only; remove it"
            )
        return
    for key in ("security_group_id", "cidr", "vpc_id"):
        value: str | None = getattr(caller, key)
        if value is not None:
            yield Mistake((*path, key), value, "does not go with cluster; make it another caller")
    if caller.cluster not in settings.clusters:
        yield Mistake(
            (*path, "cluster"),
            caller.cluster,
            f"is not a cluster of this stack: {', '.join(settings.clusters)}",
        )
    elif caller.namespaces and caller.cluster not in settings.serving:
        yield Mistake(
            (*path, "namespaces"),
            list(caller.namespaces),
            f"namespaces of {caller.cluster} cannot be told apart from outside it; remove it",
        )


INFRASTRUCTURE_RULES = (
    _network_fits_its_clusters,
    _clusters_can_be_made,
    _callers_are_known,
)
