"""Mutations of plain data: what a program, a person or a hostile run may hand to a reader."""

import copy
from typing import Any

from hypothesis import strategies as st

from grpc_platform_tools.plain import is_list, is_mapping
from tests.hostile.values import CONTAINERS, NUMBERS, PIECES, TEXTS

_PLAIN: list[Any] = [*NUMBERS, *TEXTS, *CONTAINERS, None, True, False]


@st.composite
def mutated(draw: st.DrawFn, right: Any, *, yaml: bool = False) -> Any:
    """`right` after some mutations, maybe with pieces of YAML in it."""
    tree = copy.deepcopy(right)
    for _ in range(draw(st.integers(1, 4))):
        if not (found := _places(tree)):
            break
        holder, key = draw(st.sampled_from(found))
        values = [*_PLAIN, *PIECES] if yaml else _PLAIN
        match draw(st.sampled_from(["delete", "double", "replace", "replace"])):
            case "delete":
                del holder[key]
            case "double" if is_mapping(holder):
                holder[draw(st.sampled_from(TEXTS))] = holder[key]
            case _:
                holder[key] = copy.deepcopy(draw(st.sampled_from(values)))
    return tree


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every part of a tree, as the container that holds it and its key or index there."""
    keys: list[Any] = [*range(len(value))] if is_list(value) else [*value]
    found: list[tuple[Any, Any]] = [(value, key) for key in keys]
    for key in keys:
        if isinstance(value[key], dict | list):
            found += _places(value[key])
    return found
