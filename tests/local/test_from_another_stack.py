"""The page on using this from another stack, followed word for word."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tree import ROOT, commit_all, copy_tree

PAGE = ROOT / "docs" / "from-another-stack.md"


@pytest.fixture
def newcomer(tmp_path: Path) -> Iterator[Path]:
    """An empty directory. A cluster left up there is ended."""
    empty = tmp_path / "empty"
    empty.mkdir()
    yield empty
    checkout = empty / "grpc-platform"
    if (checkout / ".venv").exists():
        subprocess.run(["make", "-C", checkout, "local-down"], check=True)


def test_the_steps_in_an_empty_directory_end_with_a_service_that_answers(
    newcomer: Path, tmp_path: Path
) -> None:
    copy_tree(tmp_path / "repository")
    commit_all(tmp_path / "repository")
    steps = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    environment = {
        **os.environ,
        "GRPC_PLATFORM": str(tmp_path / "repository"),
        "PATH": f"{sys.base_prefix}/bin:{os.environ['PATH']}",
    }
    done = subprocess.run(
        ["bash", "-eu"],
        input="".join(steps),
        cwd=newcomer,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"codes": {"OK": 3}' in done.stdout
    assert "the local cluster is gone" in done.stdout
