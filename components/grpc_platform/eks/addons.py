"""EKS add-ons, which AWS maintains inside a cluster: pinned, in the order that nodes need."""

from __future__ import annotations  # EC2 and EKS load when used: they take a second

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import pulumi
import pulumi_aws as aws

from .. import versions
from ..timing import whole_seconds
from .roles import service_role


@dataclass(frozen=True, kw_only=True)
class AddonArgs:
    """The add-ons' cluster, its minor version, and the component that owns them."""

    cluster_name: pulumi.Input[str]
    kubernetes_version: str
    parent: pulumi.Resource
    tags: Mapping[str, str]


def vpc_cni_settings(pod_address_cooldown: timedelta) -> str:
    """JSON of vpc-cni's settings, in whose schema every value is a string.

    NetworkPolicy has no effect without `enableNetworkPolicy`. A pod's address is reused only after
    `pod_address_cooldown`. vpc-cni's default is 30 s, when clients may still dial it as Envoy's.
    https://github.com/aws/amazon-vpc-cni-k8s#ip_cooldown_period-v1150
    """
    return json.dumps(
        {
            "enableNetworkPolicy": "true",
            "env": {"IP_COOLDOWN_PERIOD": str(whole_seconds(pod_address_cooldown))},
        }
    )


def addons_before_nodes(
    name: str, args: AddonArgs, pod_address_cooldown: timedelta
) -> list[aws.eks.Addon]:
    """Install the add-ons that a node needs to become ready: Pod Identity agent, vpc-cni,
    kube-proxy.

    vpc-cni gets its permissions by Pod Identity, so that nodes do not have them. It therefore comes
    after the agent: https://docs.aws.amazon.com/eks/latest/userguide/cni-iam-role.html
    """
    role = service_role(
        f"{name}-vpc-cni",
        "pods.eks.amazonaws.com",
        ["AmazonEKS_CNI_Policy"],
        parent=args.parent,
        tags=args.tags,
        tag_session=True,
    )
    agent = _addon(name, args, "eks-pod-identity-agent", versions.POD_IDENTITY_AGENT)
    vpc_cni = _addon(
        name,
        args,
        "vpc-cni",
        versions.VPC_CNI,
        settings=vpc_cni_settings(pod_address_cooldown),
        identity=aws.eks.AddonPodIdentityAssociationArgs(
            role_arn=role.role.arn, service_account="aws-node"
        ),
        depends_on=[agent, *role.policies],
    )
    kube_proxy = _addon(name, args, "kube-proxy", versions.KUBE_PROXY[args.kubernetes_version])
    return [agent, vpc_cni, kube_proxy]


def coredns(name: str, args: AddonArgs, nodes: Sequence[pulumi.Resource]) -> aws.eks.Addon:
    """Install CoreDNS once nodes exist: without nodes it is DEGRADED and fails after 20 minutes."""
    version = versions.COREDNS[args.kubernetes_version]
    return _addon(name, args, "coredns", version, depends_on=nodes)


def metrics_server(name: str, args: AddonArgs, nodes: Sequence[pulumi.Resource]) -> aws.eks.Addon:
    """Install metrics-server, which Envoy's autoscaler reads; EKS Auto Mode does not include it."""
    return _addon(name, args, "metrics-server", versions.METRICS_SERVER, depends_on=nodes)


def _addon(
    name: str,
    args: AddonArgs,
    addon: str,
    version: str,
    *,
    settings: str | None = None,
    identity: aws.eks.AddonPodIdentityAssociationArgs | None = None,
    depends_on: Sequence[pulumi.Resource] = (),
) -> aws.eks.Addon:
    return aws.eks.Addon(
        f"{name}-{addon}",
        addon_name=addon,
        addon_version=version,
        cluster_name=args.cluster_name,
        configuration_values=settings,
        pod_identity_associations=[identity] if identity else None,
        # A new cluster has no such add-on to conflict with; in updates the stack file wins.
        resolve_conflicts_on_create="NONE",
        resolve_conflicts_on_update="OVERWRITE",
        tags=args.tags,
        opts=pulumi.ResourceOptions(parent=args.parent, depends_on=list(depends_on)),
    )
