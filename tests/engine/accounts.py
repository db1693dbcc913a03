"""Service accounts that have what `grpc-platform rights` writes out, and nothing else."""

from dataclasses import dataclass
from typing import Any

import yaml

from grpc_platform_tools.graph import Graph
from grpc_platform_tools.rights.command import rights
from testbed.cluster import deploy
from testbed.cluster.cluster import Cluster
from tests.rights import Right, granted

_NAMESPACE = "rights"


@dataclass(frozen=True)
class Account:
    """One role's account in a cluster."""

    token: str
    rights: set[Right]

    @property
    def name(self) -> str:
        """`<namespace>:<name>`."""
        return next(right.account for right in self.rights)


def open_account(cluster: Cluster, graph: Graph, role: str) -> Account:
    """An account with the rights of a role of the stack; its binding names a group elsewhere."""
    text = rights(graph, "local", None)[f"{role}-local-kubernetes.yaml"]
    subject = {"kind": "ServiceAccount", "namespace": _NAMESPACE, "name": role}
    objects: list[Any] = list(yaml.safe_load_all(text))
    for each in objects:
        if "subjects" in each:
            each["subjects"] = [subject]
    metadata = {"namespace": _NAMESPACE, "name": role}
    own = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": _NAMESPACE}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
    ]
    deploy.apply(cluster, [*own, *objects])
    order = ("create", "token", "-n", _NAMESPACE, role, "--duration=2h")
    return Account(cluster.kubectl(*order).strip(), granted(objects))
