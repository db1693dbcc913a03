"""Go's code for the protos is committed, as is usual there: it is what they make."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tree import ROOT

GO = ROOT / "examples" / "clients" / "go"


def test_go_code_is_that_of_the_protos(tmp_path: Path) -> None:
    if shutil.which("go") is None:
        pytest.skip("there is no go")
    copy = tmp_path / "examples" / "clients" / "go"
    shutil.copytree(GO, copy, ignore=shutil.ignore_patterns("*.pb.go", "build"))
    shutil.copytree(ROOT / "examples" / "apps", tmp_path / "examples" / "apps")
    protoc = tmp_path / "protoc"
    protoc.write_text(f'#!/bin/sh\nexec {sys.executable} -m grpc_tools.protoc "$@"\n')
    protoc.chmod(0o755)
    path = os.pathsep.join((str(tmp_path), os.environ["PATH"]))
    subprocess.run(["./generate.sh"], cwd=copy, env={**os.environ, "PATH": path}, check=True)
    assert _generated(copy) == _generated(GO)


def _generated(folder: Path) -> dict[str, list[str]]:
    """The lines of each file, without the comments: they name the version of protoc."""
    return {
        str(file.relative_to(folder)): [
            line for line in file.read_text().splitlines() if not line.startswith("//")
        ]
        for file in folder.rglob("*.pb.go")
    }
