"""A team and the platform upgrade at different times: a service stack on the components of the last
release runs on what the platform exports today, and today's on what it exported then."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from grpc_platform_tools.diff.recordings import record_all
from grpc_platform_tools.diff.redaction import Accounts
from grpc_platform_tools.diff.revisions import Revision
from grpc_platform_tools.graph import Graph
from tests.tree import ROOT, committed_stacks, copy_revision
from tests.upgrades.release import FILE, PLATFORM, RELEASE, recorded

EXAMPLE = Path("examples", "service_stack")


def git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True).stdout


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree of the commit that last wrote release.json."""
    if git("rev-parse", "--is-shallow-repository").strip() == b"true":
        pytest.skip("a shallow clone has no commit of the last release")
    commit = git("log", "-1", "--format=%H", "--", str(FILE.relative_to(ROOT))).decode().strip()
    if not commit:
        pytest.skip("release.json is in no commit yet")
    folder = tmp_path_factory.mktemp("released")
    copy_revision(commit, folder)
    return folder


@pytest.fixture
def on(tmp_path: Path) -> Callable[[Path, dict[str, Any]], Graph]:
    """The service stack of a tree, with the components of that tree, on a platform's exports."""

    def on(tree: Path, exports: dict[str, Any]) -> Graph:
        checkout = tmp_path / "checkout"
        checkout.mkdir()
        for entry in tree.iterdir():
            if entry.name in ("components", "grpc_platform"):
                (checkout / entry.name).symlink_to(entry)
        program = checkout / EXAMPLE
        program.mkdir(parents=True)
        for file in (tree / EXAMPLE).iterdir():
            if file.is_file():
                (program / file.name).write_bytes(file.read_bytes())
        (program / "platform-prod.json").write_text(json.dumps(exports))
        python = Path(sys.executable)
        revision = Revision(label="x", checkout=checkout, inside=EXAMPLE, python=python)
        (found,) = record_all([(revision, "prod")], Accounts(), b"key", lambda _: None)
        assert found.problems == ()
        assert found.graph
        return found.graph

    return on


def assert_served(services: Graph, exports: dict[str, Any]) -> None:
    """Its names lead to the platform's Envoys, and its objects are in their cluster."""
    (cluster,) = [c for c in exports["clusters"].values() if c["serving"]]
    records = services.of_type("aws:route53/record:Record")
    assert {r.name.split(".")[0].split("-")[0] for r in records} == {"billing", "ledger"}
    assert {r.inputs["zoneId"] for r in records} == {exports["zone"]["zone_id"]}
    assert [r.inputs["records"] for r in records] == [[cluster["serving"]["dns_name"]]] * 2
    provider = services.only("pulumi:providers:kubernetes", "cluster")
    assert provider.inputs["kubeconfig"] == cluster["kubeconfig"]
    assert [r.provider for r in services.of_type("kubernetes:networking.k8s.io/v1:Ingress")] == [
        provider.urn
    ] * 2


def test_the_components_of_the_last_release_run_on_what_the_platform_exports_today(
    released: Path, on: Callable[[Path, dict[str, Any]], Graph]
) -> None:
    exports = recorded(*committed_stacks()[PLATFORM]).exports
    assert_served(on(released, exports), exports)


def test_todays_components_run_on_what_the_platform_exported_at_the_last_release(
    on: Callable[[Path, dict[str, Any]], Graph],
) -> None:
    assert_served(on(ROOT, RELEASE["exports"]), RELEASE["exports"])
