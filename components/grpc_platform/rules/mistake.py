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
        return f"{'.'.join(map(str, self.path))}{value}: {self.remedy}"


def refuse(component: str, mistakes: Iterable[Mistake]) -> None:
    """Raise ValueError with a line for each mistake, if there are any; `component` begins the
    first (`Envoy main-envoy`)."""
    lines = [str(mistake) for mistake in mistakes]
    if lines:
        raise ValueError(f"{component}: " + "\n".join(lines))


def _short(value: Any) -> str:
    # A mistake is one line.
    text = value if isinstance(value, str) and value.isprintable() else repr(value)
    return text if len(text) <= _VALUE_LENGTH else text[: _VALUE_LENGTH - 1] + "…"
