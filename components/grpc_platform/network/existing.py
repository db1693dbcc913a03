"""An existing VPC: looked up, with the outputs of a new one."""

from __future__ import annotations  # EC2 and EKS load when used: they take a second

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from ..inputs import checked
from ..options import for_children_too
from ..specs.base import VpcId
from ..specs.network import SubnetIds
from .network import Network


@dataclass(frozen=True, kw_only=True)
class ExistingNetworkArgs:
    """The VPC, and its subnets for control planes and nodes."""

    vpc_id: pulumi.Input[str]
    private_subnet_ids: pulumi.Input[Sequence[pulumi.Input[str]]]
    """Subnets of two zones at least, routed as nodes need."""


class ExistingNetwork(pulumi.ComponentResource):
    """An existing VPC. The component creates nothing, and looks up address blocks.

    Raises ValueError for invalid ids; Outputs with an invalid id fail when they are known.
    """

    vpc_id: pulumi.Output[str]
    """The VPC's id."""
    cidr: pulumi.Output[str]
    """The VPC's (primary) address block."""
    public_subnet_ids: pulumi.Output[list[str]]
    """Always empty: no component uses an existing VPC's public subnets."""
    private_subnet_ids: pulumi.Output[list[str]]
    """Subnets for control planes and nodes, in the given order."""
    private_cidrs: pulumi.Output[list[str]]
    """Address blocks of the private subnets: every pod of this network's clusters is in them."""

    def __init__(
        self, name: str, args: ExistingNetworkArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        # Release 0.1 had one component type for new and existing networks.
        former = pulumi.ResourceOptions(aliases=[pulumi.Alias(type_="grpc-platform:index:Network")])
        super().__init__(
            "grpc-platform:index:ExistingNetwork",
            name,
            {},
            pulumi.ResourceOptions.merge(for_children_too(opts), former),
        )
        here = f"ExistingNetwork {name}"
        vpc_id = checked(here, "vpc_id", VpcId, args.vpc_id)
        subnet_ids = checked(here, "private_subnet_ids", SubnetIds, args.private_subnet_ids)
        invoke = pulumi.InvokeOutputOptions(parent=self)
        vpc = aws.ec2.get_vpc_output(id=vpc_id, opts=invoke)
        subnets = pulumi.Output.all(vpc=vpc_id, ids=subnet_ids).apply(
            lambda known: pulumi.Output.all(
                *[
                    # Also by VPC, so that a subnet of another VPC is refused here.
                    aws.ec2.get_subnet_output(id=subnet, vpc_id=known["vpc"], opts=invoke)
                    for subnet in known["ids"]
                ]
            )
        )
        self.vpc_id = vpc.id
        self.cidr = vpc.cidr_block
        self.public_subnet_ids = pulumi.Output.from_input(list[str]())
        self.private_subnet_ids = subnets.apply(lambda found: [subnet.id for subnet in found])
        self.private_cidrs = subnets.apply(lambda found: [subnet.cidr_block for subnet in found])
        self.register_outputs(
            {
                "vpc_id": self.vpc_id,
                "cidr": self.cidr,
                "public_subnet_ids": self.public_subnet_ids,
                "private_subnet_ids": self.private_subnet_ids,
                "private_cidrs": self.private_cidrs,
            }
        )


AnyNetwork = Network | ExistingNetwork
"""A VPC, new or existing: the outputs are the same."""
