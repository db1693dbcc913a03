"""An existing cluster: a provider for what is to be made in it."""

from __future__ import annotations  # EC2 and EKS load when used: they take a second

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s

from ..options import for_children_too
from .cluster import Cluster


@dataclass(frozen=True, kw_only=True)
class ExistingClusterArgs:
    """How the cluster is reached."""

    kubeconfig: pulumi.Input[str]
    """A path, or the content."""
    context: pulumi.Input[str] | None = None
    """Context of the kubeconfig; its current one when not given."""
    eks_cluster_name: pulumi.Input[str] | None = None
    """The cluster's name in EKS, so that external-dns gets its role by Pod Identity."""


class ExistingCluster(pulumi.ComponentResource):
    """A cluster that this component does not make: it creates a Kubernetes provider, and nothing
    in the cluster or in AWS.

    The component's name stands for the cluster: whatever changes in the kubeconfig or its context,
    what was made in the cluster stays as it is. Another cluster takes a component of another name.
    """

    name: pulumi.Output[str]
    """The component's name."""
    eks_cluster_name: pulumi.Input[str] | None
    """The name in EKS, for Pod Identity, where it is given."""
    provider: k8s.Provider
    """Kubernetes provider of the cluster."""
    policy_enforcement: Sequence[pulumi.Resource] = ()
    """Nothing: whether a NetworkPolicy has effect is for the cluster's owner to see to."""
    endpoint = kubeconfig = security_group_id = None
    """Not known here: the owner of the cluster has them."""

    def __init__(
        self, name: str, args: ExistingClusterArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        # Release 0.1 had one class for both.
        former = pulumi.ResourceOptions(aliases=[pulumi.Alias(type_="grpc-platform:index:Cluster")])
        super().__init__(
            "grpc-platform:index:ExistingCluster",
            name,
            {},
            pulumi.ResourceOptions.merge(for_children_too(opts), former),
        )
        self.provider = k8s.Provider(
            f"{name}-kubernetes",
            kubeconfig=args.kubeconfig,
            context=args.context,
            # Without it a proxy-url or a new CA in the kubeconfig would count as another cluster,
            # and everything in it would be replaced:
            # https://github.com/pulumi/pulumi-kubernetes/issues/4019
            cluster_identifier=name,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.name = pulumi.Output.from_input(name)
        self.eks_cluster_name = args.eks_cluster_name
        self.register_outputs({"name": self.name})


AnyCluster = Cluster | ExistingCluster
"""A cluster, new or existing: either may serve and call."""
