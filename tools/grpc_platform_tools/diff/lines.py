"""A property's change as lines of a diff: `-` before, `+` after, `!` where the value is not
shown."""

import difflib
from collections.abc import Iterable, Iterator
from itertools import takewhile
from typing import Any

from grpc_platform_tools.diff.report import PropertyChange
from grpc_platform_tools.diff.values import embedded
from grpc_platform_tools.preview.manifests import yaml_text

_SAID = {
    "reformatted": (" ", "the same data, written in another way"),
    "concealed": ("!", "was plain, and is secret now"),
    "revealed": ("!", "was secret, and is PLAIN now"),
}
_WIDTH = 80
_LONGEST_LINE = 300
_MOST_LINES = 20_000


def lines(change: PropertyChange) -> list[str]:
    """A property's change as lines of a diff."""
    if said := _SAID.get(change.kind):
        return [cut(f"{said[0]}{change.path}: {said[1]}")]
    if change.hidden:
        return [cut(f"!{change.path}: {change.kind}; the value is secret")]
    old, new = change.old, change.new
    if isinstance(old, str) and isinstance(new, str):
        if "\n" in old + new:
            return [f" {change.path}:", *_text_lines(old, new)]
        old, new = _around_the_difference(old, new)
    result: list[str] = []
    if change.kind != "added":
        result += _value("-", change.path, old)
    if change.kind != "removed":
        result += _value("+", change.path, new)
    return result


def all_lines(changes: Iterable[PropertyChange]) -> Iterator[str]:
    """Several changes as lines of a diff."""
    return (line for change in changes for line in lines(change))


def _text_lines(old: str, new: str) -> Iterator[str]:
    before, after = old.splitlines(), new.splitlines()
    if len(before) + len(after) > _MOST_LINES:  # the time grows with their square
        yield " (too many lines to compare)"
        return
    found = list(difflib.unified_diff(before, after, lineterm="", n=1))[2:]
    yield from (cut(line) for line in found or [" (only the ends of lines differ)"])


def _around_the_difference(old: str, new: str) -> tuple[str, str]:
    """The part of two long lines around the first place where they differ."""
    if max(len(old), len(new)) <= _LONGEST_LINE // 2:
        return old, new
    same = takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False))
    start = max(0, len(list(same)) - 40)
    mark = "…" if start else ""
    return mark + old[start:], mark + new[start:]


def _value(sign: str, path: str, value: Any) -> list[str]:
    if isinstance(value, str) and (data := embedded(value)) is not None:
        value = data
    flow = _yaml(value, flow=True)
    if len(path) + len(flow) <= _WIDTH or not isinstance(value, dict | list) or not value:
        return [cut(f"{sign}{path}: {flow}")]
    return [f"{sign}{path}:", *(cut(f"{sign}  {line}") for line in _yaml(value).splitlines())]


def _yaml(value: Any, *, flow: bool = False) -> str:
    return yaml_text(value, flow=flow).removesuffix("...\n").strip()


def cut(line: str) -> str:
    """The line, cut to a readable length."""
    return line if len(line) <= _LONGEST_LINE else f"{line[: _LONGEST_LINE - 1]}…"


def one_line(text: str) -> str:
    """The text without line ends and invisible characters."""
    return "".join(c if c.isprintable() else " " for c in text)
