"""The linter itself: it passes sound policies and names each kind of fault."""

import json

import pytest

from grpc_platform_tools.graph import Graph, Resource
from tests.iam import findings

KEY = "arn:aws:kms:eu-west-1:000000000000:key/0"


def policy_of(type_token: str, key: str, **statement: object) -> Graph:
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]}
    inputs = {key: json.dumps(document)}
    return Graph((Resource(urn="u", type=type_token, name="subject", inputs=inputs),))


@pytest.mark.parametrize(
    "graph",
    [
        policy_of("aws:iam/policy:Policy", "policy", Action="kms:Decrypt", Resource=KEY),
        policy_of(
            "aws:iam/role:Role",
            "assumeRolePolicy",
            Action=["sts:AssumeRole", "sts:TagSession"],
            Principal={"Service": "pods.eks.amazonaws.com"},
        ),
        policy_of(
            "aws:kms/key:Key",
            "policy",
            Action="kms:*",
            Principal={"AWS": "arn:aws:iam::000000000000:root"},
            Resource="*",
        ),
    ],
)
def test_sound_policies_have_no_findings(graph: Graph) -> None:
    assert findings(graph) == []


@pytest.mark.parametrize(
    ("graph", "problem"),
    [
        (
            policy_of(
                "aws:iam/rolePolicy:RolePolicy", "policy", Action="kms:Decrypt", Resource="*"
            ),
            "RESOURCE_STAR",
        ),
        (
            policy_of("aws:iam/policy:Policy", "policy", Action="kms:Dekrypt", Resource=KEY),
            "UNKNOWN_ACTION",
        ),
        (
            policy_of(
                "aws:iam/policy:Policy",
                "policy",
                Action="kms:Decrypt",
                Resource="arn:aws:s3:::bucket/*",
            ),
            "RESOURCE_MISMATCH",
        ),
        (
            policy_of("aws:kms/key:Key", "policy", Action="kms:*", Principal="*", Resource="*"),
            "anyone may use",
        ),
        (
            policy_of("aws:kms/key:Key", "policy", Action="kms:*", Resource="*"),
            "must name a principal",
        ),
        (
            policy_of(
                "aws:iam/role:Role",
                "assumeRolePolicy",
                Action="sts:AssumeRole",
                Principal={"AWS": "*"},
            ),
            "anyone may use",
        ),
        (
            policy_of(
                "aws:iam/role:Role",
                "assumeRolePolicy",
                Action="sts:*",
                Principal={"Service": "ec2.amazonaws.com"},
            ),
            "sts actions by name",
        ),
    ],
)
def test_each_kind_of_fault_is_named_with_its_resource(graph: Graph, problem: str) -> None:
    assert any(f.startswith("subject (aws:") and problem in f for f in findings(graph))
