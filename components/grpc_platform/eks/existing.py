"""An existing cluster: a provider for the resources to create in it."""

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
    """The kubeconfig's path, or its content."""
    context: pulumi.Input[str] | None = None
    """A context of the kubeconfig; by default its current one."""
    eks_cluster_name: pulumi.Input[str] | None = None
    """The cluster's name in EKS, so that external-dns gets its role by Pod Identity."""


class ExistingCluster(pulumi.ComponentResource):
    """An existing cluster. The component creates a Kubernetes provider, and nothing in the cluster
    or in AWS.

    The component's name identifies the cluster: changes of the kubeconfig or its context do not
    affect resources in the cluster. Another cluster needs a component with another name.
    """

    name: pulumi.Output[str]
    """The component's name."""
    eks_cluster_name: pulumi.Input[str] | None
    """The cluster's name in EKS, for Pod Identity, if given."""
    provider: k8s.Provider
    """Kubernetes provider of the cluster."""
    policy_enforcement: Sequence[pulumi.Resource] = ()
    """Always empty: the cluster's owner makes sure that NetworkPolicy is enforced."""
    endpoint = kubeconfig = security_group_id = None
    """Always None: this component does not look them up; the cluster's owner has them."""

    def __init__(
        self, name: str, args: ExistingClusterArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        # Release 0.1 had one component type for new and existing clusters.
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
            # Without it the provider would take a kubeconfig with a proxy-url or a new CA for
            # another cluster, and replace everything in it:
            # https://github.com/pulumi/pulumi-kubernetes/issues/4019
            cluster_identifier=name,
            # A field changed by hand has another owner, and an update of it would fail:
            # https://www.pulumi.com/registry/packages/kubernetes/how-to-guides/managing-resources-with-server-side-apply/#handle-field-conflicts-on-existing-resources
            enable_patch_force=True,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.name = pulumi.Output.from_input(name)
        self.eks_cluster_name = args.eks_cluster_name
        self.register_outputs({"name": self.name})


AnyCluster = Cluster | ExistingCluster
"""A cluster, new or existing: either may serve and call."""
