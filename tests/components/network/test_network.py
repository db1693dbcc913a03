import json
import re
from collections.abc import Callable
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest
from pydantic import ValidationError

from grpc_platform.network.network import Network, NetworkArgs
from grpc_platform.specs import NetworkSpec
from grpc_platform.specs.network import required_interface_endpoints
from grpc_platform_tools.graph import Graph, Resource

A, B, C = "eu-west-1a", "eu-west-1b", "eu-west-1c"
ROUTE = "aws:ec2/route:Route"
ASSOCIATION = "aws:ec2/routeTableAssociation:RouteTableAssociation"
SUBNET = "aws:ec2/subnet:Subnet"
ENDPOINT = "aws:ec2/vpcEndpoint:VpcEndpoint"

Recorded = Callable[[Callable[[], object]], Graph]


@pytest.fixture
def network(recorded: Recorded) -> Callable[..., Graph]:
    def build(**spec: Any) -> Graph:
        given: dict[str, Any] = {"zones": (A, B, C), **spec}
        chosen = NetworkSpec(**given)
        args = NetworkArgs(spec=chosen, tags={"team": "platform"})
        return recorded(lambda: Network("network", args))

    return build


def outputs(graph: Graph) -> dict[str, Any]:
    return graph.only("grpc-platform:index:Network").outputs


def ways_out(graph: Graph) -> dict[str, str]:
    """The gateway that each private route table's default route leads to."""
    tables = {f"{t.name}-id": t.name for t in graph.of_type("aws:ec2/routeTable:RouteTable")}
    return {
        tables[route.inputs["routeTableId"]]: route.inputs["natGatewayId"]
        for route in graph.of_type(ROUTE)
        if "natGatewayId" in route.inputs
    }


def test_a_private_zone_is_answered_in_the_new_vpc(network: Callable[..., Graph]) -> None:
    vpc = network().only("aws:ec2/vpc:Vpc")
    assert vpc.inputs["enableDnsSupport"] is True
    assert vpc.inputs["enableDnsHostnames"] is True


def test_every_zone_gets_a_public_and_a_private_subnet_that_controllers_find(
    network: Callable[..., Graph],
) -> None:
    subnets = network().of_type(SUBNET)
    roles = {
        (s.inputs["availabilityZone"], key)
        for s in subnets
        for key in s.inputs["tags"]
        if key.startswith("kubernetes.io/role/")
    }
    assert roles == {
        (zone, f"kubernetes.io/role/{role}")
        for zone in (A, B, C)
        for role in ("elb", "internal-elb")
    }
    assert not any(s.inputs.get("mapPublicIpOnLaunch") for s in subnets)


def test_outputs_name_the_subnets_in_the_order_of_the_zones(network: Callable[..., Graph]) -> None:
    assert outputs(network(zones=(B, A))) == {
        "vpc_id": "vpc-network",
        "cidr": "10.0.0.0/16",
        "public_subnet_ids": [f"subnet-network-public-{B}", f"subnet-network-public-{A}"],
        "private_subnet_ids": [f"subnet-network-private-{B}", f"subnet-network-private-{A}"],
        "private_cidrs": ["10.0.0.0/19", "10.0.32.0/19"],
    }


def test_appending_a_zone_changes_no_existing_subnet(network: Callable[..., Graph]) -> None:
    before = {s.urn: s.inputs for s in network(zones=(A, B)).of_type(SUBNET)}
    after = {s.urn: s.inputs for s in network(zones=(A, B, C)).of_type(SUBNET)}
    assert before.items() <= after.items()
    assert len(after) == len(before) + 2


@pytest.mark.parametrize(
    ("nat", "gateways"),
    [
        ("none", {}),
        ("single", {A: A, B: A, C: A}),
        ("per_zone", {A: A, B: B, C: C}),
    ],
)
def test_private_subnets_leave_through_the_nat_gateways_asked_for(
    network: Callable[..., Graph], nat: str, gateways: dict[str, str]
) -> None:
    graph = network(nat=nat)
    assert ways_out(graph) == {
        f"network-private-{zone}": f"network-{gateway}-id" for zone, gateway in gateways.items()
    }
    nat_gateways = graph.of_type("aws:ec2/natGateway:NatGateway")
    assert {g.inputs["subnetId"] for g in nat_gateways} == {
        f"subnet-network-public-{zone}" for zone in gateways.values()
    }


def test_changing_nat_edits_routes_and_no_route_table(network: Callable[..., Graph]) -> None:
    def tables(graph: Graph) -> dict[str, Any]:
        kinds = (
            "aws:ec2/routeTable:RouteTable",
            ASSOCIATION,
        )
        return {r.urn: r.inputs for kind in kinds for r in graph.of_type(kind)}

    assert tables(network(nat="none")) == tables(network(nat="per_zone"))


def test_only_public_subnets_lead_to_the_internet_gateway(network: Callable[..., Graph]) -> None:
    graph = network(nat="none")
    routed = {r.inputs["routeTableId"] for r in graph.of_type(ROUTE)}
    associated = {
        a.inputs["subnetId"]
        for a in graph.of_type(ASSOCIATION)
        if a.inputs["routeTableId"] in routed
    }
    assert associated == {f"subnet-network-public-{zone}" for zone in (A, B, C)}


def test_every_private_subnet_leaves_by_the_table_of_its_own_zone(
    network: Callable[..., Graph],
) -> None:
    """With one NAT gateway per zone, another zone's outage must not reach it."""
    associations = network(nat="per_zone").of_type(ASSOCIATION)
    tables = {a.inputs["subnetId"]: a.inputs["routeTableId"] for a in associations}
    for zone in (A, B, C):
        assert tables[f"subnet-network-private-{zone}"] == f"network-private-{zone}-id"


def test_a_nat_gateway_waits_for_its_way_to_the_internet(network: Callable[..., Graph]) -> None:
    graph = network()
    needed = graph.needs(graph.only("aws:ec2/natGateway:NatGateway"))
    assert graph.only(ROUTE, "network-public").urn in needed
    assert graph.only("aws:ec2/internetGateway:InternetGateway").urn in needed


def test_every_nat_gateway_has_a_public_address_of_its_own(network: Callable[..., Graph]) -> None:
    graph = network(nat="per_zone")
    gateways = graph.of_type("aws:ec2/natGateway:NatGateway")
    taken = {gateway.inputs["allocationId"] for gateway in gateways}
    assert taken == {f"eipalloc-network-nat-{zone}" for zone in (A, B, C)}
    # A NAT gateway takes only an address for VPCs.
    assert {e.inputs["domain"] for e in graph.of_type("aws:ec2/eip:Eip")} == {"vpc"}


def test_every_route_is_for_the_rest_of_the_world(network: Callable[..., Graph]) -> None:
    """Nodes dial any address: registries, AWS's services, whatever a team's pods call."""
    routes = network(nat="per_zone").of_type(ROUTE)
    assert len(routes) == 4
    assert {route.inputs["destinationCidrBlock"] for route in routes} == {"0.0.0.0/0"}


def test_nodes_start_only_when_their_subnets_lead_somewhere(recorded: Recorded) -> None:
    spec = NetworkSpec(zones=(A, B), nat="single", interface_endpoints=("ec2",))

    def program() -> None:
        network = Network("network", NetworkArgs(spec=spec))
        # Stands for a node group: it knows nothing of the network but its private subnets.
        aws.eks.NodeGroup(
            "nodes",
            subnet_ids=network.private_subnet_ids,
            cluster_name="cluster",
            node_role_arn="arn",
            scaling_config={"desired_size": 1, "min_size": 1, "max_size": 1},
            opts=pulumi.ResourceOptions(parent=network),
        )

    graph = recorded(program)
    nodes = graph.only("aws:eks/nodeGroup:NodeGroup")
    needed = {graph.by_urn(urn).name for urn in graph.needs(nodes)}
    assert {f"network-private-{A}", f"network-private-{B}", "network-s3", "network-ec2"} <= needed
    # Public subnets' tables too: a NAT gateway leads out through its own subnet.
    assert {a.urn for a in graph.of_type(ASSOCIATION)} <= graph.needs(nodes)
    kinds = {graph.by_urn(urn).type for urn in graph.needs(nodes)}
    assert {
        ROUTE,
        ENDPOINT,
        ASSOCIATION,
        "aws:ec2/natGateway:NatGateway",
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
    } <= kinds


def test_s3_is_reached_without_nat_from_every_private_subnet(network: Callable[..., Graph]) -> None:
    s3 = network(nat="none").only(ENDPOINT)
    assert s3.inputs["serviceName"] == "com.amazonaws.eu-west-1.s3"
    assert s3.inputs["vpcEndpointType"] == "Gateway"
    assert s3.inputs["routeTableIds"] == [f"network-private-{zone}-id" for zone in (A, B, C)]


def test_interface_endpoints_answer_https_from_the_vpc_under_the_services_own_names(
    network: Callable[..., Graph],
) -> None:
    graph = network(interface_endpoints=("ecr.api", "eks-auth"))
    interfaces = [e for e in graph.of_type(ENDPOINT) if e.inputs["vpcEndpointType"] == "Interface"]
    assert {e.inputs["serviceName"] for e in interfaces} == {
        "com.amazonaws.eu-west-1.ecr.api",
        "com.amazonaws.eu-west-1.eks-auth",
    }
    for endpoint in interfaces:
        assert endpoint.inputs["privateDnsEnabled"] is True
        assert endpoint.inputs["subnetIds"] == outputs(graph)["private_subnet_ids"]
        assert endpoint.inputs["securityGroupIds"] == ["sg-network-endpoints"]
    rule = graph.only("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule").inputs
    assert (rule["securityGroupId"], rule["cidrIpv4"]) == ("sg-network-endpoints", "10.0.0.0/16")
    assert (rule["ipProtocol"], rule["fromPort"], rule["toPort"]) == ("tcp", 443, 443)


def test_route53_is_reached_in_the_one_region_that_has_its_api(
    network: Callable[..., Graph],
) -> None:
    route53 = network(interface_endpoints=("route53",)).only(ENDPOINT, "network-route53")
    assert route53.inputs["serviceName"] == "com.amazonaws.route53"
    assert route53.inputs["serviceRegion"] == "us-east-1"


def test_the_endpoints_that_replace_nat_can_be_listed_as_they_are_named() -> None:
    required = required_interface_endpoints()
    spec = NetworkSpec(zones=(A, B), nat="none", interface_endpoints=required)
    assert {"ec2", "ecr.api", "ecr.dkr", "eks-auth", "route53"} == set(spec.interface_endpoints)


def test_there_are_no_flow_logs_unless_asked_for(network: Callable[..., Graph]) -> None:
    assert not network().of_type("aws:ec2/flowLog:FlowLog")


def test_flow_logs_wait_for_their_log_group_and_the_right_to_write_there(
    network: Callable[..., Graph],
) -> None:
    graph = network(flow_log_retention_days=30)
    log = graph.only("aws:ec2/flowLog:FlowLog")
    group = graph.only("aws:cloudwatch/logGroup:LogGroup")
    assert group.inputs["retentionInDays"] == 30
    assert log.inputs["trafficType"] == "ALL"
    assert log.inputs["logDestination"].endswith(f":log-group:{group.name}")
    assert {group.urn, graph.only("aws:iam/rolePolicy:RolePolicy").urn} <= graph.needs(log)


def test_the_flow_log_role_writes_to_its_group_only_and_for_this_account_only(
    network: Callable[..., Graph],
) -> None:
    graph = network(flow_log_retention_days=30)
    trust = json.loads(graph.only("aws:iam/role:Role").inputs["assumeRolePolicy"])
    policy = json.loads(graph.only("aws:iam/rolePolicy:RolePolicy").inputs["policy"])
    assert trust["Statement"][0]["Condition"] == {
        "StringEquals": {"aws:SourceAccount": "000000000000"}
    }
    group = "arn:aws:logs:eu-west-1:000000000000:log-group:network-flow-logs:*"
    elsewhere = [s["Action"] for s in policy["Statement"] if s["Resource"] != group]
    assert elsewhere == ["logs:DescribeLogGroups"]


def test_every_aws_resource_that_takes_tags_has_them(network: Callable[..., Graph]) -> None:
    untaggable = {
        ROUTE,
        ASSOCIATION,
        "aws:iam/rolePolicy:RolePolicy",
    }

    def tagged(resource: Resource) -> bool:
        return resource.inputs.get("tags", {}).get("team") == "platform"

    graph = network(nat="per_zone", interface_endpoints=("ec2",), flow_log_retention_days=7)
    missing = [
        r.name
        for r in graph
        if r.type.startswith("aws:") and r.type not in untaggable and not tagged(r)
    ]
    assert missing == []


@pytest.mark.parametrize("protect", [True, False])
def test_the_vpc_is_protected_where_asked_for_and_nothing_else_is(
    recorded: Recorded, protect: bool
) -> None:
    args = NetworkArgs(spec=NetworkSpec(zones=(A, B)), protect=protect)
    graph = recorded(lambda: Network("network", args))
    protected = {r.type for r in graph if r.options.get("protect")}
    assert protected == ({"aws:ec2/vpc:Vpc"} if protect else set())


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"zones": (A,)}, "Network network: zones = ['eu-west-1a']: EKS needs at least 2"),
        (
            {"zones": ("cn-north-1a", "cn-north-1b")},
            "zones.0 = cn-north-1a: is in an AWS partition",
        ),
        (
            {"zones": ("eusc-de-east-1a", "eusc-de-east-1b")},
            "zones.0 = eusc-de-east-1a: is in an AWS",
        ),
        (
            {"zones": ("us-gov-west-1a", "us-gov-west-1b"), "interface_endpoints": ("route53",)},
            "interface_endpoints = ['route53']: route53's API is in us-east-1",
        ),
    ],
)
def test_values_that_do_not_go_together_are_refused(
    network: Callable[..., Graph], spec: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        network(**spec)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"cidr": "10.0.0.0/24"}, "'10.0.0.0/24' must be a /16 to a /20"),
        ({"zones": ("eu-west-1",)}, "String should match pattern"),
        ({"zones": ("us-west-2-lax-1a",)}, "String should match pattern"),
        ({"zones": tuple(f"us-east-1{z}" for z in "abcdefg")}, "at most 6 items"),
        (
            {"interface_endpoints": ("com.amazonaws.eu-west-1.sts",)},
            "must be a short name such as ecr.api: no prefix, no region",
        ),
        ({"interface_endpoints": ("sts", "ec2", "sts")}, "sts is listed twice"),
        ({"interface_endpoints": ("s3",)}, "s3 always has a gateway endpoint"),
        ({"zones": (A, B, A)}, "eu-west-1a is listed twice"),
    ],
)
def test_a_network_that_cannot_be_is_refused(spec: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        NetworkSpec.model_validate(spec)
