"""What the local cluster says when it cannot go on."""

from pathlib import Path

_LINES_SHOWN = 15


class LocalError(Exception):
    """A failure with one cause; told without a traceback, as grpc_platform.errors says.

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
