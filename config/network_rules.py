"""The rules for the network and its callers."""

from collections.abc import Iterator
from ipaddress import IPv4Network

from grpc_platform.rules import Mistake, Path
from grpc_platform.rules.callers import caller_is_one_source, calling_cluster
from grpc_platform.rules.network import new_network, way_out
from grpc_platform.rules.scrapers import scraper_is_one_source
from grpc_platform.specs import CallerSpec

from .settings import Settings

API_PORT = 443
"""The port of the Kubernetes API."""


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
    yield from new_network(network, ("network",))
    others = settings.contour, settings.envoy, settings.external_dns
    yield from way_out(network, *others, path=("network",))


def _callers_are_known(settings: Settings) -> Iterator[Mistake]:
    sources: dict[tuple[str | None, ...], str] = {}
    blocks: dict[str | None, str] = {}
    for name, caller in settings.callers.items():
        yield from _caller(settings, caller, ("callers", name))
        source = (caller.cluster, caller.security_group_id, caller.cidr)
        if source in sources:
            yield Mistake(("callers", name), None, f"is the same source as {sources[source]}")
        sources.setdefault(source, name)
        if caller.cluster is None and caller.security_group_id is None:
            blocks.setdefault(caller.cidr, name)
    for name, scraper in settings.monitoring.scrapers.items():
        yield from scraper_is_one_source(scraper, ("monitoring", "scrapers", name))
    if API_PORT in (settings.envoy.http_port, settings.envoy.https_port):
        yield from _let_in_twice(settings, blocks)


def _let_in_twice(settings: Settings, callers: dict[str | None, str]) -> Iterator[Mistake]:
    """Envoy's pods and the API share a security group, and AWS refuses a duplicate rule."""
    for name, cluster in settings.serving.items():
        for index, block in enumerate(cluster.private_access_cidrs):
            if block in callers:
                yield Mistake(
                    ("clusters", name, "private_access_cidrs", index),
                    block,
                    f"has port {API_PORT} already opened by callers.{callers[block]}; remove it "
                    "here",
                    against=("envoy",),
                )


def _caller(settings: Settings, caller: CallerSpec, path: Path) -> Iterator[Mistake]:
    yield from caller_is_one_source(caller, path)
    yield from calling_cluster(
        caller,
        clusters={name: cluster.existing is None for name, cluster in settings.clusters.items()},
        serving=settings.serving,
        path=path,
    )
    if caller.cluster is None:
        yield from _caller_vpc(settings, caller.vpc_id, (*path, "vpc_id"))
        if caller.account_id and not (caller.vpc_id or caller.security_group_id):
            yield Mistake(
                (*path, "account_id"),
                caller.account_id,
                "applies with vpc_id or security_group_id only; remove it",
            )
    elif caller.vpc_id is not None:
        remedy = "cannot be combined with cluster; make it a separate caller"
        yield Mistake((*path, "vpc_id"), caller.vpc_id, remedy)


def _caller_vpc(settings: Settings, vpc_id: str | None, path: Path) -> Iterator[Mistake]:
    if vpc_id is None:
        return
    own = settings.network and settings.network.existing and settings.network.existing.vpc_id
    if settings.zone.public:
        yield Mistake(path, vpc_id, "is for a private zone; a public one resolves everywhere")
    elif vpc_id == own:
        yield Mistake(path, vpc_id, "is this stack's own VPC; remove it")


def _peered_networks_are_apart(settings: Settings) -> Iterator[Mistake]:
    """VPCs that overlap cannot be peered, and no route could lead to both:
    https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-basics.html#vpc-peering-limitations.

    The block of a caller without `vpc_id` may overlap another caller's block, or this network.
    """
    network = settings.network
    known: list[tuple[str | None, IPv4Network, str]] = []
    if network is not None and network.existing is None:
        known.append((None, IPv4Network(network.cidr), f"network.cidr ({network.cidr})"))
    accounts: dict[str, tuple[str | None, str]] = {}
    for name, caller in settings.callers.items():
        if caller.vpc_id is None:
            continue
        account, first = accounts.setdefault(caller.vpc_id, (caller.account_id, name))
        if account != caller.account_id:
            yield Mistake(
                ("callers", name, "account_id"),
                caller.account_id,
                f"differs from that of callers.{first}, which has the same vpc_id",
            )
        if caller.cidr is None:
            continue
        block = IPv4Network(caller.cidr)
        for vpc_id, other, what in known:
            if vpc_id != caller.vpc_id and block.overlaps(other):
                yield Mistake(
                    ("callers", name, "cidr"),
                    caller.cidr,
                    f"overlaps {what}, and {caller.vpc_id} is another VPC: they cannot be peered",
                )
        known.append((caller.vpc_id, block, f"callers.{name}.cidr ({caller.cidr})"))


NETWORK_RULES = (_network_fits_its_clusters, _callers_are_known, _peered_networks_are_apart)
