"""external-dns's role in AWS, by EKS Pod Identity."""

from __future__ import annotations  # EC2 and EKS load when used: they take a second

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
import pulumi_aws as aws

from ..conventions import EXTERNAL_DNS, EXTERNAL_DNS_NAMESPACE
from ..names import name_prefix
from .zone import change_records


def record_policy(
    zone_arn: pulumi.Input[str], names: pulumi.Input[Sequence[str]]
) -> pulumi.Output[str]:
    """IAM policy: read the zone, write the A and TXT records of these names, delete nothing."""
    only = {
        "NormalizedRecordNames": names,
        "RecordTypes": ["A", "TXT"],
        "Actions": ["CREATE", "UPSERT"],
    }
    write = change_records(zone_arn, only)
    read = {"Effect": "Allow", "Action": "route53:ListResourceRecordSets", "Resource": zone_arn}
    # IAM cannot limit this action to resources.
    find = {"Effect": "Allow", "Action": "route53:ListHostedZones", "Resource": "*"}
    return pulumi.Output.json_dumps({"Version": "2012-10-17", "Statement": [write, read, find]})


def trust_policy(cluster_name: pulumi.Input[str]) -> pulumi.Output[str]:
    """Trust policy: only external-dns's own service account, in this cluster, by Pod Identity.

    The tags are those EKS sets on each session:
    https://docs.aws.amazon.com/eks/latest/userguide/pod-id-abac.html
    """
    statement: dict[str, Any] = {
        "Effect": "Allow",
        "Principal": {"Service": "pods.eks.amazonaws.com"},
        "Action": ["sts:AssumeRole", "sts:TagSession"],
        "Condition": {
            "StringEquals": {
                "aws:RequestTag/eks-cluster-name": cluster_name,
                "aws:RequestTag/kubernetes-namespace": EXTERNAL_DNS_NAMESPACE,
                "aws:RequestTag/kubernetes-service-account": EXTERNAL_DNS,
            }
        },
    }
    return pulumi.Output.json_dumps({"Version": "2012-10-17", "Statement": [statement]})


def pod_identity(
    name: str,
    cluster_name: pulumi.Input[str],
    zone_arn: pulumi.Input[str],
    names: pulumi.Input[Sequence[str]],
    *,
    tags: Mapping[str, str],
    child: pulumi.ResourceOptions,
) -> aws.eks.PodIdentityAssociation:
    """The role that may write the records of these names, its policy, and the association that
    gives it to external-dns's pods."""
    role = aws.iam.Role(
        f"{name}-role",
        name_prefix=name_prefix(name),
        assume_role_policy=trust_policy(cluster_name),
        tags=tags,
        opts=child,
    )
    policy = aws.iam.RolePolicy(
        f"{name}-policy",
        role=role.name,
        policy=record_policy(zone_arn, names),
        opts=child,
    )
    return aws.eks.PodIdentityAssociation(
        f"{name}-identity",
        cluster_name=cluster_name,
        namespace=EXTERNAL_DNS_NAMESPACE,
        service_account=EXTERNAL_DNS,
        role_arn=role.arn,
        tags=tags,
        opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=[policy])),
    )
