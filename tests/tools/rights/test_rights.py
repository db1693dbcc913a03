"""The rights of a stack's roles: known for every resource, valid, and no wider than said."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from grpc_platform_tools.cli import app
from grpc_platform_tools.graph import STACK_TYPE, Graph, Resource
from grpc_platform_tools.preview.program import run_program
from grpc_platform_tools.preview.stack_file import read_stack_file
from grpc_platform_tools.rights.calls import CALLS
from grpc_platform_tools.rights.command import rights
from grpc_platform_tools.rights.iam import iam_policy
from tests.iam import findings
from tests.tree import ROOT, committed_stacks

STACKS = committed_stacks()
_INLINE = 10_240
"""https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""


@cache
def files(stack: str) -> dict[str, str]:
    directory, name = STACKS[stack]
    graph = run_program(directory, name, read_stack_file(directory, name))
    return rights(graph, stack.replace("/", "-"), "eu-west-1")


def actions(policy: dict[str, Any]) -> set[str]:
    return {action for statement in policy["Statement"] for action in statement["Action"]}


def policy(stack: str, role: str) -> dict[str, Any]:
    return json.loads(files(stack)[f"{role}-iam.json"])


def rules(text: str) -> list[dict[str, Any]]:
    return [rule for each in yaml.safe_load_all(text) for rule in each.get("rules", ())]


def test_the_calls_of_every_type_are_known_that_a_component_makes() -> None:
    sources = (path.read_text() for path in (ROOT / "components").rglob("*.py"))
    made = {
        f"aws:{module}/{kind[0].lower()}{kind[1:]}:{kind}"
        for source in sources
        for module, kind in re.findall(r"\baws\.(\w+)\.([A-Z]\w+)\(", source)
        if not kind.endswith("Args")
    }
    assert made
    assert made == set(CALLS)


@pytest.mark.parametrize("stack", STACKS)
def test_every_policy_is_valid_and_short_enough(stack: str) -> None:
    for name, text in files(stack).items():
        if not name.endswith("-iam.json"):
            continue
        assert len("".join(text.split())) <= _INLINE
        inputs = {"policy": text}
        graph = Graph((Resource(urn="u", type="aws:iam/policy:Policy", name=name, inputs=inputs),))
        found = [
            line
            for line in findings(graph)
            # Limited to the region; the linter knows no such condition.
            if "RESOURCE_STAR" not in line
            # Only for tags of health checks.
            and "route53:ChangeTagsForResource" not in line
        ]
        assert found == []


@pytest.mark.parametrize("stack", STACKS)
def test_a_previewer_only_reads(stack: str) -> None:
    for name, text in files(stack).items():
        if not name.startswith("previewer"):
            continue
        if name.endswith(".json"):
            verbs = {action.partition(":")[2] for action in actions(json.loads(text))}
            assert all(verb.startswith(("Describe", "Get", "List")) for verb in verbs)
        else:
            assert {verb for rule in rules(text) for verb in rule["verbs"]} <= {"get", "list"}


@pytest.mark.parametrize("stack", STACKS)
def test_no_kubernetes_role_has_a_wildcard_or_secrets(stack: str) -> None:
    for name, text in files(stack).items():
        for rule in rules(text) if name.endswith(".yaml") else ():
            words = {*rule["apiGroups"], *rule["resources"], *rule["verbs"]}
            assert not words & {"*", "secrets"}, name
            if {"bind", "escalate"} & set(rule["verbs"]):
                assert rule["resourceNames"], "only what the stack makes itself"


def test_a_deployers_rights_end_at_its_clusters_roles_and_region() -> None:
    for statement in policy("grpc-platform/prod", "deployer")["Statement"]:
        services = {action.partition(":")[0] for action in statement["Action"]}
        if services <= {"iam", "eks"} and "eks:CreateCluster" not in statement["Action"]:
            assert all(
                re.search(r"[:/](serving|calling|network|aws-service-role)\b", arn)
                for arn in statement["Resource"]
            ), statement
        elif "*" in statement["Resource"] and services != {"route53"}:
            assert statement["Condition"] == {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}
    passed = next(
        s
        for s in policy("grpc-platform/prod", "deployer")["Statement"]
        if s["Action"] == ["iam:PassRole"]
    )
    assert passed["Condition"]["StringEquals"]["iam:PassedToService"] == [
        "ec2.amazonaws.com",
        "eks.amazonaws.com",
        "pods.eks.amazonaws.com",
        "vpc-flow-logs.amazonaws.com",
    ]


def test_records_in_a_zone_of_others_are_written_in_that_zone_only() -> None:
    record = {"zoneId": "Z0123", "name": "a.example.com", "type": "CNAME"}
    token = "aws:route53/record:Record"
    graph = Graph((Resource(urn="r", type=token, name="r", inputs=record),))
    found = iam_policy(graph, "eu-west-1", write=True)
    assert found
    zones = next(s for s in found["Statement"] if s["Sid"] == "Zones")
    assert zones["Resource"] == ["arn:aws:route53:::hostedzone/Z0123"]


def test_a_role_named_by_the_engine_is_limited_to_the_names_that_it_gives() -> None:
    trust = json.dumps({"Statement": [{"Principal": {"Service": "ec2.amazonaws.com"}}]})
    token = "aws:iam/role:Role"
    graph = Graph(
        tuple(
            Resource(urn=name, type=token, name=name, inputs={"assumeRolePolicy": trust, **inputs})
            for name, inputs in {
                "auto": {},
                "given": {"name": "own", "path": "/team/"},
                "prefixed": {"namePrefix": "web-"},
            }.items()
        )
    )
    found = iam_policy(graph, "eu-west-1", write=False)
    assert found
    roles = next(s for s in found["Statement"] if s["Sid"] == "Roles")
    assert roles["Resource"] == [
        "arn:aws:iam::*:role/auto-*",
        "arn:aws:iam::*:role/team/own",
        "arn:aws:iam::*:role/web-*",
    ]


@pytest.mark.parametrize(
    ("region", "arn"),
    [
        ("us-gov-west-1", "arn:aws-us-gov:eks:us-gov-west-1:*:cluster/shop"),
        (None, "arn:aws:eks:*:*:cluster/shop"),
    ],
)
def test_a_policy_is_of_the_stacks_partition_and_region(region: str | None, arn: str) -> None:
    cluster = {"name": "shop"}
    token = "aws:eks/cluster:Cluster"
    graph = Graph((Resource(urn="c", type=token, name="c", inputs=cluster),))
    found = iam_policy(graph, region, write=True)
    assert found
    statements = {each["Sid"]: each for each in found["Statement"]}
    assert arn in statements["Clusters"]["Resource"]
    assert statements["Region"].get("Condition") == (
        {"StringEquals": {"aws:RequestedRegion": region}} if region else None
    )


def test_nothing_at_aws_needs_no_policy() -> None:
    stack = Resource(urn="s", type=STACK_TYPE, name="s", options={"component": True})
    assert rights(Graph((stack,)), "s", None) == {}


PROGRAM = """
import pulumi
pulumi.CustomResource("aws:sqs/queue:Queue", "jobs", {})
"""


def test_a_type_whose_calls_are_not_known_is_named_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: jobs\nruntime: python\n")
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {}\n")
    (tmp_path / "__main__.py").write_text(PROGRAM)
    result = CliRunner().invoke(app, ["rights", "dev", "--program", str(tmp_path)])
    assert result.exit_code == 2
    assert result.stderr == "aws:sqs/queue:Queue: its calls at AWS are not known here\n"


def test_the_files_are_named_as_they_are_written(tmp_path: Path) -> None:
    arguments = ["rights", "local", "--program", str(ROOT), "--output", str(tmp_path)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0
    named = {Path(line.removeprefix("Wrote ")).name for line in result.stdout.splitlines()}
    assert named == {path.name for path in tmp_path.iterdir()}
    assert named == {
        f"{role}-{rest}"
        for role in ("deployer", "previewer")
        for rest in ("iam.json", "local-kubernetes.yaml")
    }
