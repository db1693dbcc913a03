"""What must hold between the values that decide how calls are served."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

from grpc_platform import versions
from grpc_platform.conventions import ENVOY_POD_PORTS, PLATFORM_NAMESPACES
from grpc_platform.quantities import cpu_cores
from grpc_platform.rules import Mistake
from grpc_platform.timing import (
    DEFAULT_DEADLINE,
    MAX_TERMINATION_GRACE_PERIOD,
    format_duration,
)

from .settings import Settings

MAX_NAME = 253
"""Characters of a DNS name."""


def _times_agree(settings: Settings) -> Iterator[Mistake]:
    timing = settings.timing
    duration = timing.max_connection_duration
    given = format_duration(duration)
    path = ("contour", "timeouts", "max_connection_duration")
    if timing.termination_grace_period > MAX_TERMINATION_GRACE_PERIOD:
        yield Mistake(
            path,
            given,
            f"lets Envoy take {format_duration(timing.termination_grace_period)} to terminate; a "
            f"node drain allows {format_duration(MAX_TERMINATION_GRACE_PERIOD)}; shorten it, "
            "zone.record_ttl or envoy.max_deadline",
        )
    if duration < timing.min_resolution_interval:
        yield Mistake(
            path,
            given,
            "clients look names up every "
            f"{format_duration(timing.min_resolution_interval)} at most; "
            "a shorter duration only redials the same Envoy",
        )
    if timing.record_ttl >= duration:
        yield Mistake(
            ("zone", "record_ttl"),
            format_duration(timing.record_ttl),
            f"must be shorter than contour.timeouts.max_connection_duration ({given}), or clients "
            "reconnect to addresses they still have",
            against=path,
        )


def _production_has_two_of_all(settings: Settings) -> Iterator[Mistake]:
    if settings.environment == "production":
        if settings.envoy.min_replicas < 2:
            count = settings.envoy.min_replicas
            yield Mistake(("envoy", "min_replicas"), count, "production needs at least 2")
        if settings.contour.replicas < 2:
            count = settings.contour.replicas
            yield Mistake(("contour", "replicas"), count, "production needs at least 2")


def _envoy_is_possible(settings: Settings) -> Iterator[Mistake]:
    envoy = settings.envoy
    if envoy.min_replicas > envoy.max_replicas:
        yield Mistake(
            ("envoy", "min_replicas"),
            envoy.min_replicas,
            f"must not exceed envoy.max_replicas ({envoy.max_replicas})",
            against=("envoy", "max_replicas"),
        )
    if envoy.concurrency is None and not cpu_cores(envoy.cpu).is_integer():
        yield Mistake(("envoy", "cpu"), envoy.cpu, "must be whole cores, or give envoy.concurrency")
    for key in ("http_port", "https_port"):
        port: int = getattr(envoy, key)
        if port in ENVOY_POD_PORTS:
            yield Mistake(("envoy", key), port, f"is taken by {ENVOY_POD_PORTS[port]}")
    if envoy.http_port == envoy.https_port:
        yield Mistake(("envoy", "https_port"), envoy.https_port, "must differ from http_port")
    released = versions.ENVOY_OF_CONTOUR[settings.contour.version]
    if envoy.version != released:
        yield Mistake(
            ("envoy", "version"),
            envoy.version,
            f"Contour {settings.contour.version} was released with Envoy {released}",
        )


def _zone_is_reachable(settings: Settings) -> Iterator[Mistake]:
    zone = settings.zone
    if zone.public and not zone.acknowledge_public_addresses:
        yield Mistake(
            ("zone", "public"),
            zone.public,
            "publishes the private addresses of Envoy's pods to anyone; "
            "say acknowledge_public_addresses: true, or leave the zone private",
        )
    anywhere = all(cluster.existing for cluster in settings.clusters.values())
    if not zone.public and zone.zone_id is None and settings.network is None and anywhere:
        yield Mistake(
            ("zone",), None, "a new private zone is answered in a VPC; give network, or zone_id"
        )


def _services_have_a_place(settings: Settings) -> Iterator[Mistake]:
    zone = settings.zone.name
    hosts = Counter(settings.host_of(name) for name in settings.services)
    contour_names = {settings.contour_name(cluster): cluster for cluster in settings.clusters}
    for cluster in settings.serving:
        length = len(f"_external-dns-a.{settings.contour_name(cluster)}")
        if length > MAX_NAME:
            yield Mistake(
                ("clusters", cluster),
                None,
                f"external-dns's name for it has {length} characters, and DNS takes {MAX_NAME}; "
                "shorten it or zone.name",
            )
    for name, service in settings.services.items():
        path = ("services", name)
        host = settings.host_of(name)
        if len(host) > MAX_NAME:
            yield Mistake(
                (*path, "host"), host, f"has {len(host)} characters; DNS takes {MAX_NAME}"
            )
        if service.namespace in PLATFORM_NAMESPACES:
            yield Mistake(
                (*path, "namespace"), service.namespace, "is the platform's own; choose another"
            )
        if not host.endswith(f".{zone}"):
            yield Mistake((*path, "host"), host, f"must lie in the zone: <name>.{zone}")
        if hosts[host] > 1:
            yield _host_of_others(settings, name, host)
        if host in contour_names:
            yield Mistake(
                (*path, "host"),
                host,
                f"holds the Envoy addresses of cluster {contour_names[host]}; choose another host",
            )


def _host_of_others(settings: Settings, name: str, host: str) -> Mistake:
    others = [n for n in settings.services if n != name and settings.host_of(n) == host]
    clusters = settings.weights_of(settings.services[name]).keys()
    elsewhere = all(clusters.isdisjoint(settings.weights_of(settings.services[n])) for n in others)
    advice = "; one service that two clusters serve has weights" if elsewhere else ""
    return Mistake(
        ("services", name, "host"), host, f"is the host of {', '.join(others)} too{advice}"
    )


def _services_have_a_cluster(settings: Settings) -> Iterator[Mistake]:
    serving = ", ".join(settings.serving)
    for name, service in settings.services.items():
        path = ("services", name)
        if service.weights is not None:
            given = dict(service.weights)
            if service.cluster is not None:
                yield Mistake((*path, "weights"), given, "does not go with cluster; remove one")
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
                    "sum to 0, which Route53 takes for equal shares; give the one that serves more",
                )
        elif service.cluster is None and len(settings.serving) > 1:
            yield Mistake((*path, "cluster"), None, f"is required: one of {serving}")
        elif service.cluster is not None and service.cluster not in settings.serving:
            yield Mistake(
                (*path, "cluster"),
                service.cluster,
                f"must be a serving cluster: {serving or 'there is none'}",
            )


def _names_of_teams_are_theirs_alone(settings: Settings) -> Iterator[Mistake]:
    owners = {settings.contour_name(name): f"cluster {name}" for name in settings.clusters}
    owners |= {
        settings.host_of(name): f"service {name} of this stack" for name in settings.services
    }
    for name, team in settings.zone.teams.items():
        for index, host in enumerate(team.hosts):
            path = ("zone", "teams", name, "hosts", index)
            if not host.endswith(f".{settings.zone.name}"):
                yield Mistake(path, host, f"must lie in the zone: <name>.{settings.zone.name}")
            elif host in owners:
                yield Mistake(path, host, f"is the name of {owners[host]}; a name has one owner")
            owners.setdefault(host, f"team {name}")


def _deadlines_fit(settings: Settings) -> Iterator[Mistake]:
    longest = settings.envoy.max_deadline
    for name, service in settings.services.items():
        path = ("services", name, "deadline")
        if service.streaming:
            if isinstance(service.deadline, timedelta):
                given = format_duration(service.deadline)
                yield Mistake(path, given, "ends every stream; a streaming service takes infinity")
            continue
        deadline = service.deadline or DEFAULT_DEADLINE
        if isinstance(deadline, timedelta) and deadline > longest:
            yield Mistake(
                path,
                format_duration(deadline),
                f"exceeds envoy.max_deadline ({format_duration(longest)}), which Envoy's drain "
                "waits for; raise that",
                against=("envoy", "max_deadline"),
            )


def _namespaces_have_one_maker(settings: Settings) -> Iterator[Mistake]:
    made: dict[tuple[str, str], str] = {}
    for name, service in settings.services.items():
        if not service.create_namespace:
            continue
        path = ("services", name, "create_namespace")
        if service.namespace == "default" or service.namespace.startswith("kube-"):
            there = f"namespace {service.namespace} is there already; name another"
            yield Mistake(path, True, there)
            continue
        places = [(cluster, service.namespace) for cluster in settings.weights_of(service)]
        if others := sorted({made[place] for place in places if place in made}):
            others = ", ".join(others)
            yield Mistake(path, True, f"{service.namespace} is already created by {others}")
        for place in places:
            made.setdefault(place, name)


SERVING_RULES = (
    _times_agree,
    _production_has_two_of_all,
    _envoy_is_possible,
    _zone_is_reachable,
    _services_have_a_place,
    _services_have_a_cluster,
    _names_of_teams_are_theirs_alone,
    _deadlines_fit,
    _namespaces_have_one_maker,
)
