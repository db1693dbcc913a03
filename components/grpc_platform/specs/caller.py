"""Who may call: pods of a cluster of this stack, a security group, or an address block."""

from typing import Annotated

from pydantic import Field

from .base import Cidr, Label, Spec, VpcId


class CallerSpec(Spec):
    """One source allowed to dial Envoy. Give `cluster`, or `cidr` with or without
    `security_group_id`."""

    cluster: Label | None = None
    """A cluster of this stack; the serving one itself for callers beside the services. Another
    one's pods are told by its security group and by the addresses of the private subnets."""
    namespaces: tuple[Label, ...] = ()
    """Only these namespaces, where `cluster` is the serving one; all when empty."""
    security_group_id: Annotated[str, Field(pattern=r"^sg-[a-z0-9-]+$")] | None = None
    """A security group the callers' network interfaces carry, in this VPC or one peered with it."""
    cidr: Cidr | None = None
    """The callers' addresses: what NetworkPolicy can know of callers outside the cluster."""
    vpc_id: VpcId | None = None
    """The callers' VPC, if it is another of this region: the private zone is then answered there
    too. Leave it out where an existing zone is answered there already."""
    account_id: Annotated[str, Field(pattern=r"^\d{12}$")] | None = None
    """The callers' account, if it is another: the zone is opened to `vpc_id`, and that account
    makes the association; `security_group_id` is one of its own."""
