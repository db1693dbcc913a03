"""`grpc-platform diff`: record two revisions, compare them, write and show the diff."""

import secrets
import sys
import tempfile
import time
from collections.abc import Callable, Collection
from pathlib import Path

from rich.console import Console

from grpc_platform_tools.diff.comment import comment
from grpc_platform_tools.diff.compare import compare
from grpc_platform_tools.diff.recordings import Recording, record_all
from grpc_platform_tools.diff.redaction import Accounts
from grpc_platform_tools.diff.report import Operation, Report, StackDiff
from grpc_platform_tools.diff.revisions import Repository, Revision
from grpc_platform_tools.diff.terminal import print_report
from grpc_platform_tools.errors import UserError
from grpc_platform_tools.interruption import ended_in_order
from grpc_platform_tools.preview.stack_file import read_project
from grpc_platform_tools.progress import progress

_COMMENT, _DIFF = "comment.md", "diff.json"
NO_CHANGE, ERROR, CHANGES = 0, 1, 2


def run_diff(
    base: str,
    head: str | None,
    directory: Path,
    output: Path | None,
    fail_on: Collection[Operation],
) -> int:
    """Compare the program in `directory` at `base` with the one at `head`, or with the files as
    they are now. Returns the exit status.

    Leaves comment.md and diff.json in `output`. Raises UserError for a revision or directory that
    cannot be read.
    """
    started = time.monotonic()
    target = output or directory / "build" / "diff"
    with ended_in_order(), progress("reading the revisions") as say:
        report = make_report(base, head, directory, target, say)
    try:
        target.mkdir(parents=True, exist_ok=True)
        (target / _COMMENT).write_text(comment(report))
        report.save(target / _DIFF)
    except OSError as error:
        raise UserError(f"{target} cannot be written: {error.strerror}") from error
    console = Console(highlight=False)
    print_report(report, console)
    took = time.monotonic() - started
    console.print(
        f"Wrote {target}/{_COMMENT} and {_DIFF} in {took:.1f} s", markup=False, soft_wrap=True
    )
    refused = [
        f"{stack.stack}: {change.label} would be {operation}d, which --fail-on refuses"
        for operation in fail_on
        for stack, change in report.of(operation)
        if change.loses
    ]
    sys.stderr.writelines(f"{line}\n" for line in refused)
    if report.failed or refused:
        return ERROR
    return CHANGES if report.changed else NO_CHANGE


def parse_operations(text: str) -> list[Operation]:
    """The operations in --fail-on; UserError for anything but replace and delete."""
    asked: list[Operation] = []
    for word in filter(None, (part.strip() for part in text.split(","))):
        if word not in ("replace", "delete"):
            raise UserError(f"--fail-on {word!r}: must be replace, delete or replace,delete")
        asked.append(word)
    return asked


def make_report(
    base: str, head: str | None, directory: Path, output: Path, say: Callable[[str], None]
) -> Report:
    """Record every stack of both revisions and compare them; `say` gets the progress messages.

    A report that an earlier run left in `output` does not count as part of the program.
    """
    repository = Repository.around(directory)
    with tempfile.TemporaryDirectory(prefix="grpc-platform-diff-") as folder:
        old = repository.at(base, Path(folder, "base"), say)
        if head is None:
            new = repository.working_tree((output / _COMMENT, output / _DIFF))
        else:
            new = repository.at(head, Path(folder, "head"), say)
        project, _ = read_project(new.directory)
        stacks = sorted({*old.stacks, *new.stacks})
        if not stacks:
            raise UserError(f"{directory}: neither revision has a Pulumi.<stack>.yaml")
        # A removed stack is only reported as removed, so its program need not run any more.
        wanted = [
            (side, stack) for stack in new.stacks for side in (old, new) if stack in side.stacks
        ]
        accounts = Accounts()
        # A new key for each run, so that nobody can test guesses of a secret against its mark.
        key = secrets.token_bytes()

        def recorded(done: int) -> None:
            say(f"recording stacks: {done} of {len(wanted)}")

        recorded(0)
        found = dict(zip(_keys(wanted), record_all(wanted, accounts, key, recorded), strict=True))
        say("comparing")
        return Report(
            project=accounts.hide(project),
            base=accounts.hide(old.label),
            head=accounts.hide(new.label),
            stacks=tuple(
                _compared(
                    accounts.hide(stack),
                    found.get((id(old), stack)),
                    found.get((id(new), stack)),
                )
                for stack in stacks
            ),
        )


def _compared(stack: str, base: Recording | None, head: Recording | None) -> StackDiff:
    """One stack's diff. If the comparison fails for any reason, the other stacks are still
    compared."""
    try:
        return compare(stack, base, head)
    except Exception as error:
        said = f"comparing failed: {type(error).__name__}; please report it with this program"
        return StackDiff(stack=stack, status="failed", problems={"head": [said]})


def _keys(wanted: list[tuple[Revision, str]]) -> list[tuple[int, str]]:
    return [(id(revision), stack) for revision, stack in wanted]
