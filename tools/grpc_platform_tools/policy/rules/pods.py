"""What runs in a cluster: containers, and what keeps enough of them running."""

from collections.abc import Iterator
from typing import Any

from grpc_platform_tools.graph import Graph, Resource
from grpc_platform_tools.policy.kubernetes import (
    WORKLOADS,
    beside,
    containers,
    fewest_replicas,
    name,
    namespace,
    of_cluster,
    pod_labels,
    pod_spec,
    port_names,
    selects,
    services_of,
)
from grpc_platform_tools.policy.rule import Finding, rule
from grpc_platform_tools.policy.values import NotKnown, at, each, is_true, mapping, number

_SCALED = ("Deployment", "StatefulSet")
_CONFIDENTIAL = ("PASSWORD", "PASSWD", "SECRET", "TOKEN", "API_KEY", "ACCESS_KEY", "PRIVATE_KEY")
_ASIDE = ("_FILE", "_PATH", "_NAME", "_URL", "_URI", "_ENDPOINT")
"""Ends of names that say where a secret is, not what it is."""


@rule(
    *WORKLOADS,
    reason="Without requests pods are packed on full nodes and an autoscaler has nothing to "
    "measure; without a memory limit one pod takes its neighbours down. A limit of CPU is not "
    "asked for: it slows a pod on an idle node.",
    remedy="Set requests of cpu and memory and a limit of memory.",
    development="warning",
)
def container_resources(workload: Resource, graph: Graph) -> Iterator[Finding]:
    """Every container says what it needs and how much memory it may take."""
    for container in containers(workload, initial=True):
        wanted = (("requests", "cpu"), ("requests", "memory"), ("limits", "memory"))
        missing = [f"{k} of {r}" for k, r in wanted if not at(container, "resources", k, r)]
        if missing:
            yield Finding(f"container {at(container, 'name')} has no {', '.join(missing)}")


@rule(
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    reason="A pod without a readiness probe gets calls as soon as it starts, and keeps them when "
    "it no longer serves.",
    remedy="Give the container that serves the Service's port a readiness probe.",
)
def readiness_probe(workload: Resource, graph: Graph) -> Iterator[Finding]:
    """Every container behind a Service says when it is ready."""
    for service in services_of(workload, graph):
        targets: set[str] = set()
        for port in each(service.inputs, "spec", "ports"):
            targets |= port_names(port, "targetPort") or port_names(port, "port")
        for container in containers(workload):
            ports = [port_names(p, "name", "containerPort") for p in each(container, "ports")]
            serves = any(targets & known for known in ports)
            if serves and not at(container, "readinessProbe"):
                label = at(container, "name")
                yield Finding(f"container {label} has no readiness probe", (service,))


@rule(
    *WORKLOADS,
    reason="Root in a container is root on the node, for any flaw in the kernel or the runtime.",
    remedy="Set runAsNonRoot on the pod or on each container.",
)
def container_not_root(workload: Resource, graph: Graph) -> Iterator[Finding]:
    """No container runs as root."""
    spec = pod_spec(workload)
    for container in containers(workload, initial=True):
        own, pods = (at(c, "securityContext", "runAsNonRoot") for c in (container, spec))
        if not is_true(pods if own is None else own):
            yield Finding(f"container {at(container, 'name')} may run as root")


@rule(
    *WORKLOADS,
    reason="Capabilities and privilege escalation are what an intruder needs to leave a container.",
    remedy="Drop ALL capabilities, and set allowPrivilegeEscalation to false.",
)
def container_unprivileged(workload: Resource, graph: Graph) -> Iterator[Finding]:
    """No container has capabilities or can get them."""
    for container in containers(workload, initial=True):
        label = at(container, "name")
        if is_true(at(container, "securityContext", "privileged")):
            yield Finding(f"container {label} is privileged")
        if "ALL" not in list(each(container, "securityContext", "capabilities", "drop")):
            yield Finding(f"container {label} does not drop ALL capabilities")
        escalation = at(container, "securityContext", "allowPrivilegeEscalation")
        if escalation is None or is_true(escalation):
            yield Finding(f"container {label} allows privilege escalation")


@rule(
    *WORKLOADS,
    reason="Without a tag, or with `latest`, each node may run another version.",
    remedy="Give the image a version as its tag, or a digest.",
)
def image_pinned(workload: Resource, graph: Graph) -> Iterator[Finding]:
    """Every image has a version."""
    for container in containers(workload, initial=True):
        image = str(at(container, "image") or "")
        tag = image.rpartition("/")[2].partition(":")[2]
        if "@" not in image and tag in ("", "latest"):
            yield Finding(f"container {at(container, 'name')} runs {image or 'no image'}")


@rule(
    "PodDisruptionBudget",
    reason="Nodes cannot be drained: their update waits until it fails, or ends the pods by force.",
    remedy="Allow one pod to be unavailable: maxUnavailable 1, or a smaller minAvailable.",
)
def budget_allows_disruption(budget: Resource, graph: Graph) -> Iterator[Finding]:
    """A budget lets at least one pod go."""
    spec = mapping(budget.inputs, "spec")
    most, least = at(spec, "maxUnavailable"), at(spec, "minAvailable")
    if most in (0, "0", "0%") or least == "100%":
        yield Finding("lets no pod go")
    for workload in _budgeted(budget, graph):
        replicas, kept = fewest_replicas(workload, graph), number(least)
        if kept is not None and kept >= replicas:
            text = f"keeps {kept:g} pods, and {name(workload)} may have {replicas}"
            yield Finding(text, (workload,))


@rule(
    *_SCALED,
    reason="A drained node takes all of its pods at once, which may be all there are.",
    remedy="Give it a PodDisruptionBudget.",
    development="warning",
)
def workload_has_budget(workload: Resource, graph: Graph) -> Iterator[Finding]:
    """Of several pods, not all are evicted at once."""
    if fewest_replicas(workload, graph) < 2:
        return
    budgets = beside(workload, graph, "PodDisruptionBudget")
    if not any(workload.urn == r.urn for budget in budgets for r in _budgeted(budget, graph)):
        yield Finding("has no PodDisruptionBudget")


@rule(
    *_SCALED,
    reason="All pods may be in one zone or on one node, and are lost with it.",
    remedy="Give it topologySpreadConstraints over zones and nodes, or a pod anti-affinity.",
    development="warning",
)
def pods_spread(workload: Resource, graph: Graph) -> Iterator[Finding]:
    """Several pods are spread over zones."""
    if fewest_replicas(workload, graph) < 2:
        return
    spec = pod_spec(workload)
    keys = [at(rule, "topologyKey") for rule in each(spec, "topologySpreadConstraints")]
    if "topology.kubernetes.io/zone" not in keys and not at(spec, "affinity", "podAntiAffinity"):
        yield Finding("its pods are not spread over zones")


@rule(
    *WORKLOADS,
    reason="A token of the Kubernetes API in a pod that does not use it is there for an intruder.",
    remedy="Set automountServiceAccountToken to false on the pod.",
    development="warning",
)
def token_only_where_used(workload: Resource, graph: Graph) -> Iterator[Finding]:
    """Only pods whose account has rights get its token."""
    spec = pod_spec(workload)
    mounted = at(spec, "automountServiceAccountToken")
    account = at(spec, "serviceAccountName") or "default"
    for other in beside(workload, graph, "ServiceAccount"):
        if mounted is None and name(other) == account:
            mounted = at(other.inputs, "automountServiceAccountToken")
    if mounted is None or is_true(mounted):
        for kind in ("RoleBinding", "ClusterRoleBinding"):
            for binding in of_cluster(workload, graph, kind):
                for subject in each(binding.inputs, "subjects"):
                    if (at(subject, "kind"), at(subject, "name"), at(subject, "namespace")) == (
                        "ServiceAccount", account, namespace(workload),
                    ):  # fmt: skip
                        return
        yield Finding(f"mounts the token of account {account}, which has no rights here")


@rule(
    "Secret",
    "ConfigMap",
    *WORKLOADS,
    reason="Whoever may read the program, its state or a diff reads the secret.",
    remedy="Mark the value as secret (pulumi.Output.secret, require_secret), and hand it to pods "
    "by a Secret.",
)
def no_plain_secret(resource: Resource, graph: Graph) -> Iterator[Finding]:
    """No secret is written in plain text."""
    kind = resource.inputs["kind"]
    if kind == "Secret":
        for key in ("data", "stringData"):
            for item, value in _known_items(resource.inputs, key):
                if value:
                    yield Finding(f"{key}.{item} is plain text")
        return
    if kind == "ConfigMap":
        for item, value in _known_items(resource.inputs, "data"):
            if value and _confidential(item):
                yield Finding(f"data.{item} is plain text")
        return
    for container in containers(resource, initial=True):
        label = at(container, "name")
        for variable in each(container, "env"):
            given = mapping(variable).get("value")
            if given and _confidential(str(at(variable, "name"))) and _is_known(variable, "value"):
                yield Finding(f"{at(variable, 'name')} of container {label} is plain text")


def _known_items(inputs: dict[str, Any], key: str) -> Iterator[tuple[str, Any]]:
    """The items that are neither secret nor unknown: here that is what is right."""
    if _is_known(inputs, key):
        for item in mapping(inputs, key):
            if _is_known(mapping(inputs, key), item):
                yield item, mapping(inputs, key)[item]


def _is_known(value: dict[str, Any], key: str) -> bool:
    try:
        at(value, key)
    except NotKnown:
        return False
    return True


def _confidential(key: str) -> bool:
    upper = key.upper().replace("-", "_").replace(".", "_")
    return upper.endswith(_CONFIDENTIAL) and not upper.endswith(_ASIDE)


def _budgeted(budget: Resource, graph: Graph) -> Iterator[Resource]:
    selector = mapping(budget.inputs, "spec", "selector")
    for kind in _SCALED:
        for workload in beside(budget, graph, kind):
            if selects(selector, pod_labels(workload)):
                yield workload
