"""What a destroy leaves: prepared graphs, and this repository's stacks."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from grpc_platform_tools.cli import app
from grpc_platform_tools.graph import STACK_TYPE, Graph, Resource
from grpc_platform_tools.teardown import command
from grpc_platform_tools.teardown.command import Teardown, teardown
from testbed.program import preview
from tests.tree import ROOT

ARGS = ["--source=service", "--provider=aws", "--policy=upsert-only", "--registry=txt"]
PREFIX = "--txt-prefix=_external-dns-%{record_type}."
EKS, ZONE = "aws:eks/cluster:Cluster", "aws:route53/zone:Zone"
DEPLOYMENT, SERVICE = "kubernetes:apps/v1:Deployment", "kubernetes:core/v1:Service"
CRD = "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition"


def made(type_token: str, name: str, inputs: Any = None, **fields: Any) -> Resource:
    return Resource(
        urn=f"urn:{name}", type=type_token, name=name, inputs=dict(inputs or {}), **fields
    )


def kubernetes(type_token: str, name: str, **inputs: Any) -> Resource:
    kind = type_token.rpartition(":")[2]
    metadata = {"name": name, **inputs.pop("metadata", {})}
    options = inputs.pop("options", {})
    body = {"apiVersion": "v1", "kind": kind, "metadata": metadata, **inputs}
    return made(type_token, name, body, provider="urn:provider", options=options)


def provider(*made_of: str) -> Resource:
    return made(
        "pulumi:providers:kubernetes", "provider", property_dependencies={"kubeconfig": made_of}
    )


def external_dns(*arguments: str) -> Resource:
    spec = {"template": {"spec": {"containers": [{"name": "x", "args": [*arguments]}]}}}
    return kubernetes(DEPLOYMENT, "dns", spec=spec)


def published(hostname: str) -> Resource:
    annotations = {"external-dns.kubernetes.io/hostname": hostname}
    return kubernetes(SERVICE, "envoy", metadata={"annotations": annotations})


def of(*resources: Resource) -> Teardown:
    return teardown(Graph((made(STACK_TYPE, "shop-dev"), *resources)), "dev")


def left(*resources: Resource) -> list[str]:
    return [finding.what for finding in of(*resources).left_behind]


def test_a_retained_object_stays_unless_its_cluster_goes() -> None:
    crd = kubernetes(CRD, "things.example.com", options={"retain_on_delete": True})
    assert left(provider(), crd) == ["CustomResourceDefinition things.example.com"]
    cluster = made(EKS, "main")
    assert "things.example.com" not in str(left(cluster, provider(cluster.urn), crd))
    kept = made(EKS, "main", options={"retain_on_delete": True})
    assert left(kept, provider(kept.urn), crd) == [
        "Cluster main",
        "CustomResourceDefinition things.example.com",
    ]


def test_a_retained_record_stays_unless_its_zone_goes() -> None:
    record = made(
        "aws:route53/record:Record",
        "soa",
        options={"retain_on_delete": True},
        property_dependencies={"zoneId": ("urn:zone",)},
    )
    assert left(record) == ["Record soa"]
    assert left(made(ZONE, "zone", {"name": "example.com"}), record) == []


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((*ARGS, PREFIX), ["A c.example.com", "TXT _external-dns-a.c.example.com"]),
        (ARGS, ["A c.example.com", "TXT a-c.example.com"]),
        ((*ARGS, "--txt-prefix=x-"), ["A c.example.com", "TXT x-a-c.example.com"]),
        ((*ARGS[:3], "--registry=noop"), ["A c.example.com"]),
        (("--policy=upsert-only",), []),  # no external-dns
    ],
)
def test_external_dns_leaves_its_names_and_its_notes(
    arguments: tuple[str, ...], expected: list[str]
) -> None:
    assert left(provider(), external_dns(*arguments), published("c.example.com")) == expected


def test_names_go_with_their_zone_only() -> None:
    parts = (provider(), external_dns(*ARGS), published("c.example.com"))
    zone = made(ZONE, "zone", {"name": "example.com", "forceDestroy": True})
    assert left(zone, *parts) == []
    other = made(ZONE, "zone", {"name": "ample.com", "forceDestroy": True})
    assert left(other, *parts) == ["A c.example.com", "TXT a-c.example.com"]


def test_under_policy_sync_a_name_may_stay() -> None:
    arguments = [flag for flag in ARGS if "--policy" not in flag]
    found = of(provider(), external_dns(*arguments), published("c.example.com")).left_behind
    assert found[0].why.endswith("--policy=sync and may end before it deletes it")


def test_another_accounts_association_stays_unless_the_zone_goes() -> None:
    authorization = made(
        "aws:route53/vpcAssociationAuthorization:VpcAssociationAuthorization",
        "theirs",
        {"vpcId": "vpc-1", "zoneId": "Z1"},
        property_dependencies={"zoneId": ("urn:zone",)},
    )
    assert left(authorization) == ["association of vpc-1 with zone Z1"]
    assert left(made(ZONE, "zone", {"name": "example.com"}), authorization) == []


def test_what_aws_keeps_is_named_with_the_way_to_it() -> None:
    cluster = made(EKS, "main", {"name": "prod", "enabledClusterLogTypes": ["api"]})
    found = of(cluster, made("aws:kms/key:Key", "key", {"deletionWindowInDays": 7})).left_behind
    assert [(f.what, f.remedy.partition(" --")[0]) for f in found] == [
        ("LogGroup /aws/eks/prod/cluster", "aws logs delete-log-group"),
        ("Key key", ""),
        ("network interfaces of cluster prod", "aws ec2 describe-network-interfaces"),
    ]
    assert "AWS deletes it 7 days later" in found[1].why
    assert found[2].remedy.endswith("Values=prod")
    quiet = made(EKS, "main", {"name": "prod"})
    assert left(quiet) == ["network interfaces of cluster prod"]


def test_what_refuses_is_named_and_lifted_before_the_destroy() -> None:
    locked = made("aws:rds/instance:Instance", "db", {"deletionProtection": True})
    full = made(ZONE, "zone", {"name": "example.com"})
    kept = made("aws:ec2/vpc:Vpc", "it's", options={"protect": True})
    found = of(locked, full, kept)
    assert [f.what for f in found.protected] == ["Vpc it's"]
    assert [f.why for f in found.refused] == [
        "deletionProtection is on: AWS refuses",
        "forceDestroy is off: AWS refuses while it holds records of others",
    ]
    order = [" ".join((step.do, *step.commands)) for step in found.steps]
    lifted = next(i for i, step in enumerate(order) if "AWS refuses" in step)
    unprotected = next(i for i, step in enumerate(order) if "state unprotect" in step)
    destroyed = next(i for i, step in enumerate(order) if "pulumi destroy --stack dev" in step)
    assert lifted < unprotected < destroyed, "an update protects again"
    assert "'urn:it'\"'\"'s'" in order[unprotected], "a shell takes it as one word"
    assert len(order) == len(of().steps) + 2
    assert of().refused == of().protected == []


def test_many_protected_resources_take_one_command() -> None:
    many = [made("aws:ec2/vpc:Vpc", f"v{n}", options={"protect": True}) for n in range(11)]
    commands = [c for step in of(*many).steps for c in step.commands if "unprotect" in c]
    assert commands == ["pulumi state unprotect --all --stack dev"]


def test_a_deleted_namespace_is_named_where_its_cluster_stays() -> None:
    namespace = kubernetes("kubernetes:core/v1:Namespace", "team")
    found = of(provider(), namespace).deleted_with_content
    assert [f.what for f in found] == ["Namespace team"]
    cluster = made(EKS, "main")
    with_it = of(cluster, provider(cluster.urn), namespace).deleted_with_content
    assert [f.what for f in with_it] == ["Cluster main"]


# --- this repository's stacks -----------------------------------------------------------------


@pytest.fixture(scope="module")
def prod(tmp_path_factory: pytest.TempPathFactory) -> Teardown:
    return teardown(preview("prod", tmp_path_factory.mktemp("prod") / "out"), "prod")


def test_prod_is_protected_twice_and_its_zone_takes_all_names_with_it(prod: Teardown) -> None:
    assert sorted(f.what for f in prod.protected) == [
        *("Cluster calling", "Cluster serving", "Key calling", "Key serving", "Vpc network"),
        "Zone grpc.prod.example.com",
    ]
    assert [f.what for f in prod.refused] == ["Cluster calling", "Cluster serving"]
    assert [f.what for f in prod.left_behind] == [
        "LogGroup /aws/eks/calling/cluster",
        "LogGroup /aws/eks/serving/cluster",
        *("Key calling", "Key serving"),
        "network interfaces of cluster calling",
        "network interfaces of cluster serving",
    ]


def test_a_cluster_of_others_keeps_the_crds(tmp_path: Path) -> None:
    found = teardown(preview("local", tmp_path / "out"), "local")
    assert [f.what.partition(".")[0] for f in found.left_behind] == [
        "CustomResourceDefinition httpproxies",
        "CustomResourceDefinition tlscertificatedelegations",
    ]


# --- the command ------------------------------------------------------------------------------


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["teardown", *arguments], catch_exceptions=False)


TOY = str(ROOT / "tests/tools/preview/programs/greeter")


def test_the_command_prints_text_or_json_and_leaves_no_file(tmp_path: Path) -> None:
    result = run("dev", "--program", TOY)
    assert result.exit_code == 0
    assert result.stdout.startswith("Teardown of dev: nothing is changed by this command\n")
    assert "       pulumi destroy --stack dev\n" in result.stdout
    assert not (Path(TOY) / "build" / "teardown").exists()
    answer = json.loads(run("dev", "--program", TOY, "--json").stdout)
    assert answer["stack"] == "dev"
    assert answer["steps"][-1]["commands"] == ["pulumi stack rm --stack dev"]


def test_a_long_section_is_cut_on_a_terminal_and_whole_in_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    many = [made("aws:ec2/vpc:Vpc", f"v{n}", options={"protect": True}) for n in range(40)]
    graph = Graph((made(STACK_TYPE, "shop-dev"), *many))

    def ran(*_: object) -> Graph:
        return graph

    monkeypatch.setattr("grpc_platform_tools.preview.program.run_program", ran)
    command.run_teardown("dev", Path(TOY), as_json=False)
    text = capsys.readouterr().out
    assert "  and 28 more: --json prints all" in text
    assert len(text.splitlines()) < 40
    command.run_teardown("dev", Path(TOY), as_json=True)
    assert len(json.loads(capsys.readouterr().out)["protected"]) == 40


def test_an_unknown_stack_is_status_2() -> None:
    result = run("staging", "--program", TOY)
    assert (result.exit_code, result.stderr) == (
        2,
        f"no stack 'staging' in {TOY}; stacks here: dev, prod\n",
    )
