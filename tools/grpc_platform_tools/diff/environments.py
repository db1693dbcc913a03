"""A Python environment for a revision whose locked dependencies differ from the installed ones.

`$XDG_CACHE_HOME/grpc-platform/environments` keeps one for each lock file and Python. So only the
first diff across a change of dependencies needs a package index.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import uv

from grpc_platform_tools.errors import UserError

# In order of preference: a lock file is more exact than a list of requirements.
LOCK_FILES = ("requirements.lock", "uv.lock", "requirements.txt")
_INCLUDED = re.compile(rb"^\s*(?:-[rc]|--requirement|--constraint)[ \t=]*([^\s#]+)", re.MULTILINE)


@dataclass(frozen=True)
class Lock:
    """A lock file and its content, with the files that it includes."""

    path: Path
    content: bytes

    def same_as(self, other: "Lock | None") -> bool:
        """Whether it locks the same dependencies in the same way."""
        return other is not None and (self.path.name, self.content) == (
            other.path.name,
            other.content,
        )

    @property
    def key(self) -> str:
        """Names its environment: everything that decides what is in it."""
        parts = (self.path.name.encode(), self.content, sys.version.encode())
        return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def lock_of(directory: Path, root: Path) -> Lock | None:
    """The lock file of the program in `directory`: in that folder or the nearest one above it, up
    to `root`."""
    for folder in (directory, *directory.parents):
        for name in LOCK_FILES:
            path = folder / name
            if path.is_file():
                return Lock(path, b"".join(_with_included(path, set())))
        if folder == root:
            break
    return None


def _with_included(path: Path, seen: set[Path]) -> Iterator[bytes]:
    """The content of a file, and of the files of requirements or constraints that it includes."""
    if path.resolve() in seen or not path.is_file():
        return
    seen.add(path.resolve())
    content = path.read_bytes()
    yield content
    for included in _INCLUDED.findall(content):
        yield from _with_included(path.parent / os.fsdecode(included), seen)


def is_installed(lock: Lock) -> bool:
    """Whether `environment_of` would return at once, without an installation."""
    return _complete(_folder(lock)).exists()


def environment_of(lock: Lock) -> Path:
    """The Python of an environment with the packages of `lock`, created if it does not exist.

    Raises UserError when they cannot be installed.
    """
    folder = _folder(lock)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not is_installed(lock):
            shutil.rmtree(folder, ignore_errors=True)
            _install(lock, folder)
            _complete(folder).touch()
    return folder / "bin" / "python"


def _install(lock: Lock, folder: Path) -> None:
    python = str(folder / "bin" / "python")
    _uv(lock, "venv", "--python", sys.executable, str(folder))
    if lock.path.name == "uv.lock":
        project = str(lock.path.parent)
        _uv(lock, "sync", "--frozen", "--no-dev", "--no-install-project", "--project", project,
            UV_PROJECT_ENVIRONMENT=str(folder))  # fmt: skip
    else:
        _uv(lock, "pip", "install", "--python", python, "--requirement", str(lock.path))


def _uv(lock: Lock, *arguments: str, **environment: str) -> None:
    done = subprocess.run(
        [uv.find_uv_bin(), *arguments, "--quiet", "--no-progress"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        why = [line.strip(" ×╰─▶") for line in done.stderr.splitlines() if line.strip()]
        raise UserError(f"the dependencies in {lock.path.name} cannot be installed", *why[:8])


def _folder(lock: Lock) -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(cache) / "grpc-platform" / "environments" / lock.key


def _complete(folder: Path) -> Path:
    return folder / ".complete"
