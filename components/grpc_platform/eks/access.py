"""EKS access entries, which decide who may use a cluster's Kubernetes API."""

from __future__ import annotations  # EC2 and EKS load when used: they take a second

from collections.abc import Mapping

import pulumi
import pulumi_aws as aws

from ..specs import AccessSpec

# https://docs.aws.amazon.com/eks/latest/userguide/access-policy-permissions.html
_CLUSTER_ADMIN = "AmazonEKSClusterAdminPolicy"
_TEAM_POLICIES = {
    "view": "AmazonEKSViewPolicy",
    "edit": "AmazonEKSEditPolicy",
    "admin": "AmazonEKSAdminPolicy",
}


def grant_access(
    name: str,
    spec: AccessSpec,
    *,
    role_arns: Mapping[str, pulumi.Input[str]],
    cluster_name: pulumi.Input[str],
    parent: pulumi.Resource,
    tags: Mapping[str, str],
) -> aws.eks.AccessPolicyAssociation:
    """Give the roles of `spec` access: the deployer and administrators everywhere, teams in their
    namespaces. A role that is not in `role_arns` belongs to this account.

    Returns the deployer's policy association: until it exists, the new cluster refuses `pulumi up`.
    """
    lookup = pulumi.InvokeOptions(parent=parent)
    partition = aws.get_partition_output(opts=lookup).partition
    account = aws.get_caller_identity_output(opts=lookup).account_id

    def let_in(
        role: str, policy: str, namespaces: tuple[str, ...] = ()
    ) -> aws.eks.AccessPolicyAssociation:
        # Named after the role, because EKS accepts one entry per role. Names of clusters and roles
        # contain no colon, so prod's blue-admins differs from prod-blue's admins. Release 0.1 used
        # a dash.
        named = pulumi.ResourceOptions(parent=parent, aliases=[pulumi.Alias(name=f"{name}-{role}")])
        entry = aws.eks.AccessEntry(
            f"{name}:{role}",
            cluster_name=cluster_name,
            principal_arn=role_arns.get(role)
            or pulumi.Output.format("arn:{0}:iam::{1}:role/{2}", partition, account, role),
            tags=tags,
            opts=named,
        )
        return aws.eks.AccessPolicyAssociation(
            f"{name}:{role}",
            cluster_name=cluster_name,
            # The entry's output, so that the association waits for the entry.
            principal_arn=entry.principal_arn,
            policy_arn=pulumi.Output.format(
                "arn:{0}:eks::aws:cluster-access-policy/{1}", partition, policy
            ),
            access_scope=aws.eks.AccessPolicyAssociationAccessScopeArgs(
                type="namespace" if namespaces else "cluster", namespaces=namespaces or None
            ),
            opts=pulumi.ResourceOptions.merge(
                named,
                # With other namespaces the new association has the same identity as the old one, so
                # deleting the old one last would delete the new one.
                pulumi.ResourceOptions(delete_before_replace=bool(namespaces)),
            ),
        )

    for role in spec.admin_roles:
        let_in(role, _CLUSTER_ADMIN)
    for member in spec.teams.values():
        let_in(member.role, _TEAM_POLICIES[member.policy], member.namespaces)
    return let_in(spec.deployer_role, _CLUSTER_ADMIN)
