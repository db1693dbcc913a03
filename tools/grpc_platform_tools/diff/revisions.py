"""The program at a git revision: its files, and a Python with the dependencies they lock."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from grpc_platform_tools.diff.environments import environment_of, is_installed, lock_of
from grpc_platform_tools.errors import UserError
from grpc_platform_tools.preview.stack_file import stacks_of

_SUBMODULE = "160000"
"""The mode of a submodule in git's index."""


@dataclass(frozen=True, kw_only=True)
class Revision:
    """A checkout at one revision, the program's directory in it, and the revision's name for
    people.

    `problems` say why it cannot be run at all.
    """

    label: str
    checkout: Path
    inside: Path
    """Relative to `checkout`."""
    python: Path
    problems: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    """Submodules that could not be laid out."""

    @property
    def directory(self) -> Path:
        """The program's directory."""
        return self.checkout / self.inside

    @property
    def stacks(self) -> list[str]:
        """The stacks that have a file."""
        return stacks_of(self.directory) if self.directory.is_dir() else []


@dataclass(frozen=True)
class Repository:
    """A git work tree, and the directory of a program in it."""

    root: Path
    inside: Path
    """The program's directory, relative to `root`."""

    @classmethod
    def around(cls, directory: Path) -> "Repository":
        """The repository that holds `directory`; UserError if there is none."""
        if not directory.is_dir():
            raise UserError(f"there is no directory {directory}")
        try:
            root = _git(directory, "rev-parse", "--show-toplevel")
        except UserError as error:
            raise UserError(
                f"{directory.resolve()} is not in a readable git repository: {error}"
            ) from error
        return cls(Path(root), directory.resolve().relative_to(Path(root).resolve()))

    def commit(self, ref: str) -> str:
        """The commit that `ref` names; if there is none, UserError with what would help."""
        if not ref.strip():  # an unset variable in CI
            raise UserError("the name of a revision is empty")
        try:
            asked = ("--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
            return _git(self.root, "rev-parse", *asked)
        except UserError:
            advice = "; this clone is shallow: fetch more of it" if self._shallow() else ""
            raise UserError(f"{ref!r} is not a commit of {self.root}{advice}") from None

    def _shallow(self) -> bool:
        return _git(self.root, "rev-parse", "--is-shallow-repository") == "true"

    def working_tree(self, ours: Iterable[Path]) -> Revision:
        """The files as they are now, with the Python that runs this; files in `ours` do not count
        as changes."""
        commit = _git(self.root, "rev-parse", "--short", "HEAD")
        root, files = self.root.resolve(), [path.resolve() for path in ours]
        left_out = [
            f":(exclude,literal){file.relative_to(root)}" for file in files if root in file.parents
        ]
        asked = ("--porcelain", "--untracked-files=all", "--", ".", *left_out)
        status = _git(self.root, "status", *asked)
        label = f"{commit} and changes not committed" if status else commit
        python = Path(sys.executable)
        return Revision(label=label, checkout=self.root, inside=self.inside, python=python)

    def at(self, ref: str, folder: Path, say: Callable[[str], None]) -> Revision:
        """The files of a commit, laid out in `folder`, which must not exist yet; `say` gets
        progress messages."""
        commit = self.commit(ref)
        short = _git(self.root, "rev-parse", "--short", commit)
        missing = tuple(_lay_out(self.root, commit, folder))
        python, problems = Path(sys.executable), ()
        lock = lock_of(folder / self.inside, folder)
        if lock and not lock.same_as(lock_of(self.root / self.inside, self.root)):
            if not is_installed(lock):
                say(f"installing what {lock.path.name} of {short} locks")
            try:
                python = environment_of(lock)
            except UserError as error:
                problems = tuple(error.problems)
        label = short if commit.startswith(ref) else f"{ref} ({short})"
        return Revision(
            label=label,
            checkout=folder,
            inside=self.inside,
            python=python,
            problems=problems,
            missing=missing,
        )


def _lay_out(repository: Path, commit: str, folder: Path) -> Iterator[str]:
    """Write the files of a commit into `folder`, with those of the submodules that are checked out
    in the work tree. Returns the paths of the other submodules."""
    index = {"GIT_INDEX_FILE": f"{folder}.index"}
    # An index of its own: the repository's index and list of worktrees stay untouched.
    _git(repository, "read-tree", commit, **index)
    _git(repository, "checkout-index", "--all", f"--prefix={folder}/", **index)
    entries = _git(repository, "ls-files", "--stage", "-z", **index).split("\0")
    Path(index["GIT_INDEX_FILE"]).unlink()
    for entry in entries:
        # <mode> <object> <stage>\t<path>
        about, _, path = entry.partition("\t")
        if not about.startswith(_SUBMODULE):
            continue
        inner = repository / path
        try:
            if (inner / ".git").exists():
                missing = _lay_out(inner, about.split()[1], folder / path)
                yield from [f"{path}/{name}" for name in missing]
            else:
                yield path
        except UserError:
            yield path


def _git(directory: Path, *arguments: str, **environment: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-c", "core.hooksPath=/dev/null", *arguments],
            cwd=directory,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            errors="surrogateescape",  # a path may be any bytes
            check=False,
        )
    except FileNotFoundError:
        raise UserError("git is not on PATH") from None
    if done.returncode:
        raise UserError(" ".join(done.stderr.split()) or f"git {arguments[0]} failed")
    return done.stdout.strip()
