"""Committed stack files with parts deleted, doubled and replaced: loaded, or refused in lines."""

import copy
from pathlib import Path
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from config.check import check, warnings
from config.mistakes import ConfigError
from grpc_platform_tools.plain import is_list
from tests.config.stack import TODAY

ROOT = Path(__file__).parents[2]
FILES: list[dict[str, Any]] = [
    {
        key.removeprefix("grpc-platform:"): value
        for key, value in yaml.safe_load(path.read_text())["config"].items()
        if key.startswith("grpc-platform:")
    }
    for path in sorted(ROOT.glob("Pulumi.*.yaml"))
]
ODD: list[Any] = [
    *(None, True, False, 0, -1, 0.5, 1e308, float("inf"), float("nan"), 10**30, 10**400),
    *("", " ", "x", "a\nb", "\x1b[31m", "\u2028", "é", "-", ".", "..", "a" * 300, "null", "٣"),
    *("0s", "5m", "9" * 400 + "h", "99999999h", "1" * 5000, "9" * 400 + "Gi", "1" * 400 + "m"),
    *("10.0.0.0/8", "0.0.0.0/0", "::/0", "eu-west-1a", "eu-west-1z", "serving", "infinity"),
    *("arn:aws:iam::1:role/x", "vpc-0a", "sg-0", "Z1", "default", "projectcontour", "m7g.xlarge"),
    *([], {}, [None], [[]], [{}], ["x", "x"], ["10.0.0.0/8"] * 2, {"": {}}, {"a\nb": {"c\nd": 1}}),
    *({"existing": {}}, {"existing": None}, {"serves": False}, {"x": None}, {"weights": {"x": 0}}),
]


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every part of a tree, as the container that holds it and its key or index there."""
    keys: list[Any] = [*range(len(value))] if is_list(value) else [*value]
    found: list[tuple[Any, Any]] = [(value, key) for key in keys]
    for key in keys:
        if isinstance(value[key], dict | list):
            found += places(value[key])
    return found


@st.composite
def mutated(draw: st.DrawFn) -> dict[str, Any]:
    raw = copy.deepcopy(draw(st.sampled_from(FILES)))
    for _ in range(draw(st.integers(1, 4))):
        if not (found := places(raw)):
            break
        holder, key = draw(st.sampled_from(found))
        match draw(st.sampled_from(["delete", "double", "replace", "replace"])):
            case "delete":
                del holder[key]
            case "double" if is_list(holder):
                holder.append(holder[key])
            case "double":
                name = draw(st.sampled_from(["x", "greeter", "serving", "a\nb", "", "9"]))
                holder[name] = holder[key]  # one object, as an anchor of YAML gives
            case _:
                holder[key] = copy.deepcopy(draw(st.sampled_from(ODD)))
    return raw


def problems(raw: dict[str, Any], region: str | None) -> list[str] | None:
    try:
        warnings(check(raw, region=region), TODAY)
    except ConfigError as refused:
        return refused.problems
    return None


@settings(max_examples=400, deadline=None)
@given(mutated(), st.sampled_from([None, "eu-west-1", "", "a\nb"]))
def test_a_mutated_stack_file_loads_or_is_refused_line_by_line(
    raw: dict[str, Any], region: str | None
) -> None:
    lines = problems(raw, region)
    assert lines is None or lines
    assert all(line.isprintable() for line in lines or ())
