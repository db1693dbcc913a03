"""A source of calls: the pods of one of this stack's clusters, a security group, or an address
block."""

from typing import Annotated

from pydantic import Field

from .base import Cidr, Label, SecurityGroupId, Spec, VpcId


class CallerSpec(Spec):
    """One source allowed to dial Envoy. Give `cluster`, or `cidr` with or without
    `security_group_id`."""

    cluster: Label | None = None
    """A cluster of this stack; the serving cluster itself for callers that run beside the services.
    Another cluster's pods are identified by its security group and the private subnets'
    addresses."""
    namespaces: tuple[Label, ...] = ()
    """Only these namespaces, if `cluster` is the serving cluster; all when empty."""
    security_group_id: SecurityGroupId | None = None
    """A security group of the callers' network interfaces, in this VPC or one peered with it."""
    cidr: Cidr | None = None
    """The callers' addresses: NetworkPolicy identifies callers outside the cluster by address
    only."""
    vpc_id: VpcId | None = None
    """The callers' VPC, if it is another one in this region: the private zone then resolves there
    too. Leave it out if an existing zone already resolves there."""
    account_id: Annotated[str, Field(pattern=r"^[0-9]{12}$")] | None = None
    """The callers' account, if it is not this one. This stack authorises the zone's association
    with `vpc_id`, and that account makes it; `security_group_id` belongs to that account."""
