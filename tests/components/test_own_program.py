"""A program that creates some resources itself and passes them to the components as Outputs."""

from collections.abc import Callable

import pulumi
import pulumi_aws as aws
import pytest

import grpc_platform as gp
from grpc_platform.specs import AccessSpec, ClusterSpec, NodeGroupSpec
from grpc_platform.timing import Timing
from grpc_platform_tools.graph import Graph
from grpc_platform_tools.preview.fixtures import Computed, Fixtures
from grpc_platform_tools.preview.record import record

Recorded = Callable[[Callable[[], object]], Graph]

ZONES = ("eu-west-1a", "eu-west-1b")


def program() -> None:
    """The program's own VPC, subnets, roles and office address; the rest from components."""
    vpc = aws.ec2.Vpc("own", cidr_block="10.1.0.0/16", enable_dns_hostnames=True)
    subnets = [
        aws.ec2.Subnet(
            f"own-{zone}", vpc_id=vpc.id, availability_zone=zone, cidr_block=f"10.1.{index}.0/24"
        )
        for index, zone in enumerate(ZONES)
    ]
    network = gp.ExistingNetwork(
        "network",
        gp.ExistingNetworkArgs(vpc_id=vpc.id, private_subnet_ids=[s.id for s in subnets]),
    )
    role = aws.iam.Role("own-deployer", assume_role_policy="{}")
    office = aws.ec2.Eip("office", domain="vpc")
    runners = aws.ec2.Vpc("runners", cidr_block="10.2.0.0/16")
    gp.Cluster(
        "main",
        gp.ClusterArgs(
            spec=ClusterSpec(
                access=AccessSpec(deployer_role="deployer", admin_roles=("admins",)),
                node_groups={"default": NodeGroupSpec(size=3)},
            ),
            subnet_ids=network.private_subnet_ids,
            pod_address_cooldown=Timing().dns_convergence,
            role_arns={"deployer": role.arn},
            public_access_cidrs=[pulumi.Output.concat(office.public_ip, "/32")],
            private_access_cidrs={"runners": runners.cidr_block},
        ),
    )


@pytest.fixture
def graph() -> Graph:
    address = Computed(type="aws:ec2/eip:Eip", outputs={"publicIp": "192.0.2.1"})
    return record(program, fixtures=Fixtures(computed=(address,)))


def test_the_cluster_goes_into_the_subnets_that_the_program_makes(graph: Graph) -> None:
    subnets = {r.id: r.urn for r in graph.of_type("aws:ec2/subnet:Subnet")}
    cluster = graph.only("aws:eks/cluster:Cluster")
    assert cluster.inputs["vpcConfig"]["subnetIds"] == list(subnets)
    assert set(subnets.values()) <= graph.needs(cluster)
    assert graph.only("aws:eks/nodeGroup:NodeGroup").inputs["subnetIds"] == list(subnets)


def test_a_role_that_the_program_makes_is_let_in_under_its_plain_name(graph: Graph) -> None:
    entries = {
        r.name: r.inputs["principalArn"] for r in graph.of_type("aws:eks/accessEntry:AccessEntry")
    }
    assert entries == {
        "main:deployer": "arn:aws:iam::000000000000:role/own-deployer",
        "main:admins": "arn:aws:iam::000000000000:role/admins",
    }


def test_blocks_that_the_program_makes_reach_the_api(graph: Graph) -> None:
    vpc = graph.only("aws:eks/cluster:Cluster").inputs["vpcConfig"]
    assert vpc["endpointPublicAccess"] is True
    assert vpc["publicAccessCidrs"] == ["192.0.2.1/32"]
    rule = graph.only("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
    assert (rule.name, rule.inputs["cidrIpv4"]) == ("main-api-runners", "10.2.0.0/16")


def test_a_value_that_cannot_be_fails_the_resource_that_uses_it(recorded: Recorded) -> None:
    def wrong() -> None:
        topic = aws.sns.Topic("not-a-role")
        gp.Cluster(
            "main",
            gp.ClusterArgs(
                spec=ClusterSpec(access=AccessSpec(deployer_role="deployer"), auto_mode=True),
                subnet_ids=["subnet-a", "subnet-b"],
                pod_address_cooldown=Timing().dns_convergence,
                role_arns={"deployer": topic.arn},
            ),
        )

    refused = r"role_arns.deployer = arn:aws:sns.*: 'arn:.*' is not the ARN of an IAM role"
    with pytest.raises(Exception, match=refused):
        recorded(wrong)
