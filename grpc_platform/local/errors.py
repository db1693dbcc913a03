"""What the local cluster says when it cannot go on."""

from pathlib import Path


class LocalError(Exception):
    """A failure with one cause, told to the user without a traceback.

    ``advice`` says what to do, ``log`` which file tells more; its last lines are shown.
    """

    def __init__(self, cause: str, *, advice: str | None = None, log: Path | None = None) -> None:
        super().__init__(cause)
        self.cause = cause
        self.advice = advice
        self.log = log
