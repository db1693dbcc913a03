"""A new VPC over some zones, or an existing one."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from ..network.subnets import MAX_ZONES, check_vpc_block
from .base import Cidr, LogRetentionDays, Spec, VpcId, once


def required_interface_endpoints() -> tuple[str, ...]:
    """The interface endpoints that EKS nodes and this platform's pods need without NAT, by short
    name.

    https://docs.aws.amazon.com/eks/latest/userguide/private-clusters.html. Image layers come
    through the S3 gateway endpoint, which every new VPC has. There is no route to a public
    registry, so `contour.image`, `envoy.image` and `external_dns.image` must name a mirror in ECR.
    """
    return (
        "ec2",  # nodes ask it for their name, vpc-cni for pod addresses
        "ecr.api",  # nodes get their credentials for images from it
        "ecr.dkr",  # nodes pull images from it
        "eks-auth",  # the Pod Identity agent gets external-dns its credentials from it
        "route53",  # external-dns writes Envoy's addresses through it
    )


def _endpoint(value: str) -> str:
    if "amazonaws" in value:
        raise ValueError(f"{value!r} must be a short name such as ecr.api: no prefix, no region")
    if value == "s3":
        raise ValueError("s3 always has a gateway endpoint; remove it")
    return value


# eusc-de-east-1a has four letters before its country; a local zone (us-west-2-lax-1a) has two
# numbers.
ZoneName = Annotated[str, Field(pattern=r"^[a-z]{2,4}(-[a-z]+)+-[0-9][a-z]$")]
Endpoint = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$"), AfterValidator(_endpoint)]
SubnetId = Annotated[str, Field(pattern=r"^subnet-[a-z0-9-]+$")]
SubnetIds = Annotated[tuple[SubnetId, ...], Field(min_length=2), AfterValidator(once)]
"""Subnets in at least two zones, each listed once."""


class ExistingNetworkSpec(Spec):
    """An existing VPC."""

    vpc_id: VpcId
    """The VPC's id; its address block is looked up."""
    private_subnet_ids: SubnetIds
    """Subnets for control planes and nodes, in at least two zones, with the routes that nodes
    need."""


class NetworkSpec(Spec):
    """A new VPC over some zones."""

    cidr: Annotated[Cidr, AfterValidator(check_vpc_block)] = "10.0.0.0/16"
    """The VPC's address block, /16 to /20. Every pod takes one of its addresses."""
    zones: Annotated[tuple[ZoneName, ...], Field(max_length=MAX_ZONES), AfterValidator(once)] = ()
    """Availability zones by name, two to six. Append new ones, so that each zone keeps its
    position."""
    nat: Literal["none", "single", "per_zone"] = "single"
    """The private subnets' NAT gateways. With none, nodes reach AWS through `interface_endpoints`
    (ec2, ecr.api, ecr.dkr, eks-auth, route53) and images come from ECR."""
    interface_endpoints: Annotated[tuple[Endpoint, ...], AfterValidator(once)] = ()
    """AWS services reached over PrivateLink, by short name: `ecr.api`, `eks-auth`, `route53`. S3
    always has a gateway endpoint."""
    flow_log_retention_days: LogRetentionDays | None = None
    """Keep VPC flow logs this many days; unset: no flow logs."""
