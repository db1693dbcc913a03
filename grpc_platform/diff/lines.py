"""A property's change as lines of a diff: `-` before, `+` after, `!` where nothing is shown."""

import difflib
from collections.abc import Iterable, Iterator
from typing import Any

from grpc_platform.diff.report import PropertyChange
from grpc_platform.preview.manifests import yaml_text

_WIDTH = 80
_LONGEST_LINE = 300


def lines(change: PropertyChange) -> list[str]:
    """A property's change as lines of a diff."""
    if change.hidden:
        return [_cut(f"!{change.path}: {change.kind}; the value is secret")]
    if change.kind == "reformatted":
        return [_cut(f" {change.path}: the same data, written in another way")]
    old, new = change.old, change.new
    if isinstance(old, str) and isinstance(new, str) and "\n" in old + new:
        found = difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=1)
        return [f" {change.path}:", *(_cut(line) for line in list(found)[2:])]
    result: list[str] = []
    if change.kind != "added":
        result += _value("-", change.path, old)
    if change.kind != "removed":
        result += _value("+", change.path, new)
    return result


def all_lines(changes: Iterable[PropertyChange]) -> Iterator[str]:
    """Of several changes."""
    return (line for change in changes for line in lines(change))


def _value(sign: str, path: str, value: Any) -> list[str]:
    flow = _yaml(value, flow=True)
    if len(path) + len(flow) <= _WIDTH or not isinstance(value, dict | list) or not value:
        return [_cut(f"{sign}{path}: {flow}")]
    return [f"{sign}{path}:", *(_cut(f"{sign}  {line}") for line in _yaml(value).splitlines())]


def _yaml(value: Any, *, flow: bool = False) -> str:
    return yaml_text(value, flow=flow).removesuffix("...\n").strip()


def _cut(line: str) -> str:
    return line if len(line) <= _LONGEST_LINE else f"{line[: _LONGEST_LINE - 1]}…"
