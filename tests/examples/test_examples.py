"""The examples beyond their own tests: with the platform under them, and by the command."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from grpc_platform.platform_stack import PlatformStack
from grpc_platform_tools.graph import Graph
from grpc_platform_tools.plain import is_mapping
from grpc_platform_tools.preview.fixtures import Fixtures
from grpc_platform_tools.preview.program import run_program
from grpc_platform_tools.preview.record import record
from grpc_platform_tools.preview.stack_file import read_stack_file, stacks_of
from tests.iam import findings
from tests.tree import ROOT, commit_all

SERVICE_STACK = ROOT / "examples" / "service_stack"
OWN_PLATFORM = ROOT / "examples" / "own_platform"


@pytest.fixture(scope="module", params=stacks_of(SERVICE_STACK))
def stack(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def platform(stack: str) -> Graph:
    return run_program(ROOT, stack, read_stack_file(ROOT, stack))


@pytest.fixture(scope="module")
def services(stack: str) -> Graph:
    return run_program(SERVICE_STACK, stack, read_stack_file(SERVICE_STACK, stack))


def test_what_the_services_are_previewed_with_is_what_the_platform_exports(
    platform: Graph, stack: str
) -> None:
    file = SERVICE_STACK / f"platform-{stack}.json"
    assert json.loads(file.read_text()) == platform.exports, (
        f"make preview STACK={stack} && cp build/preview/{stack}/outputs.json "
        f"{file.relative_to(ROOT)}"
    )


def test_every_output_of_the_platform_is_one_that_others_read(platform: Graph, stack: str) -> None:
    seen: list[PlatformStack] = []
    name = f"organization/grpc-platform/{stack}"
    record(
        lambda: PlatformStack.from_reference(name).apply(seen.append),
        fixtures=Fixtures(stacks={name: platform.exports}),
    )
    assert without_nulls(seen[0].model_dump(mode="json")) == without_nulls(platform.exports)


def without_nulls(value: Any) -> Any:
    """Pulumi leaves some of them out."""
    if is_mapping(value):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return value


def test_services_are_put_on_the_platform_they_refer_to(
    platform: Graph, services: Graph, stack: str
) -> None:
    zone = platform.exports["zone"]
    (serving,) = [c["serving"] for c in platform.exports["clusters"].values() if c["serving"]]
    for record_ in services.of_type("aws:route53/record:Record"):
        assert record_.inputs["zoneId"] == zone["zone_id"]
        assert record_.inputs["records"] == [serving["dns_name"]]
    cluster = services.only("pulumi:providers:kubernetes", "cluster")
    kubernetes = [r for r in services if r.type.startswith("kubernetes:")]
    assert {r.type.split(":")[-1] for r in kubernetes} == {"Service", "Ingress"}
    assert {r.provider for r in kubernetes} == {cluster.urn}
    exported = platform.exports["clusters"].get("serving", {}).get("kubeconfig")
    assert cluster.inputs["kubeconfig"] == exported or stack == "local"


def test_no_name_of_the_services_is_one_of_the_platform(platform: Graph, services: Graph) -> None:
    def names(graph: Graph) -> set[str]:
        return {r.inputs["name"] for r in graph.of_type("aws:route53/record:Record")}

    assert names(services)
    assert not names(services) & names(platform)


@pytest.mark.parametrize("stack", ["prod"], indirect=True)
def test_the_team_has_the_rights_that_its_stack_needs_and_no_others(
    platform: Graph, services: Graph
) -> None:
    policy = json.loads(
        platform.only("aws:iam/rolePolicy:RolePolicy", "zone-payments").inputs["policy"]
    )
    (names,) = [
        value
        for statement in policy["Statement"]
        for condition in statement.get("Condition", {}).values()
        for key, value in condition.items()
        if key.endswith("NormalizedRecordNames")
    ]
    records = services.of_type("aws:route53/record:Record")
    assert sorted(names) == sorted(r.inputs["name"] for r in records)
    association = "aws:eks/accessPolicyAssociation:AccessPolicyAssociation"
    scope = platform.only(association, "serving:payments-engineers").inputs["accessScope"]
    objects = [r.inputs["metadata"] for r in services if r.type.startswith("kubernetes:")]
    assert scope["namespaces"] == sorted({item["namespace"] for item in objects})


def test_a_stack_of_two_services_stays_under_thirty_lines() -> None:
    assert len((SERVICE_STACK / "__main__.py").read_text().splitlines()) < 30


def test_the_policies_of_a_platform_of_ones_own_pass_the_linter() -> None:
    graph = run_program(OWN_PLATFORM, "prod", read_stack_file(OWN_PLATFORM, "prod"))
    assert graph.of_type("aws:iam/rolePolicy:RolePolicy")
    assert findings(graph) == []


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The service stack in a repository of its own."""
    copy = tmp_path / "payments"
    shutil.copytree(SERVICE_STACK, copy, ignore=shutil.ignore_patterns("build", "__pycache__"))
    commit_all(copy)
    return copy


def command(name: str, argument: str, project: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "grpc_platform_tools", name, argument, "--program", str(project)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_platform_of_another_version_is_told_in_one_line(project: Path) -> None:
    exports = project / "platform-prod.json"
    exports.write_text(json.dumps(json.loads(exports.read_text()) | {"schema_version": 2}))
    done = command("preview", "prod", project)
    assert done.returncode == 2
    assert done.stderr == (
        "stack organization/grpc-platform/prod: exports schema_version 2, but this project "
        "reads 1; install here the release of grpc-platform that it was deployed with\n"
    )


def test_a_change_of_the_services_is_shown_once_for_all_of_their_stacks(project: Path) -> None:
    main = project / "__main__.py"
    main.write_text(main.read_text().replace("seconds=30", "seconds=45"))
    done = command("diff", "HEAD", project)
    assert done.returncode == 2, done.stderr
    comment = (project / "build" / "diff" / "comment.md").read_text()
    assert "#### `local`, `prod`: the same in each" in comment
    assert "45s" in comment
