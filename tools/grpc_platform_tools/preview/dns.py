"""The DNS chain of each service: from the name a client dials to the pods behind it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from grpc_platform_tools.graph import Graph, Resource
from grpc_platform_tools.plain import is_list, is_mapping
from grpc_platform_tools.preview.manifests import clusters, kubernetes_objects, object_label

RECORD_TYPE = "aws:route53/record:Record"
ZONE_TYPE = "aws:route53/zone:Zone"
# The prefix is external-dns.alpha.kubernetes.io/ up to external-dns 0.21, then without `alpha`, or
# a program's own.
_ANNOTATION = re.compile(r"external-dns\.[a-z0-9.-]+/(hostname|ttl)")
_MAX_STEPS = 8


@dataclass(frozen=True, kw_only=True)
class Step:
    """One answer of DNS: `name` is a `type` record with `value`; `ttl` in seconds."""

    name: str
    type: str
    ttl: int | None
    value: str
    zone: str | None = None
    weight: int | None = None
    """Its weight among the records of this name; a look-up gets one of them."""


@dataclass(frozen=True, kw_only=True)
class Pods:
    """The pods whose addresses external-dns publishes under a name."""

    cluster: str
    service: str
    workload: str | None
    min_replicas: int | None
    max_replicas: int | None
    ports: dict[str, int | str]
    service_urn: str

    @property
    def description(self) -> str:
        """`every ready pod of Deployment projectcontour/envoy (2 to 10)`."""
        if self.workload is None:
            return f"every ready pod of {self.service}"
        sizes = sorted({n for n in (self.min_replicas, self.max_replicas) if n is not None})
        size = f" ({' to '.join(map(str, sizes))})" if sizes else ""
        return f"every ready pod of {self.workload}{size}"


@dataclass(frozen=True, kw_only=True)
class Route:
    """Where the proxy sends calls for a host."""

    cluster: str
    ingress: str
    service: str
    tls: bool
    ingress_urn: str


@dataclass(frozen=True, kw_only=True)
class Chain:
    """A host, its chain of records, the pods at the end, and where the proxy sends calls.

    A host with several weighted records has a chain for each."""

    host: str
    steps: tuple[Step, ...]
    pods: Pods | None
    routes: tuple[Route, ...]
    elsewhere: bool = False
    """Whether it ends at a name that another stack publishes: this stack publishes no pods at
    all."""
    share: float = 1.0
    """The share of the host's look-ups that take this chain."""

    @property
    def problems(self) -> list[str]:
        """Why a call to the host would not arrive; empty for a sound chain."""
        if not self.steps:
            return [f"{self.host} is routed, but no record leads to it"]
        if self.pods is None and not self.elsewhere:
            return [f"{self.host} leads to {self.steps[-1].value}, which is not published here"]
        routed = {route.cluster for route in self.routes}
        if routed and self.pods and self.pods.cluster not in routed:
            there = ", ".join(sorted(routed))
            return [f"{self.host} leads to cluster {self.pods.cluster}, but is routed in {there}"]
        return []


def chains(graph: Graph) -> list[Chain]:
    """The chains of every CNAME's name and every routed host, sorted by host."""
    names = clusters(graph)
    records: dict[str, list[Step]] = {}
    for record in _records(graph):
        records.setdefault(record.name, []).append(record)
    published = published_names(graph, names)
    routes = _routes(graph, names)
    targets = {record.value for several in records.values() for record in several}
    hosts = {name for name in records if name not in targets} | set(routes)
    result: list[Chain] = []
    for host in sorted(hosts):
        for steps, share in _paths(records, host):
            end = steps[-1].value if steps else host
            ttl, pods = published.get(end, (None, None))
            published_step = (
                [Step(name=end, type="A", ttl=ttl, value=pods.description)] if pods else []
            )
            result.append(
                Chain(
                    host=host,
                    steps=(*steps, *published_step),
                    pods=pods,
                    routes=tuple(_routes_at(routes.get(host, []), pods)),
                    elsewhere=not published,
                    share=share,
                )
            )
    return result


def _paths(records: Mapping[str, list[Step]], host: str) -> list[tuple[tuple[Step, ...], float]]:
    """Every way through the records from `host`, each with its share of the look-ups."""
    done: list[tuple[tuple[Step, ...], float]] = []
    open_: list[tuple[tuple[Step, ...], float]] = [((), 1.0)]
    while open_:
        steps, share = open_.pop(0)
        several = records.get(steps[-1].value if steps else host, [])
        if not several or len(steps) == _MAX_STEPS:
            done.append((steps, share))
            continue
        # Route53 treats weights that are all 0 as equal, and a record without a weight likewise.
        weights = [step.weight or 0 for step in several]
        if not sum(weights):
            weights = [1] * len(several)
        open_ += [
            ((*steps, step), share * weight / sum(weights))
            for step, weight in zip(several, weights, strict=True)
        ]
    return done


def _routes_at(routes: list[Route], pods: Pods | None) -> list[Route]:
    """Those in the cluster where a chain ends; all of them if none is in that cluster."""
    there = [route for route in routes if pods is not None and route.cluster == pods.cluster]
    return there or routes


def _records(graph: Graph) -> list[Step]:
    zones = {z.urn: _name(str(z.inputs.get("name") or z.name)) for z in graph.of_type(ZONE_TYPE)}
    steps: list[Step] = []
    for record in graph.of_type(RECORD_TYPE):
        values = _list(record.inputs, "records")
        if record.inputs.get("type") != "CNAME" or not values:
            continue
        zone = next((zones[urn] for urn in record.depends_on if urn in zones), None)
        name = _name(str(record.inputs.get("name") or record.name))
        if zone and not f".{name}".endswith(f".{zone}"):
            name = f"{name}.{zone}"  # the Route53 provider appends the zone to a relative name
        ttl = record.inputs.get("ttl")
        policies = _list(record.inputs, "weightedRoutingPolicies")
        weight = policies[0].get("weight") if policies else None
        steps.append(
            Step(
                name=name,
                type="CNAME",
                ttl=ttl,
                value=_name(str(values[0])),
                zone=zone,
                weight=weight,
            )
        )
    return steps


def published_names(
    graph: Graph, names: dict[str | None, str]
) -> dict[str, tuple[int | None, Pods]]:
    """The TTL and pods of each Service that external-dns publishes, by name."""
    found: dict[str, tuple[int | None, Pods]] = {}
    for service in kubernetes_objects(graph):
        annotations = _map(service.inputs, "metadata", "annotations")
        asked = {m[1]: str(v) for k, v in annotations.items() if (m := _ANNOTATION.fullmatch(k))}
        if service.inputs["kind"] == "Service" and "hostname" in asked:
            pods = _pods(graph, service, names[service.provider])
            for hostname in asked["hostname"].split(","):
                found[_name(hostname)] = (_seconds(asked.get("ttl")), pods)
    return found


def _pods(graph: Graph, service: Resource, cluster: str) -> Pods:
    selected = selector(service).items()
    beside = [
        r
        for r in kubernetes_objects(graph)
        if r.provider == service.provider and namespace(r) == namespace(service)
    ]
    workload = next((r for r in beside if selected and selected <= pod_labels(r).items()), None)
    low = high = None
    if workload:
        low = high = _map(workload.inputs, "spec").get("replicas", 1)
        for scaler in beside:
            target = _map(scaler.inputs, "spec", "scaleTargetRef")
            if (target.get("kind"), target.get("name")) == _kind_and_name(workload):
                low = _map(scaler.inputs, "spec").get("minReplicas", 1)
                high = _map(scaler.inputs, "spec").get("maxReplicas")
    return Pods(
        cluster=cluster,
        service=object_label(service),
        workload=object_label(workload) if workload else None,
        min_replicas=low,
        max_replicas=high,
        ports={
            str(port.get("name") or port["port"]): port.get("targetPort") or port["port"]
            for port in _list(service.inputs, "spec", "ports")
        },
        service_urn=service.urn,
    )


def _routes(graph: Graph, names: dict[str | None, str]) -> dict[str, list[Route]]:
    routes: dict[str, list[Route]] = {}
    for ingress in kubernetes_objects(graph):
        if ingress.inputs["kind"] != "Ingress":
            continue
        tls = _list(ingress.inputs, "spec", "tls")
        encrypted = {host for section in tls for host in _list(section, "hosts")}
        for rule in _list(ingress.inputs, "spec", "rules"):
            host = str(rule.get("host") or "*")
            for path in _list(rule, "http", "paths"):
                port = _map(path, "backend", "service", "port")
                service = f"{namespace(ingress)}/{_map(path, 'backend', 'service').get('name')}"
                route = Route(
                    cluster=names[ingress.provider],
                    ingress=object_label(ingress),
                    service=f"Service {service}:{port.get('number') or port.get('name')}",
                    tls=host in encrypted,
                    ingress_urn=ingress.urn,
                )
                routes.setdefault(_name(host), []).append(route)
    return routes


def namespace(resource: Resource) -> str:
    """A Kubernetes object's namespace and cluster."""
    return _map(resource.inputs, "metadata").get("namespace") or "default"


def _kind_and_name(resource: Resource) -> tuple[str, str]:
    return resource.inputs["kind"], resource.inputs["metadata"].get("name") or resource.name


def selector(service: Resource) -> dict[str, Any]:
    """The labels of the pods that a Service selects."""
    return _map(service.inputs, "spec", "selector")


def pod_labels(resource: Resource) -> dict[str, Any]:
    """The labels of the pods that a workload creates."""
    return _map(resource.inputs, "spec", "template", "metadata", "labels")


def _map(value: Any, *keys: str) -> dict[str, Any]:
    """The mapping under `keys`; empty where there is none, or only a secret."""
    for key in keys:
        value = value.get(key) if is_mapping(value) else None
    return value if is_mapping(value) else {}


def _list(value: Any, *keys: str) -> list[Any]:
    """The list under `keys`; empty where there is none, or only a secret."""
    found = _map(value, *keys[:-1]).get(keys[-1])
    return found if is_list(found) else []


def _name(name: str) -> str:
    return name.strip().rstrip(".").lower()


def _seconds(text: str | None) -> int | None:
    """external-dns takes a number of seconds or a Go duration."""
    found = re.fullmatch(r"(?:(\d+)m)?(?:(\d+)s?)?", text or "")
    return int(found[1] or 0) * 60 + int(found[2] or 0) if text and found else None
