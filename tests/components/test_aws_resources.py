"""What holds of everything that a network and its clusters make in AWS."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

import grpc_platform as gp
from grpc_platform.specs import (
    AccessSpec,
    ClusterSpec,
    NetworkSpec,
    NodeGroupSpec,
    TeamSpec,
)
from grpc_platform.timing import Timing
from grpc_platform_tools.graph import STACK_TYPE, Graph, Resource
from grpc_platform_tools.plain import is_list, is_mapping
from grpc_platform_tools.preview.monitor import Monitor
from grpc_platform_tools.preview.record import record

COMPONENT = "grpc-platform:index:"
RULE = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
ROLE = "aws:iam/role:Role"
RENAMED = {
    "aws:ec2/launchTemplate:LaunchTemplate",
    "aws:eks/accessEntry:AccessEntry",
    "aws:eks/accessPolicyAssociation:AccessPolicyAssociation",
    "aws:eks/nodeGroup:NodeGroup",
}
USERS = {
    ("aws:ec2/flowLog:FlowLog", "iamRoleArn"): "vpc-flow-logs.amazonaws.com",
    ("aws:eks/addon:Addon", "roleArn"): "pods.eks.amazonaws.com",
    ("aws:eks/cluster:Cluster", "nodeRoleArn"): "ec2.amazonaws.com",
    ("aws:eks/cluster:Cluster", "roleArn"): "eks.amazonaws.com",
    ("aws:eks/nodeGroup:NodeGroup", "nodeRoleArn"): "ec2.amazonaws.com",
}
"""What uses a role, by the input that names it: the service that assumes the role."""


def build(opts: pulumi.ResourceOptions | None = None) -> None:
    """A network with all that it may have, and a cluster of either kind in it."""
    zones = ("us-gov-west-1a", "us-gov-west-1b")
    spec = NetworkSpec(
        zones=zones, nat="per_zone", interface_endpoints=("ec2",), flow_log_retention_days=7
    )
    network = gp.Network("network", gp.NetworkArgs(spec=spec), opts)
    teams = {"payments": TeamSpec(role="payments", namespaces=("payments",))}
    access = AccessSpec(deployer_role="deployer", admin_roles=("admins",), teams=teams)
    specs = {
        "auto": ClusterSpec(access=access, auto_mode=True),
        "fixed": ClusterSpec(
            access=access,
            node_groups={"workers": NodeGroupSpec(ami="bottlerocket")},
            private_access_cidrs=("10.9.0.0/16",),
        ),
    }
    for name, each in specs.items():
        args = gp.ClusterArgs(
            spec=each,
            subnet_ids=network.private_subnet_ids,
            pod_address_cooldown=Timing().dns_convergence,
        )
        gp.Cluster(name, args, opts)


@pytest.fixture(scope="module")
def graph() -> Graph:
    return record(build)


def of_aws(graph: Graph) -> list[Resource]:
    return [r for r in graph if r.type.startswith("aws:")]


def theirs() -> pulumi.ResourceOptions:
    """A provider for another region, partition and account than the stack's own."""
    return pulumi.ResourceOptions(providers=[aws.Provider("theirs", region="us-gov-west-1")])


def test_nothing_is_made_outside_the_account_and_region_that_a_component_is_given() -> None:
    graph = record(lambda: build(theirs()))
    provider = graph.only("pulumi:providers:aws").urn
    assert [r.urn for r in of_aws(graph) if r.provider != provider] == []
    for resource in graph:
        assert "eu-west-1" not in json.dumps(resource.inputs), resource.urn
        assert "arn:aws:" not in json.dumps(resource.inputs), resource.urn


def test_nothing_is_looked_up_outside_the_account_that_a_component_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A role's ARN has the account of the provider that the look-up is made by."""
    asked: dict[str, set[str]] = {}
    answer = Monitor.Invoke

    def noting(self: Monitor, request: Any) -> Any:
        asked.setdefault(request.tok.rpartition(":")[2], set()).add(request.provider)
        return answer(self, request)

    def program() -> None:
        opts = theirs()
        build(opts)
        args = gp.ExistingNetworkArgs(vpc_id="vpc-1", private_subnet_ids=["subnet-1", "subnet-2"])
        gp.ExistingNetwork("existing", args, opts)

    monkeypatch.setattr(Monitor, "Invoke", noting)
    provider = record(program).only("pulumi:providers:aws").urn
    assert asked.keys() == {"getCallerIdentity", "getPartition", "getRegion", "getSubnet", "getVpc"}
    for lookup, providers in asked.items():
        assert {each.rpartition("::")[0] for each in providers} == {provider}, lookup


def test_everything_belongs_to_the_component_that_makes_it(graph: Graph) -> None:
    """Only then do the component's own options reach it: providers, aliases, depends_on."""
    for resource in graph:
        if resource.type != STACK_TYPE and not resource.type.startswith(COMPONENT):
            assert resource.parent, resource.urn
            assert graph.by_urn(resource.parent).type.startswith(COMPONENT), resource.urn


def test_a_stack_of_release_0_1_keeps_what_had_another_name(graph: Graph) -> None:
    """It joined the names with a dash. Nodes and access entries would be made anew."""
    renamed = [r for r in of_aws(graph) if r.type in RENAMED]
    assert len(renamed) == 14
    for resource in renamed:
        former = resource.name.replace(":", "-").replace(".", "-")
        assert f"{resource.urn.removesuffix(resource.name)}{former}" in resource.aliases


def test_nothing_is_protected_unless_asked_for(graph: Graph) -> None:
    assert [r.urn for r in graph if r.options.get("protect")] == []


def test_whoever_finds_a_resource_by_its_id_reads_what_it_is_for(graph: Graph) -> None:
    """AWS's consoles show keys, security groups and rules by ids. A security group's description
    cannot be changed later; without one it says that Pulumi manages it."""
    kinds = ("aws:kms/key:Key", "aws:ec2/securityGroup:SecurityGroup", RULE)
    found = [r for r in of_aws(graph) if r.type in kinds]
    assert len(found) == 5
    for resource in found:
        described = resource.inputs.get("description")
        assert described not in (None, "Managed by Pulumi"), resource.urn


def test_the_parts_of_a_vpc_have_names_in_the_console_that_differ(graph: Graph) -> None:
    kinds = ("Vpc", "Subnet", "InternetGateway", "RouteTable", "Eip", "NatGateway", "VpcEndpoint")
    parts = [r for r in of_aws(graph) if r.type.rpartition(":")[2] in (*kinds, "SecurityGroup")]
    names = Counter((r.type, r.inputs["tags"]["Name"]) for r in parts)
    assert len(names) == len(parts) == 16
    assert all(name.startswith("network") for _, name in names)


def test_everything_of_a_network_is_in_its_vpc(graph: Graph) -> None:
    """A security group without a VPC would be in the account's default one."""
    inside = [r for r in of_aws(graph) if "vpcId" in r.inputs]
    assert {r.inputs["vpcId"] for r in inside} == {"vpc-network"}
    assert {r.type.rpartition(":")[2] for r in inside} == {
        "FlowLog",
        "InternetGateway",
        "RouteTable",
        "SecurityGroup",
        "Subnet",
        "VpcEndpoint",
    }


def test_security_groups_admit_https_and_nothing_else(graph: Graph) -> None:
    for rule in graph.of_type(RULE):
        ports = (rule.inputs["ipProtocol"], rule.inputs["fromPort"], rule.inputs["toPort"])
        assert ports == ("tcp", 443, 443), rule.urn


def entries(value: Any) -> Iterator[tuple[str, Any]]:
    """Every key with its value, at any depth."""
    if is_mapping(value):
        for key, each in value.items():
            yield str(key), each
            yield from entries(each)
    elif is_list(value):
        for each in value:
            yield from entries(each)


def uses(graph: Graph) -> Iterator[tuple[Resource, str, str]]:
    """What uses a role, the role's name, and the service that must be able to assume it."""
    for resource in of_aws(graph):
        for key, value in entries(resource.inputs):
            if service := USERS.get((resource.type, key)):
                yield resource, value.rpartition("/")[2], service


def test_every_role_is_used_by_the_service_that_may_assume_it(graph: Graph) -> None:
    assert {role for _, role, _ in uses(graph)} == {r.name for r in graph.of_type(ROLE)}
    for _, role, service in uses(graph):
        trust = json.loads(graph.only(ROLE, role).inputs["assumeRolePolicy"])
        (statement,) = trust["Statement"]
        assert statement["Principal"] == {"Service": service}
        assert "sts:AssumeRole" in statement["Action"]


def test_sessions_are_tagged_for_those_alone_that_ask_for_it(graph: Graph) -> None:
    """https://docs.aws.amazon.com/eks/latest/userguide/pod-id-role.html,
    https://docs.aws.amazon.com/eks/latest/userguide/auto-cluster-iam-role.html"""
    tagged = {
        role.name
        for role in graph.of_type(ROLE)
        if "sts:TagSession" in role.inputs["assumeRolePolicy"]
    }
    assert tagged == {"auto-control-plane", "fixed-vpc-cni"}


def test_whoever_uses_a_role_has_its_rights_from_the_first_moment_to_the_last(
    graph: Graph,
) -> None:
    """What waits for a policy is also deleted before it, when AWS needs the right to clean up."""
    kinds = ("aws:iam/rolePolicyAttachment:RolePolicyAttachment", "aws:iam/rolePolicy:RolePolicy")
    policies = [r for r in graph if r.type in kinds]
    assert {p.inputs["role"] for p in policies} == {r.name for r in graph.of_type(ROLE)}
    for user, role, _ in uses(graph):
        given = {policy.urn for policy in policies if policy.inputs["role"] == role}
        assert given <= graph.needs(user), user.urn


def test_policies_allow_and_are_of_the_language_that_they_are_written_in(graph: Graph) -> None:
    """Without a version AWS reads 2008's; a Deny would win over every Allow."""
    found = [
        json.loads(r.inputs[key])
        for r in of_aws(graph)
        for key in ("policy", "assumeRolePolicy")
        if key in r.inputs
    ]
    assert len(found) == 9
    for document in found:
        assert document["Version"] == "2012-10-17"
        assert {statement["Effect"] for statement in document["Statement"]} == {"Allow"}


def test_what_is_made_inside_a_cluster_is_found_by_its_label(graph: Graph) -> None:
    inside = [r for r in graph if r.type.startswith("kubernetes:")]
    assert inside
    for resource in inside:
        labels = resource.inputs["metadata"]["labels"]
        assert labels["app.kubernetes.io/managed-by"] == "grpc-platform"


def actions(graph: Graph, policy: str) -> set[str]:
    document = json.loads(graph.only("aws:iam/rolePolicy:RolePolicy", policy).inputs["policy"])
    return set(document["Statement"][0]["Action"])


def test_a_cluster_may_do_with_its_key_what_eks_does(graph: Graph) -> None:
    """https://docs.aws.amazon.com/eks/latest/userguide/enable-kms.html"""
    assert actions(graph, "fixed-secrets") == {
        "kms:Decrypt",
        "kms:DescribeKey",
        "kms:Encrypt",
        "kms:ListGrants",
    }


def test_flow_logs_may_do_with_their_group_what_the_service_does(graph: Graph) -> None:
    """https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-iam-role.html"""
    assert actions(graph, "network-flow-logs") == {
        "logs:CreateLogStream",
        "logs:DescribeLogStreams",
        "logs:PutLogEvents",
    }
