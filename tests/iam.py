"""Lint every IAM policy of a recorded graph with parliament."""

import importlib
import importlib.resources
import json
import sys
import types
import warnings
from collections.abc import Iterator
from typing import Any
from unittest import mock

from grpc_platform_tools.graph import Graph, Resource
from grpc_platform_tools.plain import is_list, is_mapping


def _load_parliament() -> types.ModuleType:
    """Import parliament without setuptools' pkg_resources, which has been removed.

    It asks pkg_resources only for the path of its own data files.
    """
    stand_in = types.ModuleType("pkg_resources")
    vars(stand_in)["resource_filename"] = _resource_filename
    with warnings.catch_warnings(), mock.patch.dict(sys.modules, pkg_resources=stand_in):
        warnings.simplefilter("ignore")  # its files are left to the garbage collector to close
        return importlib.import_module("parliament")


def _resource_filename(package: str, name: str) -> str:
    return str(importlib.resources.files(package) / name)


_PARLIAMENT: Any = _load_parliament()

# The inputs with policies: those of an identity (its rights), and those of the resource itself (who
# has which rights to it).
_IDENTITY_POLICIES = {
    "aws:iam/policy:Policy",
    "aws:iam/rolePolicy:RolePolicy",
    "aws:iam/userPolicy:UserPolicy",
    "aws:iam/groupPolicy:GroupPolicy",
}
_TRUST_POLICY = "assumeRolePolicy"
_POLICY_KEYS = ("policy", "accessPolicy")


def findings(graph: Graph) -> list[str]:
    """Everything wrong with the policies of `graph`, each with its resource; empty is good.

    Covered are identity policies, roles' inline and trust policies, and resource policies (KMS
    keys, VPC endpoints, ...) of any resource of AWS's provider.
    """
    return [
        f"{resource.name} ({resource.type}): {problem}"
        for resource in graph
        if resource.type.startswith("aws:")
        for problem in _problems(resource)
    ]


def _problems(resource: Resource) -> Iterator[str]:
    inputs = resource.inputs
    for key in _POLICY_KEYS:
        if key in inputs:
            document = json.loads(inputs[key])
            if resource.type in _IDENTITY_POLICIES:
                yield from _lint(document)
            else:
                yield from _resource_policy(document)
    for inline in inputs.get("inlinePolicies", []):
        yield from _lint(json.loads(inline["policy"]))
    if _TRUST_POLICY in inputs:
        yield from _trust_policy(json.loads(inputs[_TRUST_POLICY]))


def _lint(document: Any, ignore: frozenset[str] = frozenset()) -> Iterator[str]:
    for found in _PARLIAMENT.analyze_policy_string(json.dumps(document)).findings:
        if found.issue not in ignore:
            title = _PARLIAMENT.enhance_finding(found).title
            yield f"{found.issue}: {title} {found.detail}".strip()


def _resource_policy(document: Any) -> Iterator[str]:
    """`*` is the resource itself here; only the principals matter."""
    yield from _lint(document, ignore=frozenset({"RESOURCE_STAR"}))
    for statement in _statements(document):
        principal = statement.get("Principal")
        if principal is None:
            yield "a resource's policy must name a principal"
        elif _anyone(principal) and statement["Effect"] == "Allow" and "Condition" not in statement:
            yield "anyone may use this resource: Principal * without a condition"


def _trust_policy(document: Any) -> Iterator[str]:
    """parliament wants a Resource in every statement; a trust policy must not have one."""
    statements = _statements(document)
    if any("Resource" in statement for statement in statements):
        yield "a trust policy takes no Resource"
    actions = {action for s in statements for action in _listed(s["Action"])}
    if outside := sorted(a for a in actions if not a.startswith("sts:") or "*" in a):
        yield f"a trust policy allows sts actions by name, not {', '.join(outside)}"
    yield from _resource_policy(
        {**document, "Statement": [{**s, "Resource": "*"} for s in statements]}
    )


def _anyone(principal: Any) -> bool:
    named = principal.values() if is_mapping(principal) else [principal]
    return any("*" in _listed(each) for each in named)


def _statements(document: Any) -> list[dict[str, Any]]:
    return _listed(document["Statement"])


def _listed(value: Any) -> list[Any]:
    return value if is_list(value) else [value]
