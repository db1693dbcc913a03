"""Kubernetes objects as rules see them: pods, containers, what selects them, and their flags."""

import re
from collections.abc import Iterator
from typing import Any

from grpc_platform_tools.graph import Graph, Resource
from grpc_platform_tools.plain import is_mapping
from grpc_platform_tools.policy.values import at, each, mapping, number
from grpc_platform_tools.preview.manifests import kubernetes_objects

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "Pod")
_HOSTNAME = re.compile(r"external-dns\.[a-z0-9.-]+/hostname")
_TTL = re.compile(r"external-dns\.[a-z0-9.-]+/ttl")


def pod_spec(workload: Resource) -> dict[str, Any]:
    """The spec of the pods that a workload makes."""
    return mapping(_pod(workload), "spec")


def pod_labels(workload: Resource) -> dict[str, Any]:
    """The labels of the pods that a workload makes."""
    return mapping(_pod(workload), "metadata", "labels")


def _pod(workload: Resource) -> dict[str, Any]:
    if workload.inputs["kind"] == "Pod":
        return workload.inputs
    if workload.inputs["kind"] == "CronJob":
        return mapping(workload.inputs, "spec", "jobTemplate", "spec", "template")
    return mapping(workload.inputs, "spec", "template")


def containers(workload: Resource, *, initial: bool = False) -> Iterator[dict[str, Any]]:
    """The containers of a workload's pods; with `initial` those that run before them too."""
    spec = pod_spec(workload)
    for key in ("initContainers", "containers") if initial else ("containers",):
        for container in each(spec, key):
            if is_mapping(container):
                yield container


def beside(resource: Resource, graph: Graph, kind: str) -> Iterator[Resource]:
    """The objects of a kind in the same cluster and namespace."""
    for other in of_cluster(resource, graph, kind):
        if namespace(other) == namespace(resource):
            yield other


def of_cluster(resource: Resource, graph: Graph, kind: str) -> Iterator[Resource]:
    """The objects of a kind in the same cluster."""
    for other in kubernetes_objects(graph):
        if other.inputs["kind"] == kind and other.provider == resource.provider:
            yield other


def namespace(resource: Resource) -> str:
    """A Kubernetes object's namespace."""
    return str(at(resource.inputs, "metadata", "namespace") or "default")


def name(resource: Resource) -> str:
    """A Kubernetes object's name."""
    return str(at(resource.inputs, "metadata", "name") or resource.name)


def selects(selector: dict[str, Any], labels: dict[str, Any]) -> bool:
    """Whether a label selector, of pods or of a Service, selects these labels. An empty one selects
    all."""
    match = mapping(selector, "matchLabels") if _is_selector(selector) else selector
    if any(labels.get(key) != value for key, value in match.items()):
        return False
    return all(_holds(term, labels) for term in each(selector, "matchExpressions"))


def _is_selector(selector: dict[str, Any]) -> bool:
    return not selector or "matchLabels" in selector or "matchExpressions" in selector


def _holds(term: Any, labels: dict[str, Any]) -> bool:
    """A term of a label selector or of a node selector; an operator unknown here holds."""
    value = labels.get(str(at(term, "key")))
    values = list(each(term, "values"))
    return {
        "In": value in values,
        "NotIn": value not in values,
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }.get(str(at(term, "operator")), True)


def admits(spec: dict[str, Any], labels: dict[str, Any]) -> bool:
    """Whether pods of this spec may be scheduled on a node with these labels."""
    if not selects({"matchLabels": mapping(spec, "nodeSelector")}, labels):
        return False
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    terms = list(each(spec, "affinity", "nodeAffinity", required, "nodeSelectorTerms"))
    return not terms or any(
        all(_holds(expression, labels) for expression in each(term, "matchExpressions"))
        for term in terms
    )


def autoscaler(workload: Resource, graph: Graph) -> Resource | None:
    """The HorizontalPodAutoscaler of a workload."""
    for scaler in beside(workload, graph, "HorizontalPodAutoscaler"):
        target = mapping(scaler.inputs, "spec", "scaleTargetRef")
        if (at(target, "kind"), at(target, "name")) == (workload.inputs["kind"], name(workload)):
            return scaler
    return None


def fewest_replicas(workload: Resource, graph: Graph) -> int:
    """The number of pods that a workload has at least."""
    scaler = autoscaler(workload, graph)
    asked = (
        at(scaler.inputs, "spec", "minReplicas")
        if scaler
        else at(workload.inputs, "spec", "replicas")
    )
    found = number(asked)
    return 1 if found is None else int(found)


def hostnames(service: Resource) -> list[str]:
    """The names under which external-dns publishes the pods of a Service."""
    annotations = mapping(service.inputs, "metadata", "annotations")
    asked = [str(value) for key, value in annotations.items() if _HOSTNAME.fullmatch(key)]
    return [dns_name(part) for value in asked for part in value.split(",")]


def dns_name(name: object) -> str:
    """A name of DNS, to compare it with others."""
    return str(name).strip().rstrip(".").lower()


def port_names(port: Any, *keys: str) -> set[str]:
    """The number and name of a port, under these keys, as text."""
    return {str(found) for key in keys if (found := at(port, key)) is not None}


def record_ttl(service: Resource) -> Any:
    """The TTL that a Service asks external-dns for."""
    annotations = mapping(service.inputs, "metadata", "annotations")
    return next((value for key, value in annotations.items() if _TTL.fullmatch(key)), None)


def services_of(workload: Resource, graph: Graph) -> Iterator[Resource]:
    """The Services that select a workload's pods."""
    labels = pod_labels(workload)
    for service in beside(workload, graph, "Service"):
        selector = mapping(service.inputs, "spec", "selector")
        if selector and selects(selector, labels):
            yield service


def arguments(container: dict[str, Any]) -> list[str]:
    """The command and arguments of a container."""
    return [str(word) for key in ("command", "args") for word in each(container, key)]


def flag(words: list[str], name: str) -> str | None:
    """The value of `--name=value` or `--name value`; `true` for a flag alone."""
    for place, word in enumerate(words):
        if word.startswith(f"--{name}="):
            return word.partition("=")[2]
        if word == f"--{name}":
            following = words[place + 1 : place + 2]
            return following[0] if following and not following[0].startswith("-") else "true"
    return None
