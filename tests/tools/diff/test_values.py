"""Differences in a person's terms."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grpc_platform_tools.diff.values import differences
from grpc_platform_tools.graph import SECRET


def said(old: Any, new: Any) -> list[tuple[str, str, Any, Any]]:
    return [(d.path, d.kind, d.old, d.new) for d in differences(old, new)]


CHANGES: list[tuple[Any, Any, list[Any]]] = [
    ({"a": 1}, {"a": 1}, []),
    ({"a": 1}, {"a": True}, [("a", "changed", 1, True)]),
    ({"a": 1}, {"a": "1"}, [("a", "changed", 1, "1")]),
    ({"a": None}, {}, [("a", "removed", None, None)]),
    ({"a.b/c": 1}, {"a.b/c": 2}, [("[a.b/c]", "changed", 1, 2)]),
    ({"a": {"b": {}}}, {"a": {}}, [("a.b", "removed", {}, None)]),
    ({"a": [1]}, {"a": {"b": 1}}, [("a", "changed", [1], {"b": 1})]),
]


@pytest.mark.parametrize(("old", "new", "expected"), CHANGES)
def test_mappings_go_by_key(old: Any, new: Any, expected: list[Any]) -> None:
    assert said(old, new) == expected


def container(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, **more}


def test_elements_with_a_name_are_matched_by_it_wherever_they_stand() -> None:
    old = [container("envoy", image="1"), container("manager")]
    new = [container("logs"), container("envoy", image="2"), container("manager")]
    assert said({"containers": old}, {"containers": new}) == [
        ("containers[envoy].image", "changed", "1", "2"),
        ("containers[logs]", "added", None, container("logs")),
    ]


@pytest.mark.parametrize(
    ("element", "name"),
    [
        ({"containerPort": 53, "protocol": "UDP", "x": 1}, "53/UDP"),
        ({"port": 8080, "x": 1}, "8080"),
        ({"Sid": "Read", "x": 1}, "Read"),
        ({"key": "zone", "x": 1}, "zone"),
        ({"host": "a.example", "x": 1}, "a.example"),
        ({"mountPath": "/tmp", "x": 1}, "/tmp"),
        ({"kind": "Group", "name": "team", "x": 1}, "team"),
    ],
)
def test_each_kind_of_list_has_its_natural_key(element: dict[str, Any], name: str) -> None:
    other = {key: f"other {value}" for key, value in element.items()}
    found = said([other, element], [other, {**element, "x": 2}])
    assert found == [(f"[{name}].x", "changed", 1, 2)]


def test_two_elements_of_one_name_are_told_apart_by_place() -> None:
    old = [container("a", x=1), container("a", x=2)]
    new = [container("a", x=1), container("a", x=3)]
    assert said(old, new) == [("[1].x", "changed", 2, 3)]


def test_the_only_element_under_another_name_is_the_same_element() -> None:
    assert said([{"host": "a"}], [{"host": "b"}]) == [("[0].host", "changed", "a", "b")]


def test_another_order_of_the_same_names_is_a_difference() -> None:
    old, new = [container("a"), container("b")], [container("b"), container("a")]
    assert said({"env": old}, {"env": new}) == [("env (order)", "changed", ["a", "b"], ["b", "a"])]


def test_flags_are_matched_by_name_and_other_arguments_by_place() -> None:
    old = ["serve", "--delay=1s", "--level=info"]
    new = ["serve", "--delay=2s", "--format=json", "--level=info"]
    assert said(old, new) == [
        ("[--delay]", "changed", "1s", "2s"),
        ("[--format]", "added", None, "--format=json"),
    ]


def test_scalars_are_added_and_removed_without_moving_the_rest() -> None:
    assert said(["a", "b", "c"], ["a", "c", "d"]) == [
        ("[]", "removed", "b", None),
        ("[]", "added", None, "d"),
    ]
    assert said(["a", "b"], ["b", "a"]) == [("", "changed", ["a", "b"], ["b", "a"])]


def test_json_and_yaml_inside_of_text_are_compared_as_data() -> None:
    assert said(json.dumps({"a": {"b": 1}}), json.dumps({"a": {"b": 2}})) == [
        ("a.b", "changed", 1, 2)
    ]
    assert said({"f": "a: 5m\nb: on\n"}, {"f": "b: on\na: 10m\n"}) == [
        ("f.a", "changed", "5m", "10m")
    ]


def test_the_same_data_in_another_form_is_reported_as_such() -> None:
    assert said({"f": '{"a": 1}'}, {"f": '{\n "a": 1}'}) == [("f", "reformatted", None, None)]


@pytest.mark.parametrize("text", ["{broken", "plain: text", "`: \n", "a: 1\n--- \nb: 2\n", "- "])
def test_text_that_only_looks_like_data_stays_text(text: str) -> None:
    assert said(text, text + "!") == [("", "changed", text, text + "!")]


def test_neither_side_of_a_secret_is_shown() -> None:
    found = differences({"a": SECRET, "b": "was"}, {"a": "plain", "b": SECRET})
    assert [(d.path, d.hidden) for d in found] == [("a", True), ("b", True)]


def test_a_list_with_a_secret_shows_nothing_that_may_have_become_it() -> None:
    found = differences({"args": ["--password=x", "--a=1"]}, {"args": [SECRET, "--a=2"]})
    assert found
    assert all(d.hidden for d in found)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["name", "a", "b", "port"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(VALUES, VALUES)
def test_there_is_a_difference_exactly_where_the_values_differ(old: Any, new: Any) -> None:
    same = json.dumps(old, sort_keys=True) == json.dumps(new, sort_keys=True)
    assert (not differences(old, new)) == same


@pytest.mark.parametrize(
    "text", ["[" * 100_000, 'a: 1\nb: "' + "x" * 300_000, '{"a": "\\ud800"}'], ids=len
)
def test_text_that_would_break_a_reader_is_text(text: str) -> None:
    assert said({"a": text}, {"a": f"{text} "})


def test_long_lists_of_few_words_take_no_longer_than_others() -> None:
    """The search for moves is quadratic in the length, and slower with repeated elements."""
    words = ["a", "b"] * 20_000
    old, new = words, [*words[:7], "c", *words[8:], "d"]
    assert {(d.kind, d.new) for d in differences(old, new)} >= {("added", "d")}
