from collections.abc import Callable, Sequence
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

from grpc_platform.network.existing import ExistingNetwork, ExistingNetworkArgs
from grpc_platform_tools.graph import Graph
from grpc_platform_tools.preview.fixtures import Fixtures, LookUp
from grpc_platform_tools.preview.record import record

Recorded = Callable[[Callable[[], object]], Graph]

COMPONENT = "grpc-platform:index:ExistingNetwork"


def existing(
    vpc_id: pulumi.Input[str] = "vpc-0abc",
    subnets: pulumi.Input[Sequence[pulumi.Input[str]]] = ("subnet-1", "subnet-2"),
) -> ExistingNetwork:
    args = ExistingNetworkArgs(vpc_id=vpc_id, private_subnet_ids=subnets)
    return ExistingNetwork("network", args)


def test_an_existing_vpc_is_looked_up_and_nothing_is_made(recorded: Recorded) -> None:
    graph = recorded(existing)
    assert [r.type for r in graph if not r.is_component] == []
    assert graph.only(COMPONENT).outputs == {
        "vpc_id": "vpc-0abc",
        "cidr": "10.0.0.0/16",
        "public_subnet_ids": [],
        "private_subnet_ids": ["subnet-1", "subnet-2"],
        "private_cidrs": ["10.0.0.0/19"] * 2,
    }


def test_a_subnet_is_looked_up_in_its_vpc_and_keeps_its_own_block() -> None:
    """So that AWS's provider refuses a subnet of another VPC, and a policy admits the right
    addresses."""
    blocks = {"subnet-1": "10.0.0.0/19", "subnet-2": "10.0.32.0/19"}
    answers = tuple(
        LookUp(
            function="aws:ec2/getSubnet:getSubnet",
            arguments={"id": subnet, "vpcId": "vpc-0abc"},
            result={"id": subnet, "cidrBlock": block},
        )
        for subnet, block in blocks.items()
    )
    graph = record(existing, fixtures=Fixtures(lookups=answers))
    assert graph.only(COMPONENT).outputs["private_cidrs"] == list(blocks.values())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"vpc_id": "network"}, r"ExistingNetwork network: vpc_id = network: "),
        ({"subnets": ["subnet-1"]}, r"private_subnet_ids = \['subnet-1'\]: "),
        ({"subnets": ["subnet-1", "subnet-1"]}, "subnet-1 is listed twice"),
        ({"subnets": ["subnet-1", "net-2"]}, r"private_subnet_ids\.1 = net-2: "),
    ],
)
def test_ids_that_cannot_be_are_refused(
    recorded: Recorded, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        recorded(lambda: existing(**given))


def test_an_id_that_is_known_later_fails_what_uses_it(recorded: Recorded) -> None:
    def program() -> None:
        network = existing(subnets=pulumi.Output.from_input(["subnet-1", "subnet-1"]))
        aws.rds.SubnetGroup("database", subnet_ids=network.private_subnet_ids)

    with pytest.raises(Exception, match="subnet-1 is listed twice"):
        recorded(program)


def test_a_stack_of_release_0_1_keeps_its_component(recorded: Recorded) -> None:
    component = recorded(existing).only(COMPONENT)
    assert component.urn.replace("ExistingNetwork", "Network") in component.aliases
