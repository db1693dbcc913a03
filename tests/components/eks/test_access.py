from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from grpc_platform.specs import AccessSpec, ClusterSpec, TeamSpec
from grpc_platform_tools.graph import Graph

Record = Callable[[ClusterSpec], Graph]

ENTRY = "aws:eks/accessEntry:AccessEntry"
ASSOCIATION = "aws:eks/accessPolicyAssociation:AccessPolicyAssociation"


@pytest.fixture
def graph(cluster: Record) -> Graph:
    access = AccessSpec(
        deployer_role="deployer",
        admin_roles=("platform", "sso/eu/admins"),
        teams={
            "payments": TeamSpec(role="payments", namespaces=("payments", "ledger")),
            "audit": TeamSpec(role="auditors", namespaces=("payments",), policy="view"),
        },
    )
    spec = ClusterSpec(access=access, auto_mode=True)
    return cluster(spec)


def granted(graph: Graph, name: str) -> tuple[str, str, dict[str, object]]:
    inputs = graph.only(ASSOCIATION, name).inputs
    role = inputs["principalArn"].removeprefix("arn:aws:iam::000000000000:role/")
    policy = inputs["policyArn"].removeprefix("arn:aws:eks::aws:cluster-access-policy/")
    return role, policy, inputs["accessScope"]


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("main:deployer", "deployer"),
        ("main:platform", "platform"),
        ("main:sso/eu/admins", "sso/eu/admins"),
    ],
)
def test_deployer_and_administrators_act_everywhere(graph: Graph, name: str, role: str) -> None:
    assert granted(graph, name) == (role, "AmazonEKSClusterAdminPolicy", {"type": "cluster"})


def test_teams_act_in_their_namespaces_only(graph: Graph) -> None:
    assert granted(graph, "main:payments") == (
        "payments",
        "AmazonEKSEditPolicy",
        {"type": "namespace", "namespaces": ["payments", "ledger"]},
    )
    assert granted(graph, "main:auditors") == (
        "auditors",
        "AmazonEKSViewPolicy",
        {"type": "namespace", "namespaces": ["payments"]},
    )


@pytest.mark.parametrize("policy", ["view", "edit", "admin"])
def test_every_policy_that_a_team_may_have_is_one_for_namespaces(
    cluster: Record, policy: Any
) -> None:
    """AmazonEKSClusterAdminPolicy would let it in everywhere:
    https://docs.aws.amazon.com/eks/latest/userguide/access-policy-permissions.html"""
    team = TeamSpec(role="payments", namespaces=("payments",), policy=policy)
    access = AccessSpec(deployer_role="deployer", teams={"payments": team})
    _, given, _ = granted(cluster(ClusterSpec(access=access, auto_mode=True)), "main:payments")
    assert given == f"AmazonEKS{policy.title()}Policy"


def test_nobody_else_gets_in(graph: Graph) -> None:
    assert len(graph.of_type(ENTRY)) == len(graph.of_type(ASSOCIATION)) == 5


def test_each_association_waits_for_the_entry_of_its_role(graph: Graph) -> None:
    for association in graph.of_type(ASSOCIATION):
        entry = graph.only(ENTRY, association.name)
        assert entry.inputs["principalArn"] == association.inputs["principalArn"]
        assert entry.urn in graph.needs(association)


def test_a_team_keeps_its_access_when_its_namespaces_change(graph: Graph) -> None:
    # The association's identity is cluster, role and policy, and a new scope replaces it.
    assert graph.only(ASSOCIATION, "main:payments").options["delete_before_replace"] is True


def test_a_role_that_changes_its_part_keeps_its_entry(cluster: Record) -> None:
    def entries(access: AccessSpec) -> set[str]:
        spec = ClusterSpec(access=access, auto_mode=True)
        return {entry.urn for entry in cluster(spec).of_type(ENTRY)}

    before = entries(AccessSpec(deployer_role="a", admin_roles=("b",)))
    assert entries(AccessSpec(deployer_role="b", admin_roles=("a",))) == before


@pytest.mark.parametrize("role", ["arn:aws:iam::000000000000:role/deployer", "a b", "", "/a", "a/"])
def test_roles_are_given_by_name(role: str) -> None:
    with pytest.raises(ValidationError, match="is not the name of an IAM role"):
        AccessSpec(deployer_role=role)


def test_one_role_cannot_have_two_entries() -> None:
    team = TeamSpec(role="deployer", namespaces=("payments",))
    with pytest.raises(ValidationError, match="role deployer is listed twice"):
        AccessSpec(deployer_role="deployer", teams={"payments": team})
