"""IAM, security groups and keys."""

import json
from collections.abc import Iterator
from typing import Any

from grpc_platform_tools.graph import Graph, Resource
from grpc_platform_tools.plain import is_list, is_mapping
from grpc_platform_tools.policy.rule import Finding, rule
from grpc_platform_tools.policy.values import at, each, is_true

_POLICIES = (
    "aws:iam/policy:Policy",
    "aws:iam/rolePolicy:RolePolicy",
    "aws:iam/userPolicy:UserPolicy",
    "aws:iam/groupPolicy:GroupPolicy",
)
_ATTACHMENTS = (
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
    "aws:iam/userPolicyAttachment:UserPolicyAttachment",
    "aws:iam/groupPolicyAttachment:GroupPolicyAttachment",
)
_BROAD = ("AdministratorAccess", "PowerUserAccess", "IAMFullAccess")
_READS = ("Describe", "Get", "List")
_ANYWHERE = ("0.0.0.0/0", "::/0")


@rule(
    *_POLICIES,
    reason="A wildcard grants every action of a service, also those that AWS adds later.",
    remedy="Name the actions.",
)
def iam_actions_named(policy: Resource, graph: Graph) -> Iterator[Finding]:
    """No statement allows every action of a service."""
    for statement in _allowed(policy, "policy"):
        for action in _listed(statement, "Action"):
            if action == "*" or action.endswith(":*"):
                yield Finding(f"allows {action}")
        if "NotAction" in statement:
            yield Finding("allows all but some actions (NotAction)")


@rule(
    *_POLICIES,
    reason="A statement that changes things holds for every resource of the account.",
    remedy="Name the resources, or add a condition.",
)
def iam_resources_named(policy: Resource, graph: Graph) -> Iterator[Finding]:
    """No statement that changes something holds for every resource without a condition."""
    for statement in _allowed(policy, "policy"):
        if "*" not in _listed(statement, "Resource") or statement.get("Condition"):
            continue
        writes = [
            action
            for action in _listed(statement, "Action")
            if not action.rpartition(":")[2].startswith(_READS)
        ]
        if writes:
            yield Finding(f"allows {', '.join(writes[:3])} on every resource")


@rule(
    "aws:iam/role:Role",
    reason="Anyone, or anyone whom an identity provider knows, may become the role.",
    remedy="Name the principal, and condition a federated one on its subject.",
)
def iam_trust_named(role: Resource, graph: Graph) -> Iterator[Finding]:
    """Every principal that may take a role is named."""
    for statement in _allowed(role, "assumeRolePolicy"):
        principal = statement.get("Principal")
        named = principal if is_mapping(principal) else {"AWS": principal}
        if "*" in _listed(named, "AWS") and not statement.get("Condition"):
            yield Finding("anyone may assume it")
        if "Federated" in named and not statement.get("Condition"):
            yield Finding("anyone whom the identity provider knows may assume it")


@rule(
    *_ATTACHMENTS,
    reason="The policy allows nearly everything in the account.",
    remedy="Attach a policy with what is used.",
)
def iam_not_administrator(attachment: Resource, graph: Graph) -> Iterator[Finding]:
    """No role, user or group is an administrator of the account."""
    policy = str(at(attachment.inputs, "policyArn")).rpartition("/")[2]
    if policy in _BROAD:
        yield Finding(f"attaches {policy}")


@rule(
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
    "aws:ec2/securityGroup:SecurityGroup",
    "aws:ec2/securityGroupRule:SecurityGroupRule",
    reason="Every address of the internet may connect, as far as routes go.",
    remedy="Name the networks or security groups that connect.",
)
def ingress_from_named_networks(group: Resource, graph: Graph) -> Iterator[Finding]:
    """No security group lets every address in."""
    for key in ("cidrIpv4", "cidrIpv6"):
        if (cidr := at(group.inputs, key)) in _ANYWHERE:
            yield Finding(f"lets {cidr} in")
    sections: list[Any] = list(each(group.inputs, "ingress"))
    if at(group.inputs, "type") == "ingress":
        sections.append(group.inputs)
    for section in sections:
        for key in ("cidrBlocks", "ipv6CidrBlocks"):
            for cidr in each(section, key):
                if cidr in _ANYWHERE:
                    yield Finding(f"lets {cidr} in")


@rule(
    "aws:kms/key:Key",
    reason="A key that leaked once opens everything that was ever encrypted with it.",
    remedy="Set enable_key_rotation.",
    development="warning",
)
def key_rotated(key: Resource, graph: Graph) -> Iterator[Finding]:
    """Symmetric keys are rotated."""
    spec = at(key.inputs, "customerMasterKeySpec")
    if spec in (None, "SYMMETRIC_DEFAULT") and not is_true(at(key.inputs, "enableKeyRotation")):
        yield Finding("is never rotated")


def _allowed(resource: Resource, key: str) -> Iterator[dict[str, Any]]:
    """The statements of a policy document that allow something; none if it is not one."""
    document = at(resource.inputs, key)
    if isinstance(document, str):
        try:
            document = json.loads(document)
        except (ValueError, RecursionError):
            return
    statements = at(document, "Statement")
    for statement in statements if is_list(statements) else [statements]:
        if is_mapping(statement) and statement.get("Effect") == "Allow":
            yield statement


def _listed(value: dict[str, Any], key: str) -> list[str]:
    """One text or several."""
    found = value.get(key)
    return [str(each) for each in found] if is_list(found) else [str(found or "")]
