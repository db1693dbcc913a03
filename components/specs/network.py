"""The VPC, new or existing."""

from typing import Annotated, Literal

from pydantic import Field

from .base import Cidr, LogRetentionDays, Spec


class ExistingNetworkSpec(Spec):
    """A VPC that is there already."""

    vpc_id: Annotated[str, Field(pattern=r"^vpc-[a-z0-9-]+$")]
    """The VPC's id; its address block is looked up."""
    private_subnet_ids: Annotated[tuple[str, ...], Field(min_length=2)]
    """Where control planes and nodes go: subnets of two zones at least, routed as they need."""


class NetworkSpec(Spec):
    """A new VPC over some zones, or an existing one."""

    cidr: Cidr = "10.0.0.0/16"
    """Address block of the VPC, /16 to /20. Every pod takes one of its addresses."""
    zones: tuple[str, ...] = ()
    """Availability zones by name, two at least. Append new ones: each zone keeps its place."""
    nat: Literal["none", "single", "per_zone"] = "single"
    """NAT gateways of the private subnets. With none, list `interface_endpoints` instead."""
    interface_endpoints: tuple[str, ...] = ()
    """AWS services reached over PrivateLink, by short name: `ecr.api`, `sts`, `eks-auth`."""
    flow_log_retention_days: LogRetentionDays | None = None
    """Keep VPC flow logs this many days; none are made when unset."""
    existing: ExistingNetworkSpec | None = None
    """Use this VPC; the other keys then do not apply."""
