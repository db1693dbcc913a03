"""What the local cluster says when it cannot go on."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

_LINES_SHOWN = 15


class LocalError(Exception):
    """A failure with one cause; told without a traceback, as grpc_platform_tools.errors says.

    ``advice`` says what to do, ``log`` which file tells more.
    """

    exit_status = 1

    def __init__(self, cause: str, *, advice: str | None = None, log: Path | None = None) -> None:
        super().__init__(cause)
        self.cause = cause
        self.advice = advice
        self.log = log

    def log_end(self) -> list[str]:
        """The last lines of the log, as they are now."""
        if self.log is None or not self.log.exists():
            return []
        return self.log.read_text(errors="replace").splitlines()[-_LINES_SHOWN:]


def tell(error: LocalError, console: "Console") -> None:
    """Print a failure: its cause, the end of its log, what to do."""
    lines: list[tuple[str, str]] = [("bold red", error.cause)]
    if error.log:
        lines.append(("", f"log: {error.log}"))
        lines += [("dim", f"  {line}") for line in error.log_end()]
    if error.advice:
        lines.append(("", f"what to do: {error.advice}"))
    for style, line in lines:
        # What others wrote is no markup: ports[name] is to be read as it is.
        console.print(line, style=style, markup=False, soft_wrap=True)
