"""A new EKS cluster with its nodes, add-ons and access, and its provider."""

from __future__ import annotations  # EC2 and EKS load when used: they take a second

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as k8s

from ..inputs import checked
from ..options import for_children_too
from ..rules import Mistake, refuse
from ..rules.cluster import new_cluster
from ..specs import ClusterSpec
from ..specs.base import Cidr, RoleArn
from ..specs.network import SubnetIds
from .access import grant_access
from .addons import AddonArgs, addons_before_nodes, coredns, metrics_server
from .control_plane import control_plane
from .node_group import NodeGroupArgs, node_group, node_role


@dataclass(frozen=True, kw_only=True)
class ClusterArgs:
    """The cluster's settings, its subnets, and values that the same program makes for it."""

    spec: ClusterSpec
    subnet_ids: pulumi.Input[Sequence[pulumi.Input[str]]]
    """Subnets for the control plane and nodes, in at least two zones."""
    role_arns: Mapping[str, pulumi.Input[str]] = field(default_factory=dict[str, pulumi.Input[str]])
    """ARNs of roles that this program makes, by their name in `spec.access`. A role without an ARN
    here belongs to this account."""
    public_access_cidrs: Sequence[pulumi.Input[str]] = ()
    """Blocks that this program makes, in addition to those of `spec`."""
    private_access_cidrs: Mapping[str, pulumi.Input[str]] = field(
        default_factory=dict[str, pulumi.Input[str]]
    )
    """The same for the private endpoint, each by a name of your choice."""
    pod_address_cooldown: timedelta
    """How long no new pod gets a deleted pod's address: at least `Zone.timing.dns_convergence`, so
    that no client dials another pod at a former Envoy's address. EKS Auto Mode has no such
    setting."""
    protect: bool = False
    """Have the engine refuse to delete the EKS cluster and its secrets' KMS key."""
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


class Cluster(pulumi.ComponentResource):
    """Creates an EKS control plane with KMS-encrypted secrets and logs, access entries, nodes
    (fixed groups or EKS Auto Mode) and add-ons.

    The component's name is the cluster's name in EKS. `pulumi up` needs the `aws` command and the
    credentials of `spec.access.deployer_role`. Raises ValueError for mistakes that
    `rules.cluster.new_cluster` finds in `spec`, and for invalid plain values of the other
    arguments; an invalid Output fails when it is known.
    """

    name: pulumi.Output[str]
    """The cluster's name in EKS."""
    kubernetes_version: pulumi.Output[str]
    """Minor version of the control plane."""
    endpoint: pulumi.Output[str]
    """URL of the Kubernetes API."""
    security_group_id: pulumi.Output[str]
    """The security group that EKS gives to nodes, and so to pods."""
    kubeconfig: pulumi.Output[str]
    """Calls `aws` for a token at each use, so it contains no secret."""
    eks_cluster_name: pulumi.Input[str]
    """The same as `name`."""
    provider: k8s.Provider
    """Kubernetes provider. It and every resource made with it wait for the deployer's access, the
    nodes and all add-ons."""
    policy_enforcement: Sequence[pulumi.Resource]
    """Resources that a NetworkPolicy needs to have effect, beside those that `provider` waits
    for."""

    def __init__(
        self, name: str, args: ClusterArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        here, spec = f"Cluster {name}", args.spec
        refuse(here, [*new_cluster(spec), *_unknown_roles(args)])
        super().__init__("grpc-platform:index:Cluster", name, {}, for_children_too(opts))
        assert spec.access is not None  # new_cluster checked it
        subnet_ids = checked(here, "subnet_ids", SubnetIds, args.subnet_ids)
        public_access_cidrs = [
            checked(here, f"public_access_cidrs.{index}", Cidr, cidr)
            for index, cidr in enumerate(args.public_access_cidrs)
        ]
        cluster = control_plane(
            name,
            spec,
            subnet_ids=subnet_ids,
            public_access_cidrs=[*spec.public_access_cidrs, *public_access_cidrs],
            protect=args.protect,
            parent=self,
            tags=args.tags,
        )
        self.name = cluster.name
        self.kubernetes_version = cluster.version
        self.endpoint = cluster.endpoint
        self.security_group_id = cluster.vpc_config.cluster_security_group_id
        self.eks_cluster_name = cluster.name

        deployer = grant_access(
            name,
            spec.access,
            role_arns={
                role: checked(here, f"role_arns.{role}", RoleArn, arn)
                for role, arn in args.role_arns.items()
            },
            cluster_name=cluster.name,
            parent=self,
            tags=args.tags,
        )
        addons = AddonArgs(
            cluster_name=cluster.name,
            kubernetes_version=spec.kubernetes_version,
            parent=self,
            tags=args.tags,
        )
        nodes = [] if spec.auto_mode else _nodes(name, args, cluster, subnet_ids, addons, self)
        ready: list[pulumi.Resource] = [
            deployer,
            *nodes,
            metrics_server(name, addons, nodes),
            *_private_access(name, args, self.security_group_id, self),
        ]
        if not spec.auto_mode:
            ready.append(coredns(name, addons, nodes))
        self.kubeconfig = _kubeconfig(cluster, self)
        self.provider = k8s.Provider(
            f"{name}-kubernetes",
            kubeconfig=self.kubeconfig,
            # Otherwise the provider could take an edited kubeconfig for another cluster and replace
            # everything.
            cluster_identifier=cluster.arn,
            # A field changed by hand has another owner, and an update of it would fail.
            enable_patch_force=True,
            opts=pulumi.ResourceOptions(parent=self, depends_on=ready),
        )
        self.policy_enforcement = (
            [_enforce_network_policies(name, self.provider, self)] if spec.auto_mode else []
        )
        self.register_outputs(
            {
                "name": self.name,
                "kubernetes_version": self.kubernetes_version,
                "endpoint": self.endpoint,
                "kubeconfig": self.kubeconfig,
                "security_group_id": self.security_group_id,
            }
        )


def _unknown_roles(args: ClusterArgs) -> Iterator[Mistake]:
    named = args.spec.access.roles if args.spec.access else ()
    for role in args.role_arns:
        if role not in named:
            yield Mistake(("role_arns", role), None, "is not a role that spec.access names")


def _private_access(
    name: str, args: ClusterArgs, group_id: pulumi.Input[str], parent: pulumi.Resource
) -> list[pulumi.Resource]:
    """The private endpoint has the cluster's security group, which admits only nodes and pods:
    https://docs.aws.amazon.com/eks/latest/userguide/cluster-endpoint.html"""
    blocks: dict[str, pulumi.Input[str]] = {cidr: cidr for cidr in args.spec.private_access_cidrs}
    for key, cidr in args.private_access_cidrs.items():
        blocks[key] = checked(f"Cluster {name}", f"private_access_cidrs.{key}", Cidr, cidr)
    return [
        aws.vpc.SecurityGroupIngressRule(
            f"{name}-api-{key}",
            security_group_id=group_id,
            description=f"{key} to the Kubernetes API",
            ip_protocol="tcp",
            from_port=443,
            to_port=443,
            cidr_ipv4=cidr,
            tags=args.tags,
            opts=pulumi.ResourceOptions(parent=parent),
        )
        for key, cidr in blocks.items()
    ]


def _nodes(
    name: str,
    args: ClusterArgs,
    cluster: aws.eks.Cluster,
    subnet_ids: pulumi.Input[Sequence[pulumi.Input[str]]],
    addons: AddonArgs,
    parent: pulumi.Resource,
) -> list[aws.eks.NodeGroup]:
    shared = NodeGroupArgs(
        cluster=cluster,
        role=node_role(name, parent=parent, tags=args.tags),
        subnet_ids=subnet_ids,
        depends_on=addons_before_nodes(name, addons, args.pod_address_cooldown),
        parent=parent,
        tags=args.tags,
    )
    return [node_group(name, group, spec, shared) for group, spec in args.spec.node_groups.items()]


def _kubeconfig(cluster: aws.eks.Cluster, parent: pulumi.Resource) -> pulumi.Output[str]:
    """A kubeconfig without a secret: it calls `aws` for tokens, because a fixed one expires after
    15 minutes."""
    region = aws.get_region_output(opts=pulumi.InvokeOptions(parent=parent)).region
    get_token = ["eks", "get-token", "--cluster-name", cluster.name, "--region", region]
    return pulumi.Output.json_dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": cluster.arn,
                    "cluster": {
                        "server": cluster.endpoint,
                        "certificate-authority-data": cluster.certificate_authority.data,
                    },
                }
            ],
            "users": [
                {
                    "name": cluster.arn,
                    "user": {
                        "exec": {
                            "apiVersion": "client.authentication.k8s.io/v1beta1",
                            "command": "aws",
                            "args": [*get_token, "--output", "json"],
                        }
                    },
                }
            ],
            "contexts": [
                {"name": cluster.arn, "context": {"cluster": cluster.arn, "user": cluster.arn}}
            ],
            "current-context": cluster.arn,
        }
    )


def _enforce_network_policies(
    name: str, provider: k8s.Provider, parent: pulumi.Resource
) -> k8s.core.v1.ConfigMap:
    """EKS Auto Mode ignores NetworkPolicy until this ConfigMap exists:
    https://docs.aws.amazon.com/eks/latest/userguide/auto-net-pol.html"""
    return k8s.core.v1.ConfigMap(
        f"{name}-network-policies",
        metadata=k8s.meta.v1.ObjectMetaArgs(
            name="amazon-vpc-cni",
            namespace="kube-system",
            labels={"app.kubernetes.io/managed-by": "grpc-platform"},
        ),
        data={"enable-network-policy-controller": "true"},
        opts=pulumi.ResourceOptions(parent=parent, provider=provider),
    )
