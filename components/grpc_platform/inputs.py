"""Functions that accept plain values and Outputs."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar, cast, overload

import pulumi
from pydantic import TypeAdapter, ValidationError

from .rules import Mistake, refuse

T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")


@overload
def known(function: Callable[[A], T], a: pulumi.Input[A], /) -> pulumi.Input[T]: ...
@overload
def known(
    function: Callable[[A, B], T], a: pulumi.Input[A], b: pulumi.Input[B], /
) -> pulumi.Input[T]: ...
@overload
def known(
    function: Callable[[A, B, C, D], T],
    a: pulumi.Input[A],
    b: pulumi.Input[B],
    c: pulumi.Input[C],
    d: pulumi.Input[D],
    /,
) -> pulumi.Input[T]: ...
def known(function: Callable[..., T], /, *inputs: Any) -> pulumi.Input[T]:
    """The result of `function`: a plain value if no input is or contains an Output, else an Output.

    Each Output costs time and memory, which adds up with a thousand services.
    """
    if any(map(_is_later, inputs)):
        return pulumi.Output.all(*inputs).apply(lambda values: function(*values))
    return function(*inputs)


def checked(component: str, key: str, kind: Any, value: pulumi.Input[T]) -> pulumi.Input[T]:
    """`value`, if it is valid for `kind`, the type of a spec's field.

    A plain value is checked at once and raises ValueError. An Output is checked when it is known,
    and fails the resource that uses it.
    """
    check: TypeAdapter[Any] = TypeAdapter(kind)

    def allowed(value: T) -> T:
        try:
            check.validate_python(value)
        except ValidationError as error:
            first = error.errors()[0]
            remedy = first["msg"].removeprefix("Value error, ")
            refuse(component, [Mistake((key, *first["loc"]), first["input"], remedy)])
        return value

    return known(allowed, value)


def _is_later(value: object) -> bool:
    if isinstance(value, list | tuple):
        return any(map(_is_later, cast("Sequence[object]", value)))
    return isinstance(value, pulumi.Output | Awaitable)
