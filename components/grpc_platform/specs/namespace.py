"""A namespace for services, made by the platform."""

from typing import Annotated

from pydantic import Field

from .base import Label, Spec


class NamespaceSpec(Spec):
    """A namespace for services of this stack or of others. Deleting it deletes everything in it;
    deleting a service does not affect it."""

    clusters: Annotated[tuple[Label, ...], Field(min_length=1)] | None = None
    """The serving clusters that get it; by default all."""
