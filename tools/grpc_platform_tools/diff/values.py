"""What differs between two values, by YAML path. Elements of a list are matched by what identifies
them, and JSON or YAML inside text is compared as data."""

import difflib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from grpc_platform_tools.diff.report import Kind
from grpc_platform_tools.graph import SECRET
from grpc_platform_tools.plain import is_list, is_mapping
from grpc_platform_tools.preview.stack_file import parse_yaml

Segment = str | int

# What identifies an element of a list of mappings, the first that fits: env and containers, IAM
# statements, ports, routes, volume mounts, taints and tolerations, HPA policies, RBAC subjects.
NATURAL_KEYS: tuple[tuple[str, ...], ...] = (
    ("name",),
    ("kind", "namespace", "name"),
    ("Sid",),
    ("key",),
    ("containerPort", "protocol"),
    ("containerPort",),
    ("port", "protocol"),
    ("port",),
    ("host",),
    ("path",),
    ("mountPath",),
    ("topologyKey",),
    ("secretName",),
    ("type",),
)
_LARGEST_DATA = 200_000
"""Longer texts are not parsed: reading YAML of this many characters takes a second."""
_LARGEST_LIST = 400
"""At most this many elements without a name, of both lists, are matched: the cost is quadratic."""
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_FLAG = re.compile(r"(--?[A-Za-z][A-Za-z0-9.-]*)=(.*)", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One value that differs. `raw` is its path by keys and indices, `path` by YAML and natural
    keys; `hidden` if one side is a secret."""

    raw: tuple[Segment, ...]
    path: str
    kind: Kind
    old: Any
    new: Any
    hidden: bool


@dataclass(frozen=True)
class _At:
    """The place of two values; `secret` says that nothing below it may be shown."""

    raw: tuple[Segment, ...] = ()
    path: str = ""
    secret: bool = False

    def key(self, key: str) -> "_At":
        if _PLAIN_KEY.fullmatch(key):
            return self._to(key, f"{self.path}.{key}" if self.path else key)
        return self._to(key, f"{self.path}[{key}]")

    def element(self, index: int, shown: object) -> "_At":
        return self._to(index, f"{self.path}[{shown}]")

    def _to(self, segment: Segment, path: str) -> "_At":
        return _At((*self.raw, segment), path, self.secret)

    def said(self, kind: Kind, old: Any = None, new: Any = None) -> Difference:
        if kind == "changed" and SECRET in (old, new):
            kind = "concealed" if new == SECRET else "revealed"
        hidden = self.secret or SECRET in (old, new)
        return Difference(raw=self.raw, path=self.path, kind=kind, old=old, new=new, hidden=hidden)


def differences(old: Any, new: Any, path: tuple[str, ...] = ()) -> list[Difference]:
    """Every difference between two plain JSON values at `path`, in a stable order."""
    at = _At()
    for key in path:
        at = at.key(key)
    return list(_walk(old, new, at))


def _walk(old: Any, new: Any, at: _At) -> Iterator[Difference]:
    # 1, 1.0 and True are equal in Python, but not in JSON.
    if old == new and json.dumps(old) == json.dumps(new):
        return
    if is_mapping(old) and is_mapping(new):
        yield from _mappings(old, new, at)
    elif is_list(old) and is_list(new):
        yield from _lists(old, new, at)
    elif isinstance(old, str) and isinstance(new, str):
        yield from _texts(old, new, at)
    else:
        yield at.said("changed", old, new)


def _mappings(old: dict[str, Any], new: dict[str, Any], at: _At) -> Iterator[Difference]:
    for key in sorted(old.keys() | new.keys()):
        here = at.key(key)
        if key not in new:
            yield here.said("removed", old=old[key])
        elif key not in old:
            yield here.said("added", new=new[key])
        else:
            yield from _walk(old[key], new[key], here)


def _texts(old: str, new: str, at: _At) -> Iterator[Difference]:
    before, after = embedded(old), embedded(new)
    if before is not None and after is not None and type(before) is type(after):
        found = list(_walk(before, after, at))
        yield from found or [at.said("reformatted")]
        return
    yield at.said("changed", old, new)


def embedded(text: str) -> Any:
    """The mapping or list that a text holds, as JSON or as YAML of several lines; else None."""
    data: Any
    if len(text) > _LARGEST_DATA:
        return None
    if text.lstrip().startswith(("{", "[")):
        try:
            data = json.loads(text)
            json.dumps(data, ensure_ascii=False).encode()  # JSON can hold a lone surrogate
        except (ValueError, RecursionError):
            return None
    elif "\n" in text and ":" in text:
        try:
            data = parse_yaml(text)
        except (ValueError, yaml.YAMLError, RecursionError):
            return None
    else:
        return None
    return data if is_mapping(data) or is_list(data) else None


def _lists(old: list[Any], new: list[Any], at: _At) -> Iterator[Difference]:
    if SECRET in old or SECRET in new:  # elements cannot be matched
        at = _At(at.raw, at.path, secret=True)
    name = _names(old, new)
    renamed = len(old) == len(new) == 1 and name is not None and name(old[0]) != name(new[0])
    if name is None or renamed:
        yield from _unnamed(old, new, at)
        return
    before = {name(element): (index, element) for index, element in enumerate(old)}
    after = {name(element): (index, element) for index, element in enumerate(new)}
    for key in dict.fromkeys((*before, *after)):
        if key not in after:
            index, element = before[key]
            yield at.element(index, key).said("removed", old=element)
        elif key not in before:
            index, element = after[key]
            yield at.element(index, key).said("added", new=element)
        else:
            index, element = after[key]
            yield from _elements(before[key][1], element, at.element(index, key))
    common = [key for key in before if key in after]
    reordered = [key for key in after if key in before]
    if common != reordered:
        yield _At(at.raw, f"{at.path} (order)", at.secret).said("changed", common, reordered)


def _elements(old: Any, new: Any, at: _At) -> Iterator[Difference]:
    if isinstance(old, str) and isinstance(new, str):
        flags = _FLAG.fullmatch(old), _FLAG.fullmatch(new)
        if flags[0] and flags[1]:
            yield from _walk(flags[0][2], flags[1][2], at)
            return
    yield from _walk(old, new, at)


def _names(old: list[Any], new: list[Any]) -> Callable[[Any], str] | None:
    """The key that names each element, if every element's name is unique in its list."""
    elements = [*old, *new]
    if all(isinstance(element, str) for element in elements):
        flags = [_FLAG.fullmatch(element) for element in elements]
        if any(flags) and _unique(old, _flag) and _unique(new, _flag):
            return _flag
        return None
    if not all(isinstance(element, dict) for element in elements):
        return None
    for keys in NATURAL_KEYS:

        def name(element: dict[str, Any], keys: tuple[str, ...] = keys) -> str:
            return "/".join(str(element[key]) for key in keys if key in element)

        named = all(
            isinstance(element.get(keys[-1]), str | int) and keys[0] in element
            for element in elements
        )
        if named and _unique(old, name) and _unique(new, name):
            return name
    return None


def _flag(argument: str) -> str:
    found = _FLAG.fullmatch(argument)
    return found[1] if found else argument


def _unique(elements: Sequence[Any], name: Callable[[Any], str]) -> bool:
    return len({name(element) for element in elements}) == len(elements)


def _unnamed(old: list[Any], new: list[Any], at: _At) -> Iterator[Difference]:
    """Compare elements without a name: those that both lists share keep their place."""
    texts = [[json.dumps(element, sort_keys=True) for element in side] for side in (old, new)]
    if sorted(texts[0]) == sorted(texts[1]):
        yield at.said("changed", old, new)
        return
    for i, i_end, j, j_end in _blocks(*texts):
        counts = i_end - i, j_end - j
        alike = counts[0] == counts[1] or _nested(old[i:i_end] + new[j:j_end])
        paired = min(counts) if alike else 0
        for step in range(paired):
            yield from _walk(old[i + step], new[j + step], at.element(j + step, j + step))
        for index in range(i + paired, i_end):
            yield at.element(index, "").said("removed", old=old[index])
        for index in range(j + paired, j_end):
            yield at.element(index, "").said("added", new=new[index])


def _blocks(old: list[str], new: list[str]) -> Iterator[tuple[int, int, int, int]]:
    """The ranges of both lists that differ; the elements between them are the same in both."""
    if len(old) + len(new) > _LARGEST_LIST:
        pairs = enumerate(zip(old, new, strict=False))
        start = next((n for n, (a, b) in pairs if a != b), min(len(old), len(new)))
        yield start, len(old), start, len(new)
        return
    for tag, *block in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal":
            yield block[0], block[1], block[2], block[3]


def _nested(elements: list[Any]) -> bool:
    return all(isinstance(element, dict | list) for element in elements)
