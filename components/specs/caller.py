"""Who may call: pods of a cluster of this stack, a security group, or an address block."""

from .base import Cidr, Label, Spec


class CallerSpec(Spec):
    """One source allowed to dial Envoy. Give `cluster`, or `cidr` with or without
    `security_group_id`."""

    cluster: Label | None = None
    """A cluster of this stack; the serving one itself for callers beside the services."""
    namespaces: tuple[Label, ...] = ()
    """Only these namespaces, where `cluster` is the serving one; all when empty."""
    security_group_id: str | None = None
    """A security group the callers' network interfaces carry."""
    cidr: Cidr | None = None
    """The callers' addresses: what NetworkPolicy can know of callers outside the cluster."""
    vpc_id: str | None = None
    """The callers' VPC, if it is another: the private zone is then answered there too."""
