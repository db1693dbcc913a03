"""The rules between the settings for serving."""

from collections.abc import Iterator

from grpc_platform.conventions import PLATFORM_NAMESPACES
from grpc_platform.rules import Mistake
from grpc_platform.rules.service import service_on_platform
from grpc_platform.rules.serving import envoy_is_possible, released_together, two_of_all
from grpc_platform.rules.timing import times_agree
from grpc_platform.rules.zone import envoy_name, names_have_one_owner, zone_is_answered

from .settings import Settings

_NAMED = 10
"""How many services with one host each of them is told of."""


def _what_serves_is_possible(settings: Settings) -> Iterator[Mistake]:
    contour, envoy = settings.contour, settings.envoy
    yield from times_agree(settings.timing)
    yield from envoy_is_possible(envoy, ("envoy",))
    yield from released_together(contour, envoy)
    if settings.environment == "production":
        yield from two_of_all(contour, envoy)


def _names_are_found(settings: Settings) -> Iterator[Mistake]:
    # Another rule refuses a new cluster without a network.
    has_vpc = settings.network is not None or any(
        cluster.existing is None for cluster in settings.clusters.values()
    )
    yield from zone_is_answered(
        settings.zone, has_vpc=has_vpc or settings.zone.zone_id is not None, path=("zone",)
    )
    for cluster in settings.serving:
        yield from envoy_name(settings.contour_name(cluster), ("clusters", cluster))
    owners = {settings.contour_name(name): f"cluster {name}" for name in settings.clusters}
    owners |= {
        settings.host_of(name): f"service {name} of this stack" for name in settings.services
    }
    yield from names_have_one_owner(settings.zone, owners, ("zone",))


def _services_have_a_host(settings: Settings) -> Iterator[Mistake]:
    sharers: dict[str, list[str]] = {}
    for name in settings.services:
        sharers.setdefault(settings.host_of(name), []).append(name)
    contour_names = {settings.contour_name(cluster): cluster for cluster in settings.clusters}
    for name, service in settings.services.items():
        host = settings.host_of(name)
        yield from service_on_platform(
            name,
            service,
            zone_name=settings.zone.name,
            max_deadline=settings.envoy.max_deadline,
            path=("services", name),
        )
        if len(sharers[host]) > 1:
            yield _host_of_others(settings, name, host, sharers[host])
        if host in contour_names:
            yield Mistake(
                ("services", name, "host"),
                host,
                f"holds the Envoy addresses of cluster {contour_names[host]}; choose another host",
            )


def _host_of_others(settings: Settings, name: str, host: str, sharers: list[str]) -> Mistake:
    others = [other for other in sharers[:_NAMED] if other != name]
    clusters = settings.weights_of(settings.services[name]).keys()
    elsewhere = all(clusters.isdisjoint(settings.weights_of(settings.services[n])) for n in others)
    advice = "; for one service in two clusters, set weights" if elsewhere else ""
    more = f" and {len(sharers) - _NAMED} more" if len(sharers) > _NAMED else ""
    remedy = f"is also the host of {', '.join(others)}{more}{advice}"
    return Mistake(("services", name, "host"), host, remedy)


def _services_have_a_cluster(settings: Settings) -> Iterator[Mistake]:
    serving = ", ".join(settings.serving)
    for name, service in settings.services.items():
        path = ("services", name)
        if service.weights is not None:
            given = dict(service.weights)
            if service.cluster is not None:
                yield Mistake(
                    (*path, "weights"), given, "cannot be combined with cluster; remove one"
                )
            for cluster in given.keys() - settings.serving.keys():
                yield Mistake(
                    (*path, "weights", cluster),
                    given[cluster],
                    f"must be a serving cluster: {serving or 'there is none'}",
                )
            if not sum(given.values()):
                yield Mistake(
                    (*path, "weights"),
                    given,
                    "sum to 0, which Route53 reads as equal shares; give a serving cluster more",
                )
        elif service.cluster is None and len(settings.serving) > 1:
            yield Mistake((*path, "cluster"), None, f"is required: one of {serving}")
        elif service.cluster is not None and service.cluster not in settings.serving:
            yield Mistake(
                (*path, "cluster"),
                service.cluster,
                f"must be a serving cluster: {serving or 'there is none'}",
            )


def _namespaces_can_be_made(settings: Settings) -> Iterator[Mistake]:
    serving = ", ".join(settings.serving)
    for name, namespace in settings.namespaces.items():
        path = ("namespaces", name)
        if name in PLATFORM_NAMESPACES:
            yield Mistake(path, None, "is made by the platform itself; remove it")
        elif name == "default" or name.startswith("kube-"):
            yield Mistake(path, None, "already exists in every cluster; remove it")
        for index, cluster in enumerate(namespace.clusters or ()):
            if cluster not in settings.serving:
                yield Mistake(
                    (*path, "clusters", index),
                    cluster,
                    f"must be a serving cluster: {serving or 'there is none'}",
                )


SERVING_RULES = (
    _what_serves_is_possible,
    _names_are_found,
    _services_have_a_host,
    _services_have_a_cluster,
    _namespaces_can_be_made,
)
