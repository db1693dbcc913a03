"""Hostile stack files: committed ones with parts deleted, doubled, renamed, and replaced by values
that are right, extreme or absurd."""

import copy
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml
from hypothesis import strategies as st

from config.schema import stack_file_schema
from grpc_platform_tools.plain import is_list, is_mapping
from tests.hostile.values import KEYS, ODD, PIECES, TEXTS
from tests.tree import ROOT

FILES = {path.name.split(".")[1]: path.read_text() for path in sorted(ROOT.glob("Pulumi.*.yaml"))}
_TREES: dict[str, dict[str, Any]] = {stack: yaml.safe_load(text) for stack, text in FILES.items()}
_SCHEMA = stack_file_schema()
Schema = dict[str, Any]
_ANYTHING: Schema = {}


@dataclass(frozen=True)
class Place:
    """A part of a tree, which may be there or not: its container, its key or index, and what the
    stack file's schema says of it."""

    holder: Any
    key: Any
    schema: Schema


def places(value: Any, schema: Schema = _SCHEMA) -> Iterator[Place]:
    """Every part of a tree, and every part that its schema would allow beside them."""
    if is_mapping(value):
        known = _alternatives(schema)
        schemas = {key: s for each in known for key, s in each.get("properties", {}).items()}
        others = next(
            (s for each in known if is_mapping(s := each.get("additionalProperties"))), _ANYTHING
        )
        for key in {**schemas, **value}:
            yield Place(value, key, schemas.get(key, others))
            if key in value:
                yield from places(value[key], schemas.get(key, others))
    elif is_list(value):
        items = next(
            (each["items"] for each in _alternatives(schema) if "items" in each), _ANYTHING
        )
        for index, item in enumerate(value):
            yield Place(value, index, items)
            yield from places(item, items)


def _alternatives(schema: Schema) -> list[Schema]:
    if "$ref" in schema:
        return _alternatives(_SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]])
    if "anyOf" in schema:
        return [each for choice in schema["anyOf"] for each in _alternatives(choice)]
    return [schema]


@st.composite
def fitting(draw: st.DrawFn, schema: Schema) -> Any:
    """A value that the schema allows, at its limits mostly; the rules may still refuse it."""
    one = draw(st.sampled_from(_alternatives(schema)))
    if "enum" in one or "const" in one:
        return draw(st.sampled_from(one.get("enum", [one.get("const")])))
    match one.get("type"):
        case "integer":
            low, high = one.get("minimum", 0), one.get("maximum", 2**32)
            return draw(st.sampled_from([low, low + 1, high - 1, high, min(high, max(low, 90))]))
        case "boolean":
            return draw(st.booleans())
        case "string":
            pattern = re.compile(one.get("pattern", ""))
            return draw(st.sampled_from([t for t in TEXTS if pattern.search(t)] or [""]))
        case "array":
            few = draw(st.integers(one.get("minItems", 0), max(one.get("minItems", 0), 3)))
            return [draw(fitting(one.get("items", {}))) for _ in range(few)]
        case "object" if "properties" in one:
            needed = one.get("required", [])
            keys = [k for k in one["properties"] if k in needed or not draw(st.integers(0, 3))]
            return {key: draw(fitting(one["properties"][key])) for key in keys}
        case "object":
            names = draw(st.lists(st.sampled_from(TEXTS), max_size=3))
            return {name: draw(fitting(one.get("additionalProperties", {}))) for name in names}
        case _:
            return None


def _mutate(draw: st.DrawFn, file: dict[str, Any], *, plausible: bool) -> None:
    # In the config mostly: little else is read.
    config = [p for p in places(file) if p.holder is not file]
    found = config if config and draw(st.integers(0, 9)) else [*places(file)]
    if not found:
        return
    place = draw(st.sampled_from(found))
    holder, key = place.holder, place.key
    kinds = ["fit", "fit", "fit", "delete"]
    kinds += [] if plausible else ["double", "rename", "replace", "replace", "replace"]
    there = is_list(holder) or key in holder
    other: Any = draw(st.sampled_from(KEYS))
    match draw(st.sampled_from(kinds)):
        case "fit" if place.schema:
            holder[key] = draw(fitting(place.schema))
        case "delete" if there:
            del holder[key]
        case "double" if is_list(holder):
            holder.append(holder[key])
        case "double" if there:
            holder[other] = holder[key]
        case "rename" if is_mapping(holder) and there:
            holder[other] = holder.pop(key)
        case _ if not plausible:
            holder[key] = copy.deepcopy(draw(st.sampled_from(ODD)))
        case _:
            pass


@st.composite
def trees(draw: st.DrawFn, *, plausible: bool = False) -> tuple[str, dict[str, Any]]:
    """A stack that is committed, and its file after some mutations. Plausible ones load often."""
    stack = draw(st.sampled_from([*_TREES]))
    file = copy.deepcopy(_TREES[stack])
    for _ in range(draw(st.integers(1, 4))):
        _mutate(draw, file, plausible=plausible)
    return stack, file


def written(value: Any, *, escaped: bool) -> str:
    """A tree as YAML in flow style; pieces of YAML as they are."""
    if is_mapping(value):
        pairs = [
            (written(k, escaped=escaped), written(v, escaped=escaped)) for k, v in value.items()
        ]
        return f"{{{', '.join(': '.join(pair) for pair in pairs)}}}"
    if is_list(value):
        return f"[{', '.join(written(item, escaped=escaped) for item in value)}]"
    if value in PIECES:
        return value.text
    return json.dumps(value, ensure_ascii=escaped)


@st.composite
def _spliced(draw: st.DrawFn) -> bytes:
    text = FILES[draw(st.sampled_from([*FILES]))].encode()
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = start + draw(st.integers(0, 12))
        pieces = st.sampled_from(PIECES).map(lambda piece: piece.text.encode())
        text = text[:start] + draw(st.one_of(pieces, st.binary(max_size=4))) + text[end:]
    return text


def files() -> st.SearchStrategy[bytes]:
    """The bytes of a stack file."""

    def encoded(tree: tuple[str, dict[str, Any]], escaped: bool) -> bytes:
        return written(tree[1], escaped=escaped).encode(errors="surrogatepass")

    whole = st.builds(
        encoded,
        st.one_of(trees(), trees(plausible=True), trees()),
        st.booleans(),
    )
    return st.one_of(whole, whole, whole, _spliced())
