"""The calls that an update loses because clients dial what is no longer there."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from grpc_platform_tools.graph import Graph, Resource
from grpc_platform_tools.preview.dns import namespace
from grpc_platform_tools.preview.manifests import kubernetes_objects

_PLAINTEXT = "kubernetes.io/ingress.allow-http"


@dataclass(frozen=True)
class Entries:
    """What a stack's Ingresses serve: their hosts, and the Services by namespace and name."""

    hosts: frozenset[str]
    services: frozenset[tuple[str, Any]]


def entries(graph: Graph) -> Entries:
    """Those of all Ingresses."""
    ingresses = [item for item in kubernetes_objects(graph) if item.inputs["kind"] == "Ingress"]
    return Entries(
        frozenset(host for ingress in ingresses for host in _hosts(ingress)),
        frozenset(service for ingress in ingresses for service in _backends(ingress)),
    )


def lost_calls(old: Resource, new: Resource | None, after: Entries) -> Iterator[str]:
    """The notes for a resource that is changed or deleted; ``after`` is the stack afterwards."""
    if old.inputs.get("kind") == "Ingress":
        yield from _by_ingress(old, new, after)
    elif old.inputs.get("kind") == "Service" and new:
        yield from _by_service(old, new, after)


def _by_ingress(old: Resource, new: Resource | None, after: Entries) -> Iterator[str]:
    hosts = _hosts(old)
    if gone := [host for host in hosts if host not in after.hosts]:
        yield f"loses the calls to {', '.join(gone)}"
    elif new:
        names = ", ".join(hosts)
        yield from (f"loses the calls to {names} {how}" for how in _ways(old) - _ways(new))
        if namespace(old) != namespace(new):
            yield f"loses calls to {names} for a moment: it moves to another namespace"


def _by_service(old: Resource, new: Resource, after: Entries) -> Iterator[str]:
    gone = sorted(_ports(old) - _ports(new))
    if not gone:
        return
    if (namespace(old), old.inputs["metadata"].get("name")) in after.services:
        yield "loses calls for a moment: the Ingress's controller moves them to the other port"
    else:
        yield f"loses the calls to port {', '.join(map(str, gone))}"


def _rules(ingress: Resource) -> list[dict[str, Any]]:
    return ingress.inputs.get("spec", {}).get("rules") or []


def _hosts(ingress: Resource) -> list[str]:
    return [str(rule["host"]) for rule in _rules(ingress) if rule.get("host")]


def _ways(ingress: Resource) -> set[str]:
    annotations: dict[str, str] = ingress.inputs["metadata"].get("annotations") or {}
    ways = {"over TLS"} if ingress.inputs.get("spec", {}).get("tls") else set[str]()
    return ways if annotations.get(_PLAINTEXT) == "false" else ways | {"in plaintext"}


def _backends(ingress: Resource) -> set[tuple[str, Any]]:
    return {
        (namespace(ingress), path["backend"].get("service", {}).get("name"))
        for rule in _rules(ingress)
        for path in rule.get("http", {}).get("paths", [])
    }


def _ports(service: Resource) -> set[Any]:
    ports: list[dict[str, Any]] = service.inputs.get("spec", {}).get("ports") or []
    return {port.get("port") for port in ports}
