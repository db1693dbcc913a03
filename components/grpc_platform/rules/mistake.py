"""A value that breaks a rule, described in one line."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Path = tuple[str | int, ...]

_VALUE_LENGTH = 60
_LINE_LENGTH = 500


@dataclass(frozen=True)
class Mistake:
    """The value's path, the value, and how to correct it."""

    path: Path
    value: Any
    remedy: str
    against: Path = ()
    """The path of the other value that it conflicts with, if there is one."""

    def __str__(self) -> str:
        value = "" if self.value is None else f" = {_short(self.value)}"
        path = ".".join(_cut(str(part)) for part in self.path)
        # A remedy too may name values and keys, and as many as the stack file has.
        return _cut(_one_line(f"{path}{value}: {self.remedy}"), _LINE_LENGTH)


def refuse(component: str, mistakes: Iterable[Mistake]) -> None:
    """Raise ValueError with a line for each mistake, if there are any. The first line begins with
    `component` (`Envoy main-envoy`)."""
    lines = [str(mistake) for mistake in mistakes]
    if lines:
        raise ValueError(f"{component}: " + "\n".join(lines))


def _short(value: Any) -> str:
    return _cut(value if isinstance(value, str) and value.isprintable() else repr(value))


def _cut(text: str, length: int = _VALUE_LENGTH) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _one_line(text: str) -> str:
    """`text` with unprintable characters escaped as in Python: a line's path and remedy also
    contain the stack file's keys and values."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
