"""The IAM policies of a stack's deployer and previewer, from what its program registers."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from grpc_platform_tools.errors import UserError
from grpc_platform_tools.graph import Graph
from grpc_platform_tools.plain import is_list
from grpc_platform_tools.rights.calls import CALLS, LOOKUPS

_AWS = "aws:"
_RECORD, _ZONE = "aws:route53/record:Record", "aws:route53/zone:Zone"
_ROLE = "aws:iam/role:Role"
_OF_CLUSTERS = ("cluster", "nodegroup", "addon", "access-entry", "podidentityassociation")
_LINKED_SERVICES = ["eks-nodegroup.amazonaws.com", "eks.amazonaws.com"]
_UNLIMITED = {"route53:CreateHostedZone", "route53:ListHostedZones", "route53:ListHostedZonesByVPC"}
"""IAM cannot limit these to resources, and they belong to no region."""


def iam_policy(graph: Graph, region: str | None, *, write: bool) -> dict[str, Any] | None:
    """What `pulumi up` and `destroy` of a stack may do at AWS, or without `write`, `preview` and
    `refresh`; None for a stack that has nothing there.

    Actions at IAM, EKS and Route53 are limited to the stack's roles, clusters and zones by name,
    all others to its `region`, if it names one. Raises UserError for a type whose calls are not
    known.
    """
    types = {r.type for r in graph if r.type.startswith(_AWS) and not r.is_component}
    if unknown := sorted(types - CALLS.keys()):
        raise UserError(*(f"{each}: its calls at AWS are not known here" for each in unknown))
    if not types:
        return None
    calls = [CALLS[each] for each in types]
    actions = {a for each in calls for a in each.read.split()} | set(LOOKUPS.split())
    if write:
        actions |= {action for each in calls for action in each.write.split()}
    return {"Version": "2012-10-17", "Statement": list(_statements(graph, region, actions))}


def _statements(graph: Graph, region: str | None, actions: set[str]) -> Iterator[dict[str, Any]]:
    left = set(actions)
    partition = "arn:aws-us-gov" if (region or "").startswith("us-gov-") else "arn:aws"

    def allow(
        sid: str, taken: Iterable[str], resources: list[str], **condition: Any
    ) -> Iterator[dict[str, Any]]:
        found = sorted(left & set(taken))
        left.difference_update(found)
        if found:
            arns = [f"{partition}:{each}" if each != "*" else each for each in resources]
            statement = {"Sid": sid, "Effect": "Allow", "Action": found, "Resource": arns}
            yield {**statement, "Condition": condition} if condition else statement

    def of(service: str) -> set[str]:
        return {action for action in left if action.startswith(f"{service}:")}

    roles = _roles(graph)
    services = {"iam:PassedToService": sorted({*_trusted_services(graph), "eks.amazonaws.com"})}
    yield from allow("PassRoles", ["iam:PassRole"], roles, StringEquals=services)
    yield from allow(
        "LinkServiceRoles",
        ["iam:CreateServiceLinkedRole"],
        ["iam::*:role/aws-service-role/*"],
        StringEquals={"iam:AWSServiceName": _LINKED_SERVICES},
    )
    yield from allow(
        "AttachPolicies",
        ["iam:AttachRolePolicy", "iam:DetachRolePolicy"],
        roles,
        ArnEquals={"iam:PolicyARN": _attached_policies(graph)},
    )
    yield from allow("Roles", of("iam"), roles)
    clusters = [
        f"eks:{region or '*'}:*:{kind}/{name}" + ("" if kind == "cluster" else "/*")
        for name in _clusters(graph)
        for kind in _OF_CLUSTERS
    ]
    yield from allow("Clusters", of("eks") - {"eks:CreateCluster"}, clusters)
    yield from allow("Changes", ["route53:GetChange"], ["route53:::change/*"])
    yield from allow("AllZones", _UNLIMITED, ["*"])
    yield from allow("Zones", of("route53"), _zones(graph))
    here = {"StringEquals": {"aws:RequestedRegion": region}} if region else {}
    yield from allow("Region", set(left), ["*"], **here)


def _roles(graph: Graph) -> list[str]:
    """Their names or prefixes; a role that is given neither gets its resource's name as prefix."""
    found = {
        f"iam::*:role{r.inputs.get('path', '/')}"
        + str(r.inputs.get("name") or f"{r.inputs.get('namePrefix', f'{r.name}-')}*")
        for r in graph.of_type(_ROLE)
    }
    return sorted(found) or ["iam::*:role/*"]


def _trusted_services(graph: Graph) -> Iterator[str]:
    for role in graph.of_type(_ROLE):
        for statement in json.loads(role.inputs["assumeRolePolicy"])["Statement"]:
            service = statement.get("Principal", {}).get("Service", [])
            yield from service if is_list(service) else [service]


def _attached_policies(graph: Graph) -> list[str]:
    attachments = graph.of_type("aws:iam/rolePolicyAttachment:RolePolicyAttachment")
    return sorted({str(each.inputs["policyArn"]) for each in attachments})


def _clusters(graph: Graph) -> list[str]:
    made = {str(r.inputs["name"]) for r in graph.of_type("aws:eks/cluster:Cluster")}
    named = {
        str(r.inputs["clusterName"])
        for r in graph
        if r.type.startswith("aws:eks/") and "clusterName" in r.inputs
    }
    return sorted(made | named)


def _zones(graph: Graph) -> list[str]:
    """The zones with records here; all, if one of them is yet to be made and so has no id."""
    made = graph.of_type(_ZONE)
    ids = {str(record.inputs["zoneId"]) for record in graph.of_type(_RECORD)} or {"*"}
    wanted = {"*"} if made else ids
    return sorted(f"route53:::hostedzone/{each}" for each in wanted)
