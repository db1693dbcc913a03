"""Names of objects that are replaced when their content changes."""

from collections.abc import Callable
from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from grpc_platform.names import named_after
from grpc_platform_tools.preview.record import record


def name(content: Callable[[], Any]) -> str:
    found: list[str] = []
    record(lambda: named_after("job", content()).apply(found.append))
    return found[0]


def container(image: str) -> k8s.core.v1.ContainerArgs:
    return k8s.core.v1.ContainerArgs(name="contour", image=image)


def test_the_same_content_in_another_order_keeps_its_name() -> None:
    """A stack file may list its keys in any order, and a new name starts a new Job."""
    one = name(lambda: {"a": 1, "b": {"c": 2, "d": 3}})
    assert one == name(lambda: {"b": {"d": 3, "c": 2}, "a": 1})


def test_content_is_told_apart_within_arguments_and_once_it_is_known() -> None:
    plain, known_later = (
        name(lambda: [container("a")]),
        name(lambda: pulumi.Output.from_input([container("a")])),
    )
    assert plain == known_later
    assert plain != name(lambda: [container("b")])
