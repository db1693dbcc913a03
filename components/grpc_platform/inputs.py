"""Plain values and Outputs alike."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pulumi

T = TypeVar("T")


def known(function: Callable[..., T], **inputs: Any) -> pulumi.Input[T]:
    """The result of `function`: at once where no input is an Output, else an Output of it.

    Each Output costs a program time and memory, which a thousand services multiply.
    """
    if any(isinstance(value, pulumi.Output | Awaitable) for value in inputs.values()):
        return pulumi.Output.all(**inputs).apply(lambda values: function(**values))
    return function(**inputs)
