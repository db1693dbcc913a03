"""A namespace for services, made by the platform."""

from typing import Annotated

from pydantic import Field

from .base import Label, Spec


class NamespaceSpec(Spec):
    """A namespace that services are in, of this stack or of others. Deleting it deletes all that is
    in it; deleting a service does not touch it."""

    clusters: Annotated[tuple[Label, ...], Field(min_length=1)] | None = None
    """The serving clusters that have it; all unless given."""
