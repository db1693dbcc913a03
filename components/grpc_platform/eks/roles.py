"""IAM roles for AWS services to assume, with AWS managed policies."""

from __future__ import annotations  # EC2 and EKS load when used: they take a second

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pulumi
import pulumi_aws as aws

from ..names import name_prefix


class ServiceRole(NamedTuple):
    """A role and its policies. Resources that use the role must depend on the policies too.
    Otherwise Pulumi would delete the policies first, and AWS could no longer clean up."""

    role: aws.iam.Role
    policies: list[pulumi.Resource]


def trust_policy(service: str, *, tag_session: bool) -> str:
    """JSON of the trust policy that lets one AWS service assume a role.

    `tag_session` adds `sts:TagSession`, which EKS Pod Identity and EKS Auto Mode need.
    """
    actions = ["sts:AssumeRole", "sts:TagSession"] if tag_session else ["sts:AssumeRole"]
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": actions}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def service_role(
    name: str,
    service: str,
    managed_policies: Sequence[str],
    *,
    parent: pulumi.Resource,
    tags: Mapping[str, str],
    tag_session: bool = False,
) -> ServiceRole:
    """Create a role for `service` (`eks.amazonaws.com`) with AWS's `managed_policies`, by name."""
    child = pulumi.ResourceOptions(parent=parent)
    partition = aws.get_partition_output(opts=pulumi.InvokeOptions(parent=parent)).partition
    role = aws.iam.Role(
        name,
        name_prefix=name_prefix(name),
        assume_role_policy=trust_policy(service, tag_session=tag_session),
        tags=tags,
        opts=child,
    )
    policies: list[pulumi.Resource] = [
        aws.iam.RolePolicyAttachment(
            f"{name}-{policy}",
            role=role.name,
            policy_arn=pulumi.Output.format("arn:{0}:iam::aws:policy/{1}", partition, policy),
            opts=child,
        )
        for policy in managed_policies
    ]
    return ServiceRole(role, policies)
