"""Plain values and Outputs alike."""

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
    """The result of `function`: at once where no input is or holds an Output, else an Output of it.

    Each Output costs a program time and memory, which a thousand services multiply.
    """
    if any(map(_is_later, inputs)):
        return pulumi.Output.all(*inputs).apply(lambda values: function(*values))
    return function(*inputs)


def checked(component: str, key: str, kind: Any, value: pulumi.Input[T]) -> pulumi.Input[T]:
    """`value`, if it is what `kind`, the type of a spec's field, allows.

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
