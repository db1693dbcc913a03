"""An EKS control plane, and EKS Auto Mode if it runs the nodes."""

from __future__ import annotations  # EC2 and EKS load when used: they take a second

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from ..specs import ClusterSpec
from .roles import ServiceRole, service_role

_AUTO_MODE_POLICIES = [
    "AmazonEKSComputePolicy",
    "AmazonEKSBlockStoragePolicy",
    "AmazonEKSLoadBalancingPolicy",
    "AmazonEKSNetworkingPolicy",
]


def control_plane(
    name: str,
    spec: ClusterSpec,
    *,
    subnet_ids: pulumi.Input[Sequence[pulumi.Input[str]]],
    public_access_cidrs: Sequence[pulumi.Input[str]],
    protect: bool,
    parent: pulumi.Resource,
    tags: Mapping[str, str],
) -> aws.eks.Cluster:
    """Create the EKS cluster `name` with its role, its secrets' KMS key and its log group; in Auto
    Mode also the nodes' role."""
    child = pulumi.ResourceOptions(parent=parent)
    key = aws.kms.Key(
        name,
        description=f"Kubernetes secrets of EKS cluster {name}",
        enable_key_rotation=True,
        tags=tags,
        opts=pulumi.ResourceOptions(parent=parent, protect=protect),
    )
    role = _cluster_role(name, spec, key, parent, tags)
    # Otherwise EKS would create this group itself, and keep the logs for ever.
    log_group = aws.cloudwatch.LogGroup(
        name,
        name=f"/aws/eks/{name}/cluster",
        retention_in_days=spec.log_retention_days,
        tags=tags,
        opts=child,
    )
    auto = _auto_mode(name, parent, tags) if spec.auto_mode else _AutoMode()
    return aws.eks.Cluster(
        name,
        name=name,
        version=spec.kubernetes_version,
        role_arn=role.role.arn,
        access_config=aws.eks.ClusterAccessConfigArgs(
            authentication_mode="API",
            # The cluster's creator gets no access beyond `access`.
            bootstrap_cluster_creator_admin_permissions=False,
        ),
        bootstrap_self_managed_addons=False,
        compute_config=auto.compute,
        storage_config=auto.storage,
        kubernetes_network_config=auto.network,
        deletion_protection=spec.deletion_protection,
        enabled_cluster_log_types=spec.control_plane_logs,
        encryption_config=aws.eks.ClusterEncryptionConfigArgs(
            provider=aws.eks.ClusterEncryptionConfigProviderArgs(key_arn=key.arn),
            resources=["secrets"],
        ),
        upgrade_policy=aws.eks.ClusterUpgradePolicyArgs(support_type=spec.upgrade_policy.upper()),
        vpc_config=aws.eks.ClusterVpcConfigArgs(
            subnet_ids=subnet_ids,
            endpoint_private_access=True,
            endpoint_public_access=bool(public_access_cidrs),
            public_access_cidrs=public_access_cidrs or None,
        ),
        zonal_shift_config=aws.eks.ClusterZonalShiftConfigArgs(enabled=spec.zonal_shift),
        tags=tags,
        opts=pulumi.ResourceOptions(
            parent=parent,
            protect=protect,
            depends_on=[*role.policies, *auto.needs, log_group],
            # EKS refuses subnets in zones that the cluster was not created with; nodes may use
            # them: https://docs.aws.amazon.com/eks/latest/userguide/network-reqs.html
            ignore_changes=["vpcConfig.subnetIds"],
        ),
    )


def _cluster_role(
    name: str,
    spec: ClusterSpec,
    key: aws.kms.Key,
    parent: pulumi.Resource,
    tags: Mapping[str, str],
) -> ServiceRole:
    role, policies = service_role(
        f"{name}-control-plane",
        "eks.amazonaws.com",
        ["AmazonEKSClusterPolicy", *(_AUTO_MODE_POLICIES if spec.auto_mode else [])],
        parent=parent,
        tags=tags,
        tag_session=spec.auto_mode,
    )
    secrets = aws.iam.RolePolicy(
        f"{name}-secrets",
        role=role.name,
        policy=pulumi.Output.json_dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Action": [
                            "kms:Decrypt",
                            "kms:DescribeKey",
                            "kms:Encrypt",
                            "kms:ListGrants",
                        ],
                        "Resource": key.arn,
                    }
                ],
            }
        ),
        opts=pulumi.ResourceOptions(parent=parent),
    )
    return ServiceRole(role, [*policies, secrets])


@dataclass(frozen=True)
class _AutoMode:
    """The cluster's settings for EKS Auto Mode, all of them or none."""

    compute: aws.eks.ClusterComputeConfigArgs | None = None
    storage: aws.eks.ClusterStorageConfigArgs | None = None
    network: aws.eks.ClusterKubernetesNetworkConfigArgs | None = None
    needs: tuple[pulumi.Resource, ...] = ()


def _auto_mode(name: str, parent: pulumi.Resource, tags: Mapping[str, str]) -> _AutoMode:
    """The number of nodes follows the pods. The nodes include vpc-cni, kube-proxy, CoreDNS and the
    Pod Identity agent: https://docs.aws.amazon.com/eks/latest/userguide/automode.html"""
    role, policies = service_role(
        f"{name}-nodes",
        "ec2.amazonaws.com",
        ["AmazonEKSWorkerNodeMinimalPolicy", "AmazonEC2ContainerRegistryPullOnly"],
        parent=parent,
        tags=tags,
    )
    return _AutoMode(
        compute=aws.eks.ClusterComputeConfigArgs(
            enabled=True,
            # On-demand x86 nodes. The other built-in pool, system, is for critical add-ons only.
            node_pools=["general-purpose"],
            node_role_arn=role.arn,
        ),
        storage=aws.eks.ClusterStorageConfigArgs(
            block_storage=aws.eks.ClusterStorageConfigBlockStorageArgs(enabled=True)
        ),
        network=aws.eks.ClusterKubernetesNetworkConfigArgs(
            elastic_load_balancing=aws.eks.ClusterKubernetesNetworkConfigElasticLoadBalancingArgs(
                enabled=True
            )
        ),
        needs=tuple(policies),
    )
