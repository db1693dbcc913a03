"""Errors of the local cluster."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

_LINES_SHOWN = 15
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[@-~]|[\x00-\x08\x0b-\x1f\x7f]")
"""Colours and cursor movements, which programs write to their logs."""


class LocalError(Exception):
    """A failure with one cause, printed without a traceback (see grpc_platform_tools.errors).

    ``advice`` says what to do; ``log`` is the file with more.
    """

    exit_status = 1

    def __init__(self, cause: str, *, advice: str | None = None, log: Path | None = None) -> None:
        super().__init__(cause)
        self.cause = cause
        self.advice = advice
        self.log = log

    def log_end(self) -> list[str]:
        """The last lines of the log at this moment."""
        if self.log is None or not self.log.exists():
            return []
        return self.log.read_text(errors="replace").splitlines()[-_LINES_SHOWN:]


def ended(status: int) -> str:
    """How a process ended, by its return code."""
    return f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"


def tell(error: LocalError, console: "Console") -> None:
    """Print a failure: its cause, the end of its log, what to do."""
    lines: list[tuple[str, str]] = [("bold red", error.cause)]
    if error.log:
        lines.append(("", f"log: {error.log}"))
        lines += [("dim", f"  {line}") for line in error.log_end()]
    if error.advice:
        lines.append(("", f"what to do: {error.advice}"))
    for style, line in lines:
        # Print logs without markup: ports[name] must stay as it is.
        console.print(_CONTROL.sub("", line), style=style, markup=False, soft_wrap=True)
