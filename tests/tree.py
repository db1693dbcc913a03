"""This tree: the stacks that are committed in it, and all of it elsewhere."""

import subprocess
from pathlib import Path

from grpc_platform_tools.preview.stack_file import read_project, stacks_of

ROOT = Path(__file__).parents[1]


def committed_stacks() -> dict[str, tuple[Path, str]]:
    """Every committed stack, `<project>/<stack>`: its program's directory and its name."""
    return {
        f"{read_project(directory)[0]}/{stack}": (directory, stack)
        for directory in (
            ROOT,
            *sorted(path.parent for path in ROOT.glob("examples/*/Pulumi.yaml")),
        )
        for stack in stacks_of(directory)
    }


def copy_revision(revision: str, target: Path) -> None:
    """Write the files of a commit to a directory, which is made."""
    target.mkdir(exist_ok=True)
    packed = subprocess.run(
        ["git", "archive", revision], cwd=ROOT, check=True, stdout=subprocess.PIPE
    ).stdout
    # Python's own unpacks safely from 3.11.4 on only.
    subprocess.run(["tar", "-x", "-C", str(target)], input=packed, check=True)


def copy_tree(target: Path) -> None:
    """Copy what is committed or about to be; links stay links."""
    files = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    for name in filter(None, files):
        source, copy = ROOT / name, target / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.is_symlink():
            copy.symlink_to(source.readlink())
        elif source.is_file():
            copy.write_bytes(source.read_bytes())
            copy.chmod(source.stat().st_mode)


def commit_all(directory: Path) -> None:
    """Make a directory a git repository with all of it in one commit."""
    author = ("-c", "user.name=Team", "-c", "user.email=team@example.com")
    for command in (("init",), ("add", "--all"), (*author, "commit", "-m", "All of it")):
        subprocess.run(["git", *command], cwd=directory, check=True, capture_output=True)
