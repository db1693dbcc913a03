"""A value that breaks a rule, told in one line."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Path = tuple[str | int, ...]

_VALUE_LENGTH = 60


@dataclass(frozen=True)
class Mistake:
    """Where, what was given, and what would be right."""

    path: Path
    value: Any
    remedy: str
    against: Path = ()
    """The other value it does not agree with, where there is one."""

    def __str__(self) -> str:
        value = "" if self.value is None else f" = {_short(self.value)}"
        path = ".".join(_cut(str(part)) for part in self.path)
        return _one_line(f"{path}{value}: {self.remedy}")


def refuse(component: str, mistakes: Iterable[Mistake]) -> None:
    """Raise ValueError with a line for each mistake, if there are any; `component` begins the
    first (`Envoy main-envoy`)."""
    lines = [str(mistake) for mistake in mistakes]
    if lines:
        raise ValueError(f"{component}: " + "\n".join(lines))


def _short(value: Any) -> str:
    return _cut(value if isinstance(value, str) and value.isprintable() else repr(value))


def _cut(text: str) -> str:
    return text if len(text) <= _VALUE_LENGTH else text[: _VALUE_LENGTH - 1] + "…"


def _one_line(text: str) -> str:
    """`text` with what is no printable character written as Python writes it: keys and values
    reach a line by its path and its remedy too."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
