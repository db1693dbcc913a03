"""The least cost of a stack: its recorded resources registered again, straight on the SDK.

`benchmarks.engine` runs it as a program beside ours: the same types by the SDK's own classes, the
same names, parents and dependencies, with plain values.
"""

import importlib
import json
import re
from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as k8s

STACK = "pulumi:pulumi:Stack"
PROVIDER = "pulumi:providers:kubernetes"


def replay(file: Path, provider: k8s.Provider | None = None) -> None:
    """Register the resources of a preview's resources.json, with new parents and providers;
    ``provider`` where theirs is not among them."""
    made: dict[str, pulumi.Resource] = {}
    cluster: pulumi.Resource | None = None
    for resource in json.loads(file.read_text()):
        kind, name = resource["type"], resource["name"]
        if kind == STACK:
            continue
        opts = pulumi.ResourceOptions(
            parent=made.get(resource["parent"]),
            depends_on=[made[urn] for urn in resource["depends_on"] if urn in made],
        )
        if kind == PROVIDER:
            # Known only later, as that of a new EKS cluster: a preview must not ask it.
            assert isinstance(cluster, aws.eks.Cluster)
            new = provider = k8s.Provider(name, kubeconfig=cluster.endpoint, opts=opts)
        elif kind.startswith(("aws:", "kubernetes:")):
            opts.provider = provider if kind.startswith("kubernetes:") else None
            inputs = {_snake(key): value for key, value in resource["inputs"].items()}
            new = _class(kind)(name, opts=opts, **inputs)
        else:
            new = pulumi.ComponentResource(kind, name, opts=opts)
        made[resource["urn"]] = new
        cluster = new if isinstance(new, aws.eks.Cluster) else cluster


def _class(kind: str) -> Any:
    """The SDK's class for `aws:ec2/vpc:Vpc` or `kubernetes:apps/v1:Deployment`."""
    package, module, name = kind.split(":")
    group, _, version = module.partition("/")
    path = f"pulumi_{package}.{group.partition('.')[0]}"
    if package == "kubernetes":
        path += f".{version}"
    return getattr(importlib.import_module(path), name)


def _snake(key: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key).lower()
