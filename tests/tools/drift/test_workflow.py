"""The shell lines of drift.yml: one issue per stack, opened, updated or closed."""

import os
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.tree import ROOT

WORKFLOW = yaml.safe_load((ROOT / ".github" / "workflows" / "drift.yml").read_text())
GH = """#!/bin/sh
echo "$*" >> "$CALLS"
if [ "$2" = list ]; then cat "$OPEN"; fi
"""


def lines(job: str, name: str) -> str:
    (step,) = [s for s in WORKFLOW["jobs"][job]["steps"] if s.get("name") == name]
    return step["run"]


def run(script: str, directory: Path, **environment: str) -> int:
    """Run a step's lines as GitHub does."""
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    path = f"{directory / 'bin'}:{os.environ['PATH']}"
    own = {"PATH": path, "RUNNER_TEMP": str(directory), "STACK": "prod"}
    summary = {"GITHUB_STEP_SUMMARY": str(directory / "summary.md")}
    return subprocess.run(
        command, env=own | summary | environment, cwd=directory, check=False
    ).returncode


@pytest.mark.parametrize(
    ("text", "open_number", "expected"),
    [
        ("open.md", "", ["issue list", "label create drift:prod", "issue create"]),
        ("open.md", "7", ["issue list", "issue edit 7"]),
        ("close.md", "7", ["issue list", "issue close 7"]),
        ("close.md", "", ["issue list"]),
    ],
)
def test_one_issue_is_opened_updated_or_closed(
    text: str, open_number: str, expected: list[str], tmp_path: Path
) -> None:
    gh = tmp_path / "bin" / "gh"
    gh.parent.mkdir()
    gh.write_text(GH)
    gh.chmod(0o755)
    file = tmp_path / "drift" / "drift-prod" / text
    file.parent.mkdir(parents=True)
    file.write_text("the text")
    (tmp_path / "open").write_text(open_number)
    script = lines("tell", "open, update or close an issue")
    calls = tmp_path / "calls"
    assert run(script, tmp_path, CALLS=str(calls), OPEN=str(tmp_path / "open")) == 0
    done = calls.read_text().splitlines()
    assert len(done) == len(expected)
    assert all(call.startswith(start) for call, start in zip(done, expected, strict=True))
    assert "--label drift:prod" in done[0]


def test_no_stack_was_looked_at_and_no_issue_is_touched(tmp_path: Path) -> None:
    (tmp_path / "drift").mkdir()
    assert run(lines("tell", "open, update or close an issue"), tmp_path) == 0


@pytest.mark.parametrize(
    ("status", "expected", "left"), [(0, 0, ["close.md"]), (2, 0, ["open.md"]), (1, 1, [])]
)
def test_the_commands_status_decides_and_a_failure_fails_the_job(
    status: int, expected: int, left: list[str], tmp_path: Path
) -> None:
    command = tmp_path / ".venv" / "bin" / "grpc-platform"
    command.parent.mkdir(parents=True)
    command.write_text(f"#!/bin/sh\necho text\nexit {status}\n")
    command.chmod(0o755)
    assert run(lines("look", "write the issue"), tmp_path) == expected
    assert [path.name for path in (tmp_path / "drift").iterdir()] == left
