"""What this stack must register. Needs no engine, no credentials and no network."""

from pathlib import Path

import pytest

from grpc_platform.platform_stack import PlatformStack
from grpc_platform_tools.graph import Graph
from grpc_platform_tools.preview.fixtures import Fixtures
from grpc_platform_tools.preview.program import run_program
from grpc_platform_tools.preview.record import record
from grpc_platform_tools.preview.stack_file import read_stack_file

HERE = Path(__file__).parent
STACK = "organization/search/prod"


@pytest.fixture(scope="module")
def graph() -> Graph:
    """The resources that the stack registers."""
    return run_program(HERE, "prod", read_stack_file(HERE, "prod"))


def test_the_zone_is_answered_in_the_network_where_the_cluster_runs(graph: Graph) -> None:
    vpc = graph.only("aws:ec2/vpc:Vpc").id
    assert graph.only("aws:route53/zone:Zone").inputs["vpcs"] == [{"vpcId": vpc}]
    subnets = {r.id for r in graph.of_type("aws:ec2/subnet:Subnet") if r.inputs["vpcId"] == vpc}
    cluster = graph.only("aws:eks/cluster:Cluster")
    assert set(cluster.inputs["vpcConfig"]["subnetIds"]) <= subnets


def test_services_of_other_stacks_find_their_way_in(graph: Graph) -> None:
    seen: list[PlatformStack] = []
    record(
        lambda: PlatformStack.from_reference(STACK).apply(seen.append),
        fixtures=Fixtures(stacks={STACK: graph.exports}),
    )
    main = seen[0].clusters["main"]
    assert main.serving
    assert main.serving.dns_name == "main.search.internal"
    assert main.kubeconfig == graph.only("pulumi:providers:kubernetes").inputs["kubeconfig"]
