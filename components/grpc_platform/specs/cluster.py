"""A new EKS cluster with its nodes and access entries, or an existing cluster."""

from collections import Counter
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from .. import versions
from ..quantities import instance_type
from .base import Cidr, Label, LabelKey, LabelValue, Line, LogRetentionDays, RoleName, Spec, once

# https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateCluster.html
EKS_NAME = r"^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$"


class Taint(Spec):
    """A Kubernetes taint."""

    key: LabelKey
    value: LabelValue = ""
    effect: Literal["NoSchedule", "NoExecute", "PreferNoSchedule"] = "NoSchedule"


def _alike(names: tuple[str, ...]) -> tuple[str, ...]:
    types = [instance_type(name) for name in names]
    if len({(each.architecture, each.cores) for each in types}) > 1:
        raise ValueError("instance types of one group must share architecture and number of cores")
    return names


def _each_taint_once(taints: tuple[Taint, ...]) -> tuple[Taint, ...]:
    once(tuple(f"{taint.key}:{taint.effect}" for taint in taints))
    return taints


class NodeGroupSpec(Spec):
    """A managed node group of a fixed size."""

    instance_types: Annotated[
        tuple[str, ...],
        Field(min_length=1, max_length=20),
        AfterValidator(once),
        AfterValidator(_alike),
    ] = ("m7g.large",)
    """All with the same architecture and number of cores. Graviton (`m7g`) and x86 (`m7i`) both
    work."""
    size: Annotated[int, Field(ge=1, le=450)] = 2
    """Number of nodes, spread over the zones."""
    ami: Literal["al2023", "bottlerocket"] = "al2023"
    """The nodes' operating system."""
    release_version: (
        Annotated[str, Field(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+-[0-9a-f]{8}$")] | None
    ) = None
    """Release of the AMI, such as `1.35.2-20260210` (AL2023) or `1.52.0-90b2e3a1` (Bottlerocket);
    unset: the newest when the group is created, kept until the Kubernetes version changes."""
    spot: bool = False
    """Use spot capacity. Envoy never runs there: two minutes' notice is shorter than its drain."""
    labels: dict[LabelKey, LabelValue] = {}
    """The nodes' Kubernetes labels."""
    taints: Annotated[tuple[Taint, ...], AfterValidator(_each_taint_once)] = ()
    """The nodes' taints. Envoy tolerates none, so it does not run on tainted groups."""
    volume_gib: Annotated[int, Field(ge=20, le=16384)] = 50
    """Size of each node's root volume (data volume on Bottlerocket), encrypted gp3."""
    node_repair: bool = True
    """Let EKS replace nodes whose health checks fail."""


class TeamSpec(Spec):
    """A role with access to some namespaces."""

    role: RoleName
    """IAM role by name (with its path, if it has one)."""
    namespaces: Annotated[tuple[Label, ...], Field(min_length=1), AfterValidator(once)]
    """The namespaces in which the role has access."""
    policy: Literal["view", "edit", "admin"] = "edit"
    """The EKS access policy that the role gets there."""


class AccessSpec(Spec):
    """Who may use the Kubernetes API: roles of this account, by name."""

    deployer_role: RoleName
    """The role that runs `pulumi up`; every Kubernetes resource waits for its access."""
    admin_roles: tuple[RoleName, ...] = ()
    """Further roles with full access."""
    teams: dict[Label, TeamSpec] = {}
    """Roles with access to some namespaces only."""

    @property
    def roles(self) -> list[str]:
        """Every role with access."""
        return [self.deployer_role, *self.admin_roles, *(t.role for t in self.teams.values())]

    @model_validator(mode="after")
    def _each_role_once(self) -> "AccessSpec":
        counts = Counter(self.roles)
        if twice := sorted(role for role, count in counts.items() if count > 1):
            raise ValueError(f"role {twice[0]} is listed twice; EKS takes one entry for a role")
        return self


class ExistingClusterSpec(Spec):
    """An existing cluster, reached through a kubeconfig."""

    context: Line
    """The kubeconfig's context to use."""
    kubeconfig: Line | None = None
    """The kubeconfig's path. Unset: the encrypted key `kubeconfig-<cluster>` has the content."""
    eks_cluster_name: Annotated[str, Field(pattern=EKS_NAME)] | None = None
    """The cluster's name in EKS, so that external-dns gets its role by Pod Identity."""


class ClusterSpec(Spec):
    """A new EKS cluster."""

    kubernetes_version: Literal["1.32", "1.33", "1.34", "1.35"] = versions.KUBERNETES
    """Minor version; only versions that Contour's compatibility table or the local tests cover."""
    access: AccessSpec | None = None
    """Who may use the Kubernetes API; required for a new cluster."""
    auto_mode: bool = False
    """Use EKS Auto Mode: AWS runs the nodes, and their number follows the pods."""
    node_groups: dict[Label, NodeGroupSpec] = {}
    """Fixed node groups by name; without Auto Mode at least one."""
    public_access_cidrs: Annotated[tuple[Cidr, ...], AfterValidator(once)] = ()
    """Blocks that may reach the API from outside the VPC; empty: the public endpoint is off."""
    private_access_cidrs: Annotated[tuple[Cidr, ...], AfterValidator(once)] = ()
    """Blocks that may reach the private endpoint, such as the runner of `pulumi up` or a VPN. Nodes
    and pods always can. Port 443 of nodes and pods opens to these blocks too."""
    deletion_protection: bool = True
    """EKS refuses to delete the cluster until this is false."""
    upgrade_policy: Literal["standard", "extended"] = "standard"
    """At the end of standard support: upgrade, or get extended support for a fee."""
    zonal_shift: bool = True
    """Let Route53 ARC shift traffic away from an impaired zone."""
    control_plane_logs: Annotated[
        tuple[Literal["api", "audit", "authenticator", "controllerManager", "scheduler"], ...],
        AfterValidator(once),
    ] = ("api", "audit", "authenticator")
    """Control-plane logs sent to CloudWatch."""
    log_retention_days: LogRetentionDays = 90
    """How long CloudWatch keeps them."""
