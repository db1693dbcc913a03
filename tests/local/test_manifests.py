"""Every manifest of every stack, checked by a real API server of the stacks' version."""

from pathlib import Path

import pytest

from grpc_platform_tools.graph import Graph
from testbed.cluster import deploy
from testbed.cluster.cluster import Cluster
from testbed.cluster.errors import LocalError
from testbed.program import preview
from tests.tree import committed_stacks

STACKS = committed_stacks()


@pytest.mark.parametrize("stack", STACKS)
def test_the_api_server_takes_every_manifest_with_strict_validation(
    cluster: Cluster, stack: str, tmp_path: Path
) -> None:
    program, name = STACKS[stack]
    apply_dry(cluster, preview(name, tmp_path / name, program))


def apply_dry(cluster: Cluster, graph: Graph) -> None:
    """Have the API server check every manifest of a graph; LocalError if it refuses one."""
    objects = [
        deploy.manifest(resource)
        for resource in graph
        if {"apiVersion", "kind"} <= resource.inputs.keys()
    ]
    # A dry run creates nothing, and the server refuses an object whose namespace does not exist.
    spaces = {item["metadata"].get("namespace", "default") for item in objects}
    spaces |= {item["metadata"]["name"] for item in objects if item["kind"] == "Namespace"}
    deploy.apply(
        cluster,
        [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": n}} for n in spaces],
    )
    assert objects
    deploy.apply(cluster, objects, "--dry-run=server")


def test_a_field_the_server_does_not_know_is_refused(cluster: Cluster) -> None:
    wrong = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "dta": {}}
    with pytest.raises(LocalError, match="dta"):
        deploy.apply(cluster, [wrong], "--dry-run=server")
