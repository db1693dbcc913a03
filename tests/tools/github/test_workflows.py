"""The names that the workflows share, and their rights; make check lints the rest."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / ".github" / "workflows"
NAMES = ["ci", "diff", "comment", "pulumi", "drift", "audit"]


def workflow(name: str) -> dict[Any, Any]:
    """A workflow's YAML."""
    return yaml.safe_load((FOLDER / f"{name}.yml").read_text())


def steps(name: str) -> list[dict[str, Any]]:
    """All steps of a workflow."""
    return [step for job in workflow(name)["jobs"].values() for step in job["steps"]]


def compared() -> dict[str, str]:
    """The programs that diff.yml compares, by project."""
    included = workflow("diff")["jobs"]["diff"]["strategy"]["matrix"]["include"]
    return {entry["project"]: entry["program"] for entry in included}


def test_every_workflow_is_looked_at_here() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(NAMES)


def test_the_programs_that_are_compared_have_the_names_that_they_are_compared_under() -> None:
    for project, program in compared().items():
        found = yaml.safe_load((ROOT / program / "Pulumi.yaml").read_text())
        assert found["name"] == project


def test_the_programs_that_are_compared_are_all_that_have_a_committed_stack() -> None:
    found = {path.parent for path in (ROOT / "examples").glob("**/Pulumi.yaml")} | {ROOT}
    assert found == {(ROOT / program).resolve() for program in compared().values()}


def test_each_project_that_is_compared_is_commented_on() -> None:
    (command,) = [run for step in steps("comment") if "comment" in (run := step.get("run", ""))]
    assert re.findall(r"--project (\S+)", command) == list(compared())


def test_only_those_that_tell_may_write_and_only_where_they_do() -> None:
    writing = [
        (name, scope)
        for name in NAMES
        for holder in (workflow(name), *workflow(name)["jobs"].values())
        for scope, right in holder.get("permissions", {}).items()
        if right == "write" and scope != "id-token"
    ]
    assert writing == [("comment", "pull-requests"), ("drift", "issues")]
    assert "id-token" not in workflow("drift")["jobs"]["tell"]["permissions"]


def test_only_jobs_of_the_repositorys_own_branches_get_credentials() -> None:
    for name in NAMES:
        for job in workflow(name)["jobs"].values():
            if "id-token" in job.get("permissions", {}):
                assert "environment" in job
                if name == "drift":  # runs the default branch only
                    assert set(workflow(name)[True]) == {"schedule", "workflow_dispatch"}
                    continue
                assert "github.event_name == 'push'" in job["if"]
                own = "github.event.pull_request.head.repo.full_name == github.repository"
                assert own in job["if"] or "pull_request" not in job["if"]


@pytest.mark.parametrize("name", ["ci", "diff", "comment"])
def test_a_workflow_that_runs_for_forks_has_no_secret(name: str) -> None:
    assert "secrets." not in (FOLDER / f"{name}.yml").read_text()


def test_the_poster_runs_the_default_branch_and_only_unpacks_what_the_run_left() -> None:
    checkout, *others = [step for step in steps("comment") if "uses" in step]
    assert "ref" not in checkout["with"]
    assert checkout["uses"].startswith("actions/checkout@")
    download = others[-1]["with"]
    # A folder per artifact would let one that is named `..` choose where it goes.
    assert (download["merge-multiple"], download["path"]) == (True, "${{ runner.temp }}/diffs")


def test_pulumis_command_has_the_version_of_its_sdk() -> None:
    locked = re.search(r"^pulumi==(\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    assert locked
    using = [step for name in ("pulumi", "drift") for step in steps(name)]
    asked = {step["with"]["pulumi-version"] for step in using if "pulumi/" in str(step)}
    assert asked == {locked[1]}
