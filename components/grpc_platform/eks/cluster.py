"""An EKS cluster with its nodes, add-ons and access, or an existing cluster; and its provider."""

from __future__ import annotations  # EC2 and EKS load when used: they take a second

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as k8s

from ..options import for_children_too
from ..specs import ClusterSpec, ExistingClusterSpec
from .access import grant_access
from .addons import AddonArgs, addons_before_nodes, coredns, metrics_server
from .control_plane import control_plane
from .node_group import NodeGroupArgs, node_group, node_role


@dataclass(frozen=True, kw_only=True)
class ClusterArgs:
    """A new cluster needs `subnet_ids` of two zones; an existing one its kubeconfig: a path in
    `spec.existing`, or its content in `kubeconfig`.

    `pod_address_cooldown` is how long no new pod gets a deleted pod's address: at least
    `Zone.timing.dns_convergence`, so that nobody dials what was an Envoy. EKS Auto Mode has no such
    setting.
    """

    spec: ClusterSpec
    pod_address_cooldown: timedelta
    subnet_ids: pulumi.Input[Sequence[pulumi.Input[str]]] = ()
    kubeconfig: pulumi.Input[str] | None = None
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


class Cluster(pulumi.ComponentResource):
    """An EKS control plane with KMS-encrypted secrets and logs, who may enter, nodes (fixed groups
    or EKS Auto Mode) and add-ons; or nothing but a provider for a cluster that is there already.

    The component's name is the cluster's name. `pulumi up` must run with the credentials of
    `spec.access.deployer_role`, with the `aws` command at hand.
    Raises ValueError when `spec` lacks what the kind of cluster needs.
    """

    name: pulumi.Output[str]
    """The cluster's name, in EKS if it is new."""
    kubernetes_version: pulumi.Output[str]
    """Minor version of the control plane."""
    endpoint: pulumi.Output[str] | None
    """URL of the Kubernetes API; None for an existing cluster."""
    security_group_id: pulumi.Output[str] | None
    """The security group that EKS gives nodes, and so pods; None for an existing cluster."""
    kubeconfig: pulumi.Output[str] | None
    """Asks `aws` for a token at each use, so it holds no secret; None for an existing cluster."""
    eks_cluster_name: pulumi.Input[str] | None
    """The name in EKS, for Pod Identity; None where an existing cluster's is not given."""
    provider: k8s.Provider
    """Kubernetes provider. It waits for the deployer's access, the nodes and all add-ons, and so
    does everything made with it."""

    def __init__(
        self, name: str, args: ClusterArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("grpc-platform:index:Cluster", name, {}, for_children_too(opts))
        if args.spec.existing is None:
            self._create(name, args)
        else:
            self._use_existing(name, args, args.spec.existing)
        self.register_outputs(
            {
                "name": self.name,
                "kubernetes_version": self.kubernetes_version,
                "endpoint": self.endpoint,
                "kubeconfig": self.kubeconfig,
                "security_group_id": self.security_group_id,
            }
        )

    def _use_existing(self, name: str, args: ClusterArgs, existing: ExistingClusterSpec) -> None:
        kubeconfig = existing.kubeconfig if args.kubeconfig is None else args.kubeconfig
        if kubeconfig is None:
            raise ValueError(f"{name}: an existing cluster needs a kubeconfig")
        self.provider = k8s.Provider(
            f"{name}-kubernetes",
            kubeconfig=kubeconfig,
            context=existing.context,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.name = pulumi.Output.from_input(name)
        self.kubernetes_version = pulumi.Output.from_input(args.spec.kubernetes_version)
        self.endpoint = None
        self.kubeconfig = None
        self.security_group_id = None
        self.eks_cluster_name = existing.eks_cluster_name

    def _create(self, name: str, args: ClusterArgs) -> None:
        spec = args.spec
        if spec.access is None:
            raise ValueError(f"{name}: a new cluster needs access")
        if spec.auto_mode == bool(spec.node_groups):
            raise ValueError(f"{name}: a new cluster needs either node_groups or auto_mode")

        cluster = control_plane(name, spec, subnet_ids=args.subnet_ids, parent=self, tags=args.tags)
        self.name = cluster.name
        self.kubernetes_version = cluster.version
        self.endpoint = cluster.endpoint
        self.security_group_id = cluster.vpc_config.cluster_security_group_id
        self.eks_cluster_name = cluster.name

        deployer = grant_access(
            name, spec.access, cluster_name=cluster.name, parent=self, tags=args.tags
        )
        addons = AddonArgs(
            cluster_name=cluster.name,
            kubernetes_version=spec.kubernetes_version,
            parent=self,
            tags=args.tags,
        )
        nodes = [] if spec.auto_mode else _nodes(name, args, cluster, addons, self)
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
            # Otherwise an edited kubeconfig could count as another cluster and replace everything.
            cluster_identifier=cluster.arn,
            opts=pulumi.ResourceOptions(parent=self, depends_on=ready),
        )
        if spec.auto_mode:
            _enforce_network_policies(name, self.provider, self)


def _private_access(
    name: str, args: ClusterArgs, group_id: pulumi.Input[str], parent: pulumi.Resource
) -> list[pulumi.Resource]:
    """The private endpoint carries the cluster's security group, which lets in nodes and pods only:
    https://docs.aws.amazon.com/eks/latest/userguide/cluster-endpoint.html"""
    return [
        aws.vpc.SecurityGroupIngressRule(
            f"{name}-api-{cidr}",
            security_group_id=group_id,
            description=f"{cidr} to the Kubernetes API",
            ip_protocol="tcp",
            from_port=443,
            to_port=443,
            cidr_ipv4=cidr,
            tags=args.tags,
            opts=pulumi.ResourceOptions(parent=parent),
        )
        for cidr in args.spec.private_access_cidrs
    ]


def _nodes(
    name: str,
    args: ClusterArgs,
    cluster: aws.eks.Cluster,
    addons: AddonArgs,
    parent: pulumi.Resource,
) -> list[aws.eks.NodeGroup]:
    shared = NodeGroupArgs(
        cluster=cluster,
        role=node_role(name, parent=parent, tags=args.tags),
        subnet_ids=args.subnet_ids,
        depends_on=addons_before_nodes(name, addons, args.pod_address_cooldown),
        parent=parent,
        tags=args.tags,
    )
    return [
        node_group(f"{name}-{group}", spec, shared) for group, spec in args.spec.node_groups.items()
    ]


def _kubeconfig(cluster: aws.eks.Cluster, parent: pulumi.Resource) -> pulumi.Output[str]:
    """A kubeconfig without a secret in it: each request asks `aws` for a token, as fixed ones end
    after 15 minutes."""
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
