"""One stack with two serving clusters: each has its own resources, and a service moves between
them."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from grpc_platform_tools.graph import Graph, Resource
from grpc_platform_tools.preview.program import run_program
from grpc_platform_tools.preview.stack_file import StackFile

ROOT = Path(__file__).parents[1]
RECORD = "aws:route53/record:Record"
POLICY = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
CLUSTER: dict[str, Any] = {
    "access": {"deployer_role": "deployer"},
    "public_access_cidrs": ["203.0.113.0/24"],
    "auto_mode": True,
}
Config = dict[str, Any]


def recorded(services: Config, callers: Config | None = None) -> Graph:
    """The program's stack of clusters `old` and `new` with these services."""
    config: Config = {
        "environment": "production",
        "network": {"zones": ["eu-west-1a", "eu-west-1b"]},
        "zone": {"name": "grpc.example.com"},
        "clusters": {"old": CLUSTER, "new": CLUSTER},
        "services": services,
        "callers": callers or {"beside": {"cluster": "old"}},
    }
    texts = {f"grpc-platform:{key}": json.dumps(value) for key, value in config.items()}
    texts["aws:region"] = "eu-west-1"
    return run_program(
        ROOT, "two", StackFile(project="grpc-platform", config=texts, secret_keys=())
    )


@pytest.fixture(scope="module")
def both() -> Graph:
    return recorded({"greeter": {"cluster": "old"}, "ticker": {"cluster": "new"}})


def below(graph: Graph, kind: str, name: str) -> list[Resource]:
    """What a component holds, at any depth."""
    within = {graph.only(f"grpc-platform:index:{kind}", name).urn}
    found: list[Resource] = []
    for resource in graph:  # parents come first
        if resource.parent in within:
            within.add(resource.urn)
            found.append(resource)
    return found


def test_each_cluster_is_served_through_its_own_provider_alone(both: Graph) -> None:
    providers = {
        name: next(r.urn for r in below(both, "Cluster", name) if r.type.endswith(":kubernetes"))
        for name in ("old", "new")
    }
    assert len(set(providers.values())) == 2
    for name, provider in providers.items():
        service = {"old": "greeter.old", "new": "ticker.new"}[name]
        mine = [*below(both, "GrpcIngress", name), *below(both, "GrpcService", service)]
        objects = [r for r in mine if r.type.startswith("kubernetes:")]
        assert {r.provider for r in objects} == {provider}
        assert {"Deployment", "Ingress"} <= {r.inputs["kind"] for r in objects}
        other = providers["new" if name == "old" else "old"]
        assert not any(other in both.needs(r) for r in mine), "nothing waits for the other"


def test_each_cluster_has_an_identity_and_a_name_of_its_own(both: Graph) -> None:
    seen: dict[str, set[str]] = {"owner": set(), "name": set(), "policy": set(), "trust": set()}
    for name in ("old", "new"):
        (publisher,) = [
            r
            for r in below(both, "GrpcIngress", name)
            if r.inputs.get("kind") == "Deployment" and "external-dns" in r.name
        ]
        (container,) = publisher.inputs["spec"]["template"]["spec"]["containers"]
        flags = dict(a.split("=", 1) for a in container["args"] if "=" in a)
        assert flags["--txt-owner-id"] == f"grpc-platform/eu-west-1/{name}"
        assert flags["--domain-filter"] == f"{name}.grpc.example.com"
        seen["owner"].add(flags["--txt-owner-id"])
        seen["name"].add(flags["--domain-filter"])
        mine = {r.type: r for r in below(both, "ExternalDns", f"{name}-external-dns")}
        policy = mine["aws:iam/rolePolicy:RolePolicy"].inputs
        role = mine["aws:iam/role:Role"].inputs
        identity = mine["aws:eks/podIdentityAssociation:PodIdentityAssociation"].inputs
        assert identity["clusterName"] == name
        names = f'"{name}.grpc.example.com", "_external-dns-a.{name}.grpc.example.com"'
        assert names in policy["policy"]
        assert f'"aws:RequestTag/eks-cluster-name": "{name}"' in role["assumeRolePolicy"]
        seen["policy"].add(policy["policy"])
        seen["trust"].add(role["assumeRolePolicy"])
    assert {len(values) for values in seen.values()} == {2}


def test_callers_of_every_place_reach_every_cluster_and_nobody_else_does() -> None:
    """Pods of this stack, a machine of this VPC, a peered VPC, and one of another account."""
    graph = recorded(
        {},
        {
            "pods": {"cluster": "old"},
            "beside": {"security_group_id": "sg-beside", "cidr": "10.0.64.0/20"},
            "peered": {"cidr": "10.30.0.0/16", "vpc_id": "vpc-peered"},
            "partner": {
                "cidr": "10.40.0.0/16",
                "security_group_id": "sg-partner",
                "vpc_id": "vpc-partner",
                "account_id": "210987654321",
            },
        },
    )
    groups = {
        name: graph.only("grpc-platform:index:Cluster", name).outputs["security_group_id"]
        for name in ("old", "new")
    }
    assert groups["old"] != groups["new"]
    outside = {"sg-beside", "10.30.0.0/16", "210987654321/sg-partner"}
    private = graph.only("grpc-platform:index:Network").outputs["private_cidrs"]
    everywhere = {"10.0.64.0/20", "10.30.0.0/16", "10.40.0.0/16"}
    for name, sources, blocks in (
        ("old", outside, everywhere),  # its own pods need no rule, and are no block
        ("new", {*outside, groups["old"]}, {*everywhere, *private}),
    ):
        rules = [
            (rule["fromPort"], rule.get("referencedSecurityGroupId") or rule["cidrIpv4"])
            for rule in (r.inputs for r in graph if r.type.endswith("SecurityGroupIngressRule"))
            if rule["securityGroupId"] == groups[name] and rule["fromPort"] != 443
        ]
        assert sorted(rules) == sorted((p, s) for p in (8080, 8443) for s in sources)
        dialled = graph.only(POLICY, f"{name}-callers").inputs["spec"]["ingress"][0]["from"]
        assert {peer["ipBlock"]["cidr"] for peer in dialled if "ipBlock" in peer} == blocks
        assert [p for p in dialled if "ipBlock" not in p] == (
            [{"namespaceSelector": {}}] if name == "old" else []
        )
    associated = [r.inputs["vpcId"] for r in graph if r.type.endswith(":ZoneAssociation")]
    authorised = [r.inputs["vpcId"] for r in graph if r.type.endswith("AssociationAuthorization")]
    assert (associated, authorised) == (["vpc-peered"], ["vpc-partner"])


# --- a service that moves: docs/moving.md ---------------------------------------------------------

STEPS: list[Config] = [
    {"cluster": "old"},
    {"weights": {"old": 100, "new": 0}},
    {"weights": {"old": 50, "new": 50}},
    {"weights": {"old": 0, "new": 100}},
    {"cluster": "new"},
]


@pytest.fixture(scope="module")
def steps() -> list[Graph]:
    """The stack after each step of a move."""
    return [recorded({"greeter": step}) for step in STEPS]


def bundles(graph: Graph) -> dict[str, Resource]:
    return {r.urn: r for r in graph if "GrpcService" in r.urn and not r.is_component}


def test_a_move_is_two_records_of_one_name_whose_weights_follow_the_steps(
    steps: list[Graph],
) -> None:
    weights = [
        {
            record.inputs["setIdentifier"]: record.inputs["weightedRoutingPolicies"][0]["weight"]
            for record in graph.of_type(RECORD)
            if record.inputs["name"] == "greeter.grpc.example.com"
        }
        for graph in steps
    ]
    assert weights == [
        {"old": 100},
        {"old": 100, "new": 0},
        {"old": 50, "new": 50},
        {"old": 0, "new": 100},
        {"new": 100},
    ]


def test_no_step_of_a_move_changes_more_than_weights_but_for_what_comes_and_goes_whole(
    steps: list[Graph],
) -> None:
    """So that no update can replace a Service, an Ingress or a record that stays."""
    for before, after in pairwise(steps):
        old, new = bundles(before), bundles(after)
        for urn in old.keys() & new.keys():
            was, is_ = dict(old[urn].inputs), dict(new[urn].inputs)
            if old[urn].type == RECORD:
                assert was.pop("weightedRoutingPolicies")
                assert is_.pop("weightedRoutingPolicies")
            assert (was, old[urn].provider) == (is_, new[urn].provider), urn
    kept = [len(bundles(graph)) for graph in steps]
    assert kept == [3, 6, 6, 6, 3]
    assert bundles(steps[0]).keys() < bundles(steps[1]).keys()
    assert bundles(steps[4]).keys() < bundles(steps[3]).keys()


def test_each_record_comes_after_the_ingress_and_the_envoys_it_leads_to(steps: list[Graph]) -> None:
    graph = steps[1]
    for cluster in ("old", "new"):
        needed = graph.needs(graph.only(RECORD, f"greeter.{cluster}-cname"))
        names = {graph.by_urn(urn).name for urn in needed}
        assert {f"greeter.{cluster}-ingress", f"{cluster}-envoy"} <= names
        assert f"{cluster}-external-dns-deployment" in names


def test_a_bundle_of_the_first_release_is_known_by_its_alias_while_it_has_one_cluster(
    steps: list[Graph],
) -> None:
    def claims(graph: Graph, urn: str) -> bool:
        return urn.replace("::greeter.old", "::greeter") in graph.by_urn(urn).aliases

    assert all(claims(steps[0], urn) for urn in bundles(steps[0]))
    # With two bundles, neither may have the alias.
    assert not any(claims(steps[1], urn) for urn in bundles(steps[1]))


def test_clients_are_told_the_same_at_every_step(steps: list[Graph]) -> None:
    assert len({json.dumps(graph.exports["services"]) for graph in steps}) == 1
