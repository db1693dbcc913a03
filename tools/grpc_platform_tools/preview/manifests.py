"""A graph's Kubernetes manifests: what `kubectl apply --server-side -f` takes, in order."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import yaml

from grpc_platform_tools.graph import Graph, Resource
from grpc_platform_tools.plain import is_list, is_mapping

_PULUMI_ANNOTATION = "pulumi.com/"  # read by Pulumi's provider only
_FIRST = ("apiVersion", "kind", "metadata", "name", "namespace")
# Text that Go's YAML reads as a number or a boolean, but that PyYAML leaves without quotes.
_NUMBER_OR_BOOLEAN = re.compile(r"[-+.]?[0-9][0-9a-fA-FxXoO_.:eE+-]*|[yYnN]")
_LINE_BREAK = re.compile(r"[\x85\u2028\u2029\ufeff]")  # in YAML 1.1, and at times in Go


@dataclass(frozen=True)
class Manifest:
    """One Kubernetes object; `path` is relative to the manifests' folder."""

    path: PurePosixPath
    resource: Resource
    body: dict[str, Any]

    def text(self) -> str:
        """YAML, after a comment that names the secret values left out."""
        prefix = "inputs."
        hidden = [p.removeprefix(prefix) for p in self.resource.secret_paths if prefix in p]
        comment = f"# Secret, so not in this file: {', '.join(hidden)}\n" if hidden else ""
        return comment + yaml_text(self.body)


def manifests(graph: Graph) -> list[Manifest]:
    """Every Kubernetes object, numbered so that each comes after those that it needs.

    Objects of a program with several Kubernetes providers go to a folder per provider.
    """
    found = kubernetes_objects(graph)
    folders = clusters(graph)
    counts = dict.fromkeys(folders, 0)
    digits = max(3, len(str(len(found))))
    result: list[Manifest] = []
    for resource in found:
        counts[resource.provider] += 1
        body = kubernetes_body(resource)
        metadata = body["metadata"]
        words = (resource.inputs["kind"].lower(), metadata.get("namespace"), metadata["name"])
        name = "-".join(re.sub(r"[^A-Za-z0-9.]+", "-", str(word)) for word in words if word)
        path = PurePosixPath(f"{counts[resource.provider]:0{digits}}-{name}.yaml")
        if len(folders) > 1:
            path = folders[resource.provider] / path
        result.append(Manifest(path, resource, body))
    return result


def manifest_warnings(graph: Graph) -> list[str]:
    """Warnings where `kubectl apply` of the manifests differs from the program's update."""
    namespaces = {
        (r.provider, r.inputs["metadata"].get("name")): r.urn
        for r in graph.of_type("kubernetes:core/v1:Namespace")
    }
    names = clusters(graph)
    lines = [
        f"{r.type} {r.name} has no manifest: it is not one Kubernetes object"
        for r in graph
        if r.type.startswith("kubernetes:") and not r.is_component and not is_object(r)
    ]
    for r in kubernetes_objects(graph):
        metadata: Mapping[str, Any] = r.inputs["metadata"]
        label = object_label(r) + (f" in {names[r.provider]}" if len(names) > 1 else "")
        secret = [path for path in r.secret_paths if path.startswith("inputs.")]
        if secret:
            lines.append(f"{label}: secret values are left out of its manifest")
        if not metadata.get("name"):
            lines.append(f"{label} has no metadata.name: Pulumi would add a random suffix")
        namespace = namespaces.get((r.provider, metadata.get("namespace")))
        if namespace and namespace not in graph.needs(r):
            lines.append(f"{label} does not wait for its namespace, which this program makes")
    return [*lines, *_missing_definitions(graph)]


def _missing_definitions(graph: Graph) -> list[str]:
    """A line for each custom API whose CRDs the program does not make."""
    made = {
        (spec["group"], spec["names"]["kind"])
        for r in kubernetes_objects(graph)
        if r.inputs["kind"] == "CustomResourceDefinition" and (spec := r.inputs.get("spec"))
    }
    kinds: dict[str, set[str]] = {}
    for r in kubernetes_objects(graph):
        version, kind = r.inputs["apiVersion"], r.inputs["kind"]
        group = version.rpartition("/")[0]
        # Kubernetes's own groups have no dot, or end so.
        if "." in group and not group.endswith(".k8s.io") and (group, kind) not in made:
            kinds.setdefault(version, set()).add(kind)
    return [
        f"the cluster must have the CRDs of {version} before the update: {', '.join(sorted(found))}"
        for version, found in sorted(kinds.items())
    ]


def kubernetes_objects(graph: Graph) -> list[Resource]:
    """The resources that are one Kubernetes object each."""
    return [r for r in graph if is_object(r)]


def clusters(graph: Graph) -> dict[str | None, str]:
    """A short name for each Kubernetes provider in use: its own name, made safe for a file name."""
    names: dict[str | None, str] = {}
    for resource in kubernetes_objects(graph):
        if resource.provider not in names:
            name = resource.provider.rpartition("::")[2] if resource.provider else "default"
            name = re.sub(r"[^A-Za-z0-9.-]+", "-", name)
            taken = sum(known.partition("~")[0] == name for known in names.values())
            names[resource.provider] = f"{name}~{taken + 1}" if taken else name
    return names


def object_label(resource: Resource) -> str:
    """`Deployment projectcontour/envoy`."""
    metadata: Mapping[str, Any] = resource.inputs["metadata"]
    name = metadata.get("name") or resource.name
    namespace = metadata.get("namespace")
    return f"{resource.inputs['kind']} {f'{namespace}/' if namespace else ''}{name}"


def is_object(resource: Resource) -> bool:
    """Whether a resource is one Kubernetes object."""
    inputs = resource.inputs
    return (
        resource.type.startswith("kubernetes:")
        and not resource.is_component
        and isinstance(inputs.get("metadata"), dict)
        and {"apiVersion", "kind"} <= inputs.keys()
    )


def kubernetes_body(resource: Resource) -> dict[str, Any]:
    """The object in the API server's form, which differs slightly from that of Pulumi's
    provider."""
    metadata: dict[str, Any] = {"name": resource.name, **resource.inputs["metadata"]}
    annotations: Mapping[str, Any] = metadata.pop("annotations", {})
    if isinstance(annotations, dict):
        annotations = {k: v for k, v in annotations.items() if not k.startswith(_PULUMI_ANNOTATION)}
    if annotations:
        metadata["annotations"] = annotations
    body = {**resource.inputs, "metadata": metadata}
    return dashed(body) if body["kind"] == "CustomResourceDefinition" else body


def dashed(value: Any) -> Any:
    """Pulumi's provider has no dashes in field names, and turns x_kubernetes_* into x-kubernetes-*:
    https://github.com/pulumi/pulumi-kubernetes/blob/master/provider/pkg/provider/provider.go"""
    if is_mapping(value):
        return {
            key.replace("_", "-") if key.startswith("x_kubernetes_") else key: dashed(item)
            for key, item in value.items()
        }
    if is_list(value):
        return [dashed(item) for item in value]
    return value


def yaml_text(value: Any, *, flow: bool = False) -> str:
    """A value as readable YAML, the same from run to run; `flow` puts it on one line."""
    return yaml.dump(
        _ordered(value),
        Dumper=_Dumper,
        sort_keys=False,
        default_flow_style=flow,
        width=10**9 if flow else 100,
        allow_unicode=True,
    )


def _ordered(value: Any) -> Any:
    """Identifying fields first, the rest by name: the same bytes from run to run."""
    if is_mapping(value):
        return {key: _ordered(value[key]) for key in sorted(value, key=_rank)}
    if isinstance(value, tuple):
        return _ordered([*value])
    if is_list(value):
        return [_ordered(item) for item in value]
    return value


def _rank(key: str) -> tuple[int, str]:
    return (_FIRST.index(key) if key in _FIRST else len(_FIRST), key)


class _Dumper(yaml.CSafeDumper):  # written in C: half the time for the same text
    """Writes text of several lines as a block, and quotes text that a YAML reader might take for
    something else."""


def _text_node(_dumper: _Dumper, text: str) -> yaml.ScalarNode:
    if _LINE_BREAK.search(text):
        style = '"'
    elif "\n" in text:
        style = "|"
    else:
        style = "'" if _NUMBER_OR_BOOLEAN.fullmatch(text) else None
    return yaml.ScalarNode("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text_node)
