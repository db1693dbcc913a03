"""The Kubernetes rights of a stack's deployer and previewer, from what its program registers.

The verbs are those that the engine and Pulumi's provider use on the testbed
(tests/engine/test_updates.py).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from grpc_platform_tools.diff.replacement_kubernetes import CLUSTER_SCOPED
from grpc_platform_tools.graph import Graph, Resource
from grpc_platform_tools.preview.manifests import kubernetes_objects

Rule = dict[str, Any]
_RBAC = "rbac.authorization.k8s.io"
_WRITE = ["create", "delete", "get", "list", "patch", "watch"]
_WAITED_FOR = {
    "Deployment": {
        "": ["persistentvolumeclaims", "pods"],
        "apps": ["replicasets"],
    },
    "Service": {"": ["endpoints"]},
}
"""What the provider looks at to see whether an object of this kind is ready."""


def rbac(graph: Graph, provider: str | None, name: str, *, write: bool) -> list[Rule]:
    """The roles of `pulumi up` and `destroy` in the cluster of `provider`, or without `write` of
    `preview` and `refresh`, bound to the group `name`.

    The role of each namespace can only be made after the namespace, so each namespace is here too.
    """
    objects = [r for r in kubernetes_objects(graph) if r.provider == provider]
    wide = [r for r in objects if _is_wide(r)]
    inside: dict[str, list[Resource]] = defaultdict(list)
    for resource in objects:
        if not _is_wide(resource):
            inside[resource.inputs["metadata"].get("namespace") or "default"].append(resource)
    found = _bound("ClusterRole", name, None, [*_wide_rules(wide, write=write)])
    for namespace, resources in sorted(inside.items()):
        if namespace != "default":
            found.append({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        found += _bound("Role", name, namespace, [*_rules_inside(resources, write=write)])
    return found


def _is_wide(resource: Resource) -> bool:
    return resource.inputs["kind"] in CLUSTER_SCOPED


def _wide_rules(resources: Iterable[Resource], *, write: bool) -> Iterator[Rule]:
    """By name, except what can only be allowed for all names: to list and to watch, for which the
    provider gives no name."""
    if not write:
        for (group, plural), names in _named(resources).items():
            yield _rule(group, [plural], ["get"], names)
        return
    for (group, plural), names in _named(resources).items():
        yield _rule(group, [plural], ["create", "get", "patch"], names)
    gone = _named(r for r in resources if not r.options.get("retain_on_delete"))
    for (group, plural), names in gone.items():
        yield _rule(group, [plural], ["delete"], names)
        yield _rule(group, [plural], ["list", "watch"])
    yield from _grants(resources)
    yield _rule("", ["events"], ["list", "watch"])


def _rules_inside(resources: list[Resource], *, write: bool) -> Iterator[Rule]:
    verbs = _WRITE if write else ["get"]
    groups: dict[str, set[str]] = defaultdict(set)
    waited: dict[str, set[str]] = defaultdict(set)
    for resource in resources:
        groups[_group(resource)].add(_plural(resource))
        for group, plurals in _waited_for(resource).items():
            waited[group].update(plurals)
    for group, plurals in sorted(groups.items()):
        yield _rule(group, sorted(plurals), verbs)
    if write:
        waited[""].add("events")
    for group, plurals in sorted(waited.items()):
        yield _rule(group, sorted(plurals), ["list", "watch"] if write else ["list"])
    if write:
        yield from _grants(resources)


def _waited_for(resource: Resource) -> dict[str, list[str]]:
    annotations = resource.inputs["metadata"].get("annotations", {})
    if annotations.get("pulumi.com/skipAwait") == "true":
        return {}
    return _WAITED_FOR.get(resource.inputs["kind"], {})


def _grants(resources: Iterable[Resource]) -> Iterator[Rule]:
    """To grant rights that the deployer does not have itself, with these roles only:
    https://kubernetes.io/docs/reference/access-authn-authz/rbac/#privilege-escalation-prevention-and-bootstrapping
    """
    for kind in ("ClusterRole", "Role"):
        roles = [r for r in resources if r.inputs["kind"] == kind]
        for (group, plural), names in _named(roles).items():
            yield _rule(group, [plural], ["bind", "escalate"], names)


def _named(resources: Iterable[Resource]) -> dict[tuple[str, str], list[str]]:
    """Names by API group and plural."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for resource in resources:
        name = resource.inputs["metadata"].get("name") or resource.name
        found[_group(resource), _plural(resource)].append(name)
    return {key: sorted(found[key]) for key in sorted(found)}


def _group(resource: Resource) -> str:
    return str(resource.inputs["apiVersion"]).rpartition("/")[0]


def _plural(resource: Resource) -> str:
    """As Kubernetes and kubebuilder derive it from a kind."""
    kind = str(resource.inputs["kind"]).lower()
    if kind.endswith(("s", "x", "ch", "sh")):
        return f"{kind}es"
    return f"{kind[:-1]}ies" if kind.endswith("y") and kind[-2] not in "aeiou" else f"{kind}s"


def _rule(
    group: str, resources: list[str], verbs: list[str], names: list[str] | None = None
) -> Rule:
    rule: Rule = {"apiGroups": [group], "resources": resources, "verbs": verbs}
    return rule | ({"resourceNames": names} if names else {})


def _bound(kind: str, name: str, namespace: str | None, rules: list[Rule]) -> list[Rule]:
    """A role and its binding; none without rules."""
    if not rules:
        return []
    version = f"{_RBAC}/v1"
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    reference = {"apiGroup": _RBAC, "kind": kind, "name": name}
    subject = {"apiGroup": _RBAC, "kind": "Group", "name": name}
    return [
        {"apiVersion": version, "kind": kind, "metadata": metadata, "rules": rules},
        {
            "apiVersion": version,
            "kind": f"{kind}Binding",
            "metadata": metadata,
            "roleRef": reference,
            "subjects": [subject],
        },
    ]
