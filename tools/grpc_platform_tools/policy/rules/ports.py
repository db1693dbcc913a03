"""Clients reach Envoy on every port that they are told."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from grpc_platform_tools.graph import STACK_TYPE, Graph, Resource
from grpc_platform_tools.plain import is_mapping
from grpc_platform_tools.policy.kubernetes import (
    beside,
    containers,
    dns_name,
    hostnames,
    pod_labels,
    port_names,
    selects,
)
from grpc_platform_tools.policy.rule import Finding, rule
from grpc_platform_tools.policy.values import at, each, mapping, number
from grpc_platform_tools.preview.dns import RECORD_TYPE
from grpc_platform_tools.preview.manifests import kubernetes_objects, object_label

_INGRESS_RULE = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
_MOST_RECORDS = 8
"""Records that a name is followed through."""


@rule(
    "Service",
    reason="Clients dial the addresses and ports of the pods themselves. A port that no "
    "NetworkPolicy opens times out.",
    remedy="Open every port of a published Service in a NetworkPolicy of its pods.",
)
def published_ports_open(service: Resource, graph: Graph) -> Iterator[Finding]:
    """The network policies of published pods open every port of their Service."""
    if not hostnames(service):
        return
    selector = mapping(service.inputs, "spec", "selector")
    policies = [
        policy
        for policy in beside(service, graph, "NetworkPolicy")
        if "Ingress" in (list(each(policy.inputs, "spec", "policyTypes")) or ["Ingress"])
        and selects(mapping(policy.inputs, "spec", "podSelector"), selector)
    ]
    for port in each(service.inputs, "spec", "ports"):
        accepted = _of_containers(service, graph, _target(port))
        if policies and not any(_opens(policy, accepted) for policy in policies):
            said = ", ".join(sorted(_target(port)))
            yield Finding(f"port {said} is opened by no network policy", tuple(policies))


@rule(
    _INGRESS_RULE,
    reason="A caller that may open one of Envoy's ports and not another fails as soon as a service "
    "uses that one.",
    remedy="Open every port of the published Service to each source.",
)
def callers_reach_every_port(ingress: Resource, graph: Graph) -> Iterator[Finding]:
    """A source that a security group lets in to one published port is let in to all."""
    wanted = {
        int(port)
        for service in _published(graph)
        for named in each(service.inputs, "spec", "ports")
        for target in _target(named)
        if (port := number(target)) is not None
    }
    if not any(_spans(ingress, port) for port in wanted):
        return
    opened: defaultdict[tuple[str, ...], set[int]] = defaultdict(set)
    for other in graph.of_type(_INGRESS_RULE):
        opened[_source(other)] |= {port for port in wanted if _spans(other, port)}
    mine = opened[_source(ingress)]
    if _spans(ingress, min(mine)):  # said once for each source
        for port in sorted(wanted - mine):
            yield Finding(
                f"opens port {min(mine)} of Envoy, but nothing opens {port} to its source"
            )


@rule(
    STACK_TYPE,
    reason="The stack's outputs tell clients where to dial. They fail if nothing listens there.",
    remedy="Export a port of the Service whose pods the name leads to.",
)
def clients_told_open_port(stack: Resource, graph: Graph) -> Iterator[Finding]:
    """A client contract names a port of the Service at the end of its host's records."""
    services = {host: service for service in _published(graph) for host in hostnames(service)}
    for contract in _contracts(stack.outputs):
        service = services.get(_end(dns_name(at(contract, "host")), graph))
        if service is None:
            continue
        ports = {name for p in each(service.inputs, "spec", "ports") for name in _target(p)}
        if str(at(contract, "port")) not in ports:
            text = f"{contract['host']}:{contract['port']} is no port of {object_label(service)}"
            yield Finding(text, (service,))


def _contracts(value: Any) -> Iterator[dict[str, Any]]:
    """The client contracts among a stack's outputs."""
    if is_mapping(value):
        if {"host", "port", "target_uri"} <= value.keys():
            yield value
        else:
            for inner in value.values():
                yield from _contracts(inner)


def _end(host: str, graph: Graph) -> str:
    """Where the CNAMEs of a host end."""
    cnames = {
        dns_name(at(record.inputs, "name")): dns_name(next(each(record.inputs, "records"), ""))
        for record in graph.of_type(RECORD_TYPE)
        if at(record.inputs, "type") == "CNAME"
    }
    for _ in range(_MOST_RECORDS):
        host = cnames.get(host, host)
    return host


def _published(graph: Graph) -> list[Resource]:
    found = (r for r in kubernetes_objects(graph) if r.inputs["kind"] == "Service")
    return [service for service in found if hostnames(service)]


def _target(port: Any) -> set[str]:
    """The port of the pods that a Service's port leads to."""
    return port_names(port, "targetPort") or port_names(port, "port")


def _of_containers(service: Resource, graph: Graph, target: set[str]) -> set[str]:
    """The target with the other name, or the number, that the containers give it."""
    selector = mapping(service.inputs, "spec", "selector")
    found = set(target)
    for kind in ("Deployment", "DaemonSet", "StatefulSet"):
        for workload in beside(service, graph, kind):
            if selects(selector, pod_labels(workload)):
                for container in containers(workload):
                    for port in each(container, "ports"):
                        names = port_names(port, "name", "containerPort")
                        found |= names if names & target else set()
    return found


def _opens(policy: Resource, accepted: set[str]) -> bool:
    numbers = [found for text in accepted if (found := number(text)) is not None]
    for opened in each(policy.inputs, "spec", "ingress"):
        ports = list(each(opened, "ports"))
        if not ports:
            return True
        for port in ports:
            first, last = number(at(port, "port")), number(at(port, "endPort"))
            if first is not None and last is not None:
                if any(first <= found <= last for found in numbers):
                    return True
            elif not (named := port_names(port, "port")) or named & accepted:
                return True
    return False


def _source(ingress: Resource) -> tuple[str, ...]:
    keys = ("securityGroupId", "cidrIpv4", "cidrIpv6", "prefixListId", "referencedSecurityGroupId")
    return tuple(str(at(ingress.inputs, key)) for key in keys)


def _spans(ingress: Resource, port: int) -> bool:
    if str(at(ingress.inputs, "ipProtocol")) == "-1":
        return True
    first, last = number(at(ingress.inputs, "fromPort")), number(at(ingress.inputs, "toPort"))
    return first is not None and last is not None and first <= port <= last
