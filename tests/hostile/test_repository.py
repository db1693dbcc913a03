"""A branch that is hostile to `diff`: it is compared or refused in lines, and only its program
runs."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from grpc_platform_tools.cli import app
from tests.hostile.cases import said
from tests.tools.diff.conftest import Repo


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    """A repository with a program that registers nothing."""
    repo = Repo(tmp_path / "repo")
    repo.commit({"__main__.py": "", **repo.stack()})
    return repo


def diff(repo: Repo) -> Result:
    """Compare the last two commits in this process."""
    given = ["diff", "HEAD~1", "--head", "HEAD", "--program", str(repo.directory)]
    return CliRunner().invoke(app, given, catch_exceptions=False)


def test_names_links_and_submodules_that_nobody_expects_are_laid_out(repo: Repo) -> None:
    root = os.fsencode(repo.root)
    for name in (
        b"\xff\xfe",
        b"a\nb",
        b"-rf",
        b"Pulumi.\xff.yaml",
        b"Pulumi.a\nb.yaml",
        b"x" * 255,
    ):
        Path(os.fsdecode(root + b"/" + name)).write_text("")
    for name, target in {"loop": "loop", "root": "/", "gone": "/nowhere", "up": "../.."}.items():
        (repo.root / name).symlink_to(target)
    commit = repo.commit()
    for name in ("-x", "a b", "lib\u202e"):
        repo.git("update-index", "--add", "--cacheinfo", f"160000,{commit},{name}")
    repo.git("commit", "-q", "-m", "x")
    assert diff(repo).exit_code == 0


def test_attributes_are_no_obstacle(repo: Repo, tmp_path: Path) -> None:
    repo.git("config", "filter.evil.smudge", f"touch {tmp_path}/%f; cat")
    repo.commit({".gitattributes": "* filter=evil text eol=crlf ident\n* [z-a]\n", "note": "x\n"})
    assert diff(repo).exit_code in (0, 1)


def test_no_hook_of_the_branch_runs(repo: Repo, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    hooks = ("post-index-change", "post-checkout", "reference-transaction", "fsmonitor-watchman")
    for hook in hooks:
        repo.write({f".husky/{hook}": f"#!/bin/sh\ntouch {ran}\n"})
        (repo.root / ".husky" / hook).chmod(0o755)
    repo.commit()
    repo.git("config", "core.hooksPath", ".husky")
    assert diff(repo).exit_code == 0
    assert not ran.exists()


SPOILS: dict[str, Callable[[Path], object]] = {
    "huge": lambda path: path.write_bytes(b"#" * 5 * 1024**2),
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a loop": lambda path: path.symlink_to("Pulumi.dev.yaml"),
    "a file of the machine": lambda path: path.symlink_to("/etc/passwd"),
    "a folder": lambda path: path.mkdir(),
}


@pytest.mark.parametrize("spoil", SPOILS.values(), ids=SPOILS)
def test_a_stack_file_that_is_no_stack_file_is_refused(
    repo: Repo, spoil: Callable[[Path], object]
) -> None:
    path = repo.root / "Pulumi.dev.yaml"
    path.unlink()
    spoil(path)
    given = ["preview", "dev", "--program", str(repo.root)]
    result = CliRunner().invoke(app, given, catch_exceptions=False)
    assert result.exit_code == 2
    said(result.stderr.splitlines())
    assert "root:" not in result.stderr
