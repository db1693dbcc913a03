"""A git repository with a program in it, for tests that compare its revisions."""

import fcntl
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

PROGRAM = """\
import pulumi
pulumi.export("size", pulumi.Config().require_int("size"))
"""


HOLD = """\
import fcntl
held = open({!r}, "w")
fcntl.flock(held, fcntl.LOCK_SH)
"""
"""Source with which a program shows that it runs, on any system: see `is_held`."""


def is_held(path: Path) -> bool:
    """Whether a process that ran HOLD, or one that it passed `held` to, is still running."""
    if not path.exists():
        return False
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


class Repo:
    """A repository whose program is in `directory`."""

    def __init__(self, root: Path, inside: str = ".") -> None:
        self.root, self.directory = root, root / inside
        self.directory.mkdir(parents=True, exist_ok=True)
        self.git("init", "-q", "-b", "main")
        self.write({"Pulumi.yaml": "name: shop\n", "__main__.py": PROGRAM})

    def git(self, *arguments: str) -> str:
        # Without this machine's own git config.
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "a",
            "GIT_AUTHOR_EMAIL": "a@localhost",
            "GIT_COMMITTER_NAME": "a",
            "GIT_COMMITTER_EMAIL": "a@localhost",
        }
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.root,
            env=environment,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    def write(self, files: dict[str, str | None]) -> None:
        """Write, or remove where None."""
        for name, text in files.items():
            path = self.directory / name
            if text is None:
                path.unlink()
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)

    def commit(self, files: dict[str, str | None] | None = None) -> str:
        self.write(files or {})
        self.git("add", "--all")
        self.git("commit", "-q", "--allow-empty", "-m", "x")
        return self.git("rev-parse", "HEAD")

    def stack(self, name: str = "dev", size: object = 1) -> dict[str, str | None]:
        return {f"Pulumi.{name}.yaml": f"config: {{shop:size: {size}}}\n"}


@pytest.fixture
def make_repo(tmp_path: Path) -> Callable[..., Repo]:
    def make(name: str = "repo", inside: str = ".") -> Repo:
        return Repo(tmp_path / name, inside)

    return make


@pytest.fixture
def repo(make_repo: Callable[..., Repo]) -> Repo:
    return make_repo()
