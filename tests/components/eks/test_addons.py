import json
from collections.abc import Callable
from typing import Any

import pytest

from grpc_platform import versions
from grpc_platform.specs import AccessSpec, ClusterSpec, NodeGroupSpec
from grpc_platform_tools.graph import Graph, Resource

Record = Callable[[ClusterSpec], Graph]

ADDON = "aws:eks/addon:Addon"
ACCESS = AccessSpec(deployer_role="deployer")


@pytest.fixture
def graph(cluster: Record) -> Graph:
    spec = ClusterSpec(access=ACCESS, node_groups={"default": NodeGroupSpec()})
    return cluster(spec)


def addon(graph: Graph, name: str) -> Resource:
    return graph.only(ADDON, f"main-{name}")


@pytest.mark.parametrize("name", ["vpc-cni", "kube-proxy", "eks-pod-identity-agent"])
def test_nodes_wait_for_what_makes_them_ready(graph: Graph, name: str) -> None:
    group = graph.only("aws:eks/nodeGroup:NodeGroup")
    assert addon(graph, name).urn in graph.needs(group)
    assert group.urn not in graph.needs(addon(graph, name))


@pytest.mark.parametrize("name", ["coredns", "metrics-server"])
def test_addons_that_need_somewhere_to_run_wait_for_nodes(graph: Graph, name: str) -> None:
    group = graph.only("aws:eks/nodeGroup:NodeGroup")
    assert group.urn in graph.needs(addon(graph, name))


def test_vpc_cni_has_its_permissions_and_the_agent_that_hands_them_out(graph: Graph) -> None:
    vpc_cni = addon(graph, "vpc-cni")
    needed = graph.needs(vpc_cni)
    assert vpc_cni.inputs["podIdentityAssociations"] == [
        {"roleArn": "arn:aws:iam::000000000000:role/main-vpc-cni", "serviceAccount": "aws-node"}
    ]
    assert addon(graph, "eks-pod-identity-agent").urn in needed
    attachment = "main-vpc-cni-AmazonEKS_CNI_Policy"
    assert graph.only("aws:iam/rolePolicyAttachment:RolePolicyAttachment", attachment).urn in needed


def test_network_policies_are_enforced(graph: Graph) -> None:
    settings = json.loads(addon(graph, "vpc-cni").inputs["configurationValues"])
    assert settings["enableNetworkPolicy"] == "true"


def test_every_addon_is_pinned_and_keeps_to_the_stack_file(graph: Graph) -> None:
    addons = graph.of_type(ADDON)
    assert len(addons) == 5
    for each in addons:
        assert "-eksbuild." in each.inputs["addonVersion"], each.name
        assert each.inputs["resolveConflictsOnCreate"] == "NONE"
        assert each.inputs["resolveConflictsOnUpdate"] == "OVERWRITE"


@pytest.mark.parametrize("minor", versions.KUBE_PROXY)
def test_kube_proxy_is_of_the_clusters_minor_version(cluster: Record, minor: Any) -> None:
    spec = ClusterSpec(
        access=ACCESS, kubernetes_version=minor, node_groups={"default": NodeGroupSpec()}
    )
    graph = cluster(spec)
    assert addon(graph, "kube-proxy").inputs["addonVersion"].startswith(f"v{minor}.")


def test_auto_mode_brings_all_addons_but_metrics_server(cluster: Record) -> None:
    spec = ClusterSpec(access=ACCESS, auto_mode=True)
    graph = cluster(spec)
    assert [each.inputs["addonName"] for each in graph.of_type(ADDON)] == ["metrics-server"]
