"""`grpc-platform drift`: the text of an issue about what differs."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from grpc_platform_tools.diff.redaction import Accounts
from grpc_platform_tools.drift.events import Drift, read_drift
from grpc_platform_tools.errors import UserError
from grpc_platform_tools.preview.outline import plural, short_type

_ROWS = 50
_FIELDS = 5
_LONGEST = 120


def run_drift(log: Path, stack: str) -> int:
    """Print what the event log `log` says of `stack`, as Markdown, and return the exit status: 0
    if nothing differs, else 2.

    Raises whatever carries `problems` (grpc_platform_tools.errors) instead of printing it.
    """
    try:
        found = read_drift(log.read_bytes(), str(log))
    except OSError as error:
        raise UserError(f"{log} cannot be read: {error.strerror}") from error
    sys.stdout.write(issue(found, stack))
    return 2 if found else 0


def issue(found: list[Drift], stack: str) -> str:
    """The text: names and paths without values, in at most 50 rows."""
    if not found:
        return f"Nothing in stack {_code(stack)} differs from its program.\n"
    lines = [
        f"{plural(len(found), 'resource')} of stack {_code(stack)} "
        f"{'differs' if len(found) == 1 else 'differ'} from the program: changed by hand, or not "
        "deployed yet.",
        "",
        "| resource | | fields |",
        "| --- | --- | --- |",
        *map(_row, found[:_ROWS]),
    ]
    if more := len(found[_ROWS:]):
        lines += ["", f"And {more} more."]
    lines += [
        "",
        f"`pulumi preview --refresh --stack {_plain(stack)}` shows the values, `pulumi up "
        "--refresh` brings the program's back. To keep what is there, change the program.",
    ]
    return "\n".join(lines) + "\n"


def _row(drift: Drift) -> str:
    resource = _code(f"{short_type(drift.type)} {drift.name}")
    return f"| {resource} | {drift.what} | {', '.join(_fields(drift))} |"


def _fields(drift: Drift) -> Iterator[str]:
    yield from map(_code, drift.fields[:_FIELDS])
    if more := len(drift.fields[_FIELDS:]):
        yield f"{more} more"


def _code(text: str) -> str:
    """As code, in which GitHub links and mentions nothing."""
    return f"`{_plain(text)}`"


def _plain(text: str) -> str:
    hidden: str = Accounts().hide(text)
    safe = re.sub(r"[`|\\]|[^ -~]", "?", hidden)
    return safe if len(safe) <= _LONGEST else safe[: _LONGEST - 3] + "..."
