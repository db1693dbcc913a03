"""A new EKS cluster with its nodes and who may enter, or an existing cluster."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from .. import versions
from ..quantities import instance_type
from .base import Cidr, Label, LabelKey, LabelValue, LogRetentionDays, RoleName, Spec, once


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
    """All of one architecture and size. Graviton (`m7g`) and x86 (`m7i`) both work."""
    size: Annotated[int, Field(ge=1, le=450)] = 2
    """How many nodes; spread over the zones."""
    ami: Literal["al2023", "bottlerocket"] = "al2023"
    """Operating system of the nodes."""
    release_version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+-[0-9a-f]{8}$")] | None = None
    """Release of the AMI, such as `1.35.2-20260210` (AL2023) or `1.52.0-90b2e3a1` (Bottlerocket);
    unset: the newest when the group is made, which then stays until the Kubernetes version
    changes."""
    spot: bool = False
    """Buy spot capacity. Envoy never runs there: two minutes' notice is shorter than its drain."""
    labels: dict[LabelKey, LabelValue] = {}
    """Kubernetes labels of the nodes."""
    taints: Annotated[tuple[Taint, ...], AfterValidator(_each_taint_once)] = ()
    """Taints of the nodes. Envoy tolerates none, so it stays off tainted groups."""
    volume_gib: Annotated[int, Field(ge=20, le=16384)] = 50
    """Root volume (data volume on Bottlerocket) of each node, encrypted gp3."""
    node_repair: bool = True
    """Let EKS replace nodes whose health checks fail."""


class TeamSpec(Spec):
    """A role that may work in some namespaces."""

    role: RoleName
    """IAM role by name (with its path, if it has one)."""
    namespaces: Annotated[tuple[Label, ...], Field(min_length=1), AfterValidator(once)]
    """Where the role may act."""
    policy: Literal["view", "edit", "admin"] = "edit"
    """Which of EKS's access policies the role gets there."""


class AccessSpec(Spec):
    """Who may use the Kubernetes API; roles are of this account, by name."""

    deployer_role: RoleName
    """The role that runs `pulumi up`; every Kubernetes resource waits for its access."""
    admin_roles: tuple[RoleName, ...] = ()
    """Further roles with full access."""
    teams: dict[Label, TeamSpec] = {}
    """Roles with access to some namespaces only."""

    @property
    def roles(self) -> list[str]:
        """Every role that is let in."""
        return [self.deployer_role, *self.admin_roles, *(t.role for t in self.teams.values())]

    @model_validator(mode="after")
    def _each_role_once(self) -> "AccessSpec":
        roles = self.roles
        if twice := sorted({role for role in roles if roles.count(role) > 1}):
            raise ValueError(f"role {twice[0]} is listed twice; EKS takes one entry for a role")
        return self


class ExistingClusterSpec(Spec):
    """An existing cluster, reached through a kubeconfig."""

    context: str
    """Context of the kubeconfig to use."""
    kubeconfig: str | None = None
    """Path of the kubeconfig. Unset: the content is read from the encrypted key
    `kubeconfig-<cluster>`."""
    eks_cluster_name: str | None = None
    """The cluster's name in EKS, so that external-dns gets its role by Pod Identity."""


class ClusterSpec(Spec):
    """A new EKS cluster."""

    kubernetes_version: Literal["1.32", "1.33", "1.34", "1.35"] = versions.KUBERNETES
    """Minor version; only those that Contour's table or the local tests cover."""
    access: AccessSpec | None = None
    """Who may enter; required for a new cluster."""
    auto_mode: bool = False
    """EKS Auto Mode: AWS runs the nodes, and their number follows the pods."""
    node_groups: dict[Label, NodeGroupSpec] = {}
    """Fixed node groups by name; without Auto Mode at least one."""
    public_access_cidrs: Annotated[tuple[Cidr, ...], AfterValidator(once)] = ()
    """Who reaches the API from outside the VPC; empty: the public endpoint is off."""
    private_access_cidrs: Annotated[tuple[Cidr, ...], AfterValidator(once)] = ()
    """Who else reaches the private endpoint: the runner of `pulumi up`, a VPN. Nodes and pods
    always do; their port 443 opens to these blocks too."""
    deletion_protection: bool = True
    """EKS refuses to delete the cluster until this is false."""
    upgrade_policy: Literal["standard", "extended"] = "standard"
    """What happens at the end of standard support: an upgrade, or extended support at a price."""
    zonal_shift: bool = True
    """Let Route53 ARC shift traffic away from an impaired zone."""
    control_plane_logs: Annotated[
        tuple[Literal["api", "audit", "authenticator", "controllerManager", "scheduler"], ...],
        AfterValidator(once),
    ] = ("api", "audit", "authenticator")
    """Control-plane logs sent to CloudWatch."""
    log_retention_days: LogRetentionDays = 90
    """How long CloudWatch keeps them."""
