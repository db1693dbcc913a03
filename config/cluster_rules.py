"""The rules between clusters."""

from collections.abc import Iterator

from grpc_platform.rules import Mistake
from grpc_platform.rules.cluster import fleet_fits, new_cluster, reachable
from grpc_platform.rules.serving import dns_credentials

from .settings import Settings


def _clusters_can_be_made(settings: Settings) -> Iterator[Mistake]:
    if not settings.serving:
        yield Mistake(("clusters",), None, "no cluster serves; leave serves: true on one")
    contexts: dict[tuple[str | None, str], str] = {}
    in_eks = {name: name for name, cluster in settings.clusters.items() if not cluster.existing}
    for name, cluster in settings.clusters.items():
        path = ("clusters", name)
        if cluster.existing is None:
            new_vpc = settings.network is None or settings.network.existing is None
            yield from new_cluster(cluster, path)
            yield from reachable(cluster, path, new_vpc=new_vpc)
            if cluster.serves:
                yield from fleet_fits(cluster, settings.contour, settings.envoy, path)
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
                f"is cluster {contexts[place]} too; one cluster cannot have two names",
            )
        contexts.setdefault(place, name)
        eks_name = cluster.existing.eks_cluster_name
        if eks_name is not None and in_eks.setdefault(eks_name, name) != name:
            yield Mistake(
                (*path, "existing", "eks_cluster_name"),
                eks_name,
                f"is cluster {in_eks[eks_name]} too; one cluster cannot have two names",
            )
        if cluster.serves:
            where = (*path, "existing", "eks_cluster_name")
            yield from dns_credentials(eks_name, settings.external_dns, where)


CLUSTER_RULES = (_clusters_can_be_made,)
