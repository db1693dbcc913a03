"""Reads inputs for rules. An unknown or secret value raises NotKnown, so no rule judges it."""

import re
from collections.abc import Iterator
from typing import Any

from grpc_platform_tools.graph import SECRET, UNKNOWN
from grpc_platform_tools.plain import is_list, is_mapping

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+)ms)?")


class NotKnown(Exception):  # noqa: N818 (an answer, not a failure)
    """A rule needs a value that is not known here; `path` says which."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


def at(value: Any, *keys: str) -> Any:
    """The value under `keys`, or None if there is none. Raises NotKnown for an unknown value."""
    for number, key in enumerate(keys):
        value = value.get(key) if is_mapping(value) else None
        if value in (UNKNOWN, SECRET):
            raise NotKnown(".".join(keys[: number + 1]))
    return value


def mapping(value: Any, *keys: str) -> dict[str, Any]:
    """The mapping under `keys`; empty if there is none."""
    found = at(value, *keys)
    return found if is_mapping(found) else {}


def each(value: Any, *keys: str) -> Iterator[Any]:
    """The known elements of the list under `keys`. Raises NotKnown after them if there are others:
    a rule may find something in those that it knows."""
    found = at(value, *keys)
    unknown = False
    for element in found if is_list(found) else []:
        if element in (UNKNOWN, SECRET):
            unknown = True
        else:
            yield element
    if unknown:
        raise NotKnown(f"{'.'.join(keys)}[]")


def is_true(value: Any) -> bool:
    """Whether a boolean is set; some AWS types take it as text."""
    return value in (True, "true")


def number(value: Any) -> float | None:
    """A number, also as text; None for anything else."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str) and re.fullmatch(r"\d{1,15}(\.\d{1,15})?", value):
        return float(value)
    return None


def seconds(text: Any) -> float | None:
    """A duration of Go, or a number of seconds; None for anything else, such as infinity."""
    if (plain := number(text)) is not None:
        return plain
    found = _DURATION.fullmatch(text) if isinstance(text, str) and len(text) < 40 else None
    if not found or not text:
        return None
    hours, minutes, whole, thousandths = (float(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + whole + thousandths / 1000
