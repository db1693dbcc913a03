"""Changes that are shown together, and facts that grouping must never hide."""

from typing import Any

import pytest

from grpc_platform_tools.diff.comment import comment
from grpc_platform_tools.diff.lines import lines
from grpc_platform_tools.diff.report import (
    Operation,
    PropertyChange,
    Report,
    ResourceChange,
    StackDiff,
)


def made(name: str, operation: Operation = "create", **more: Any) -> ResourceChange:
    given: dict[str, Any] = {
        "urn": f"urn::{name}",
        "type": "kubernetes:rbac/v1:ClusterRoleBinding",
        "label": f"ClusterRoleBinding {name}",
        "component": f"Svc {name}",
        **more,
    }
    return ResourceChange(operation=operation, **given)


def value(path: str, new: Any, old: Any = None) -> PropertyChange:
    return PropertyChange(path=path, kind="changed" if old else "added", old=old, new=new)


def said(*resources: ResourceChange, **more: Any) -> str:
    stack = StackDiff(stack="dev", status="compared", problems={}, resources=resources, **more)
    return comment(Report(project="shop", base="1", head="2", stacks=(stack,)))


def test_components_that_differ_in_more_than_their_names_are_shown_apart() -> None:
    text = said(
        made("alpha", properties=(value("roleRef", "view"), value("name", "alpha-x"))),
        made("beta", properties=(value("roleRef", "cluster-admin"), value("name", "beta-x"))),
        made("gamma", properties=(value("roleRef", "view"), value("name", "gamma-x"))),
    )
    assert "cluster-admin" in text
    assert "each of 2 <code>Svc</code>, alike but for their names" in text


def test_a_name_is_told_from_a_word_that_holds_it() -> None:
    text = said(
        *(
            made(name, "change", properties=(value("x", f"{name} payments", "a"),))
            for name in ("pay", "cart", "stock")
        )
    )
    assert "{name} payments" in text


def test_a_name_that_is_a_number_spoils_no_number() -> None:
    text = said(
        *(
            made(str(port), "change", properties=(value("port", port, 80),))
            for port in (8081, 8082, 8083)
        )
    )
    assert "+port: 8081" in text
    assert "+port: 8083" in text


def test_what_is_lost_is_said_of_several_too() -> None:
    groups = [
        made(f"g{n}", "replace", loses="the pods that run on it", forced_by=("size",),
             properties=(value("size", 2, 1),))
        for n in range(3)
    ]  # fmt: skip
    assert "<b>loses</b> <code>the pods that run on it</code>" in said(*groups)


def test_a_replacement_that_the_engine_refuses_is_said_of_several_too() -> None:
    note = "the engine refuses that while it is protected"
    groups = [
        made(f"g{n}", "replace", notes=(note,), forced_by=("size",),
             properties=(value("size", 2, 1),))
        for n in range(3)
    ]  # fmt: skip
    assert said(*groups).count(note) == 3


def test_a_thing_under_another_urn_keeps_its_warning() -> None:
    old = made("a", "delete", moved="urn::b", loses="everything in it")
    text = said(old, made("b", moved="urn::a"))
    assert "**loses** `everything in it`" in text
    assert "created again as `ClusterRoleBinding b`, and no alias says that it is the same" in text


def test_an_encrypted_value_that_changed_is_not_called_no_change() -> None:
    config = (PropertyChange(path="shop:token", kind="changed", hidden=True),)
    assert "an encrypted value changed, and so may the resources that read it" in said(
        config=config
    )


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("x" * 400 + "a", "x" * 400 + "b", [f"-p: …{'x' * 40}a", f"+p: …{'x' * 40}b"]),
        ("a\nb", "a\nb\n", [" p:", " (only the ends of lines differ)"]),
        ("a\nb\n", "a\r\nb\r\n", [" p:", " (only the ends of lines differ)"]),
        ('{"a": 1}', 3, ["-p: {a: 1}", "+p: 3"]),
    ],
)
def test_a_difference_is_in_the_lines_that_show_it(old: Any, new: Any, expected: list[str]) -> None:
    assert lines(value("p", new, old)) == expected


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("revealed", "!p: was secret, and is PLAIN now"),
        ("concealed", "!p: was plain, and is secret now"),
        ("changed", "!p: changed; the value is secret"),
    ],
)
def test_a_change_of_a_secret_names_its_kind(kind: Any, line: str) -> None:
    assert lines(PropertyChange(path="p", kind=kind, hidden=True)) == [line]
