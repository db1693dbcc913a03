"""The graph is plain data that orders itself, saves whole and answers what needs what."""

from pathlib import Path
from typing import Any

import pytest

from grpc_platform_tools.graph import STACK_TYPE, Graph, Resource, in_dependency_order


def resource(name: str, *needs: str, **fields: Any) -> Resource:
    """A resource whose URN is its name."""
    return Resource(urn=name, type="t:i:T", name=name, depends_on=needs, **fields)


def test_everything_follows_its_parent_provider_and_needs() -> None:
    resources = (
        resource("a", "z"),
        resource("b", parent="y"),
        resource("c", provider="x"),
        resource("x"),
        resource("y"),
        resource("z", "b"),
    )
    assert [r.urn for r in in_dependency_order(resources)] == ["y", "b", "z", "a", "x", "c"]


def test_the_order_does_not_depend_on_the_order_of_registration() -> None:
    resources = [resource("a", "c"), resource("b"), resource("c"), resource("d", "a", "b")]
    assert in_dependency_order(resources) == in_dependency_order(reversed(resources))


def test_a_need_outside_the_graph_and_a_circle_are_no_obstacle() -> None:
    ordered = in_dependency_order([resource("a", "b", "elsewhere"), resource("b", "a")])
    assert {r.urn for r in ordered} == {"a", "b"}


def test_needs_reach_through_dependencies_and_providers_and_not_through_parents() -> None:
    graph = Graph(
        (
            resource("parent"),
            resource("node"),
            resource("provider", "node"),
            resource("middle", provider="provider"),
            resource("last", "middle", parent="parent"),
        )
    )
    assert graph.needs(graph.by_urn("last")) == {"middle", "provider", "node"}


def test_a_graph_reads_back_as_it_was_saved(tmp_path: Path) -> None:
    graph = Graph(
        (
            Resource(
                urn="urn:s",
                type=STACK_TYPE,
                name="shop-prod",
                outputs={"a": [1, {"b": None}], "c": "[secret]"},
                secret_paths=("outputs.c",),
            ),
            Resource(
                urn="urn:r",
                type="t:i:T",
                name="r",
                parent="urn:s",
                provider="urn:p",
                inputs={"x": 1.5},
                depends_on=("urn:s",),
                aliases=("urn:old",),
                options={"protect": True},
            ),
        )
    )
    graph.save(tmp_path / "resources.json")
    assert Graph.load(tmp_path / "resources.json") == graph


def test_only_names_what_it_found_instead() -> None:
    graph = Graph((resource("a"), resource("b")))
    assert graph.only("t:i:T", "a").name == "a"
    with pytest.raises(LookupError, match="expected one t:i:T , found: a, b"):
        graph.only("t:i:T")
    with pytest.raises(LookupError, match="expected one t:i:T c, found: none"):
        graph.only("t:i:T", "c")


def test_exports_are_the_stacks_outputs() -> None:
    stack = Resource(urn="urn:s", type=STACK_TYPE, name="s", outputs={"answer": 42})
    assert Graph((resource("a"), stack)).exports == {"answer": 42}
