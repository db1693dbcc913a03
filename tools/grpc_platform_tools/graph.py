"""The recorded resource graph: the one plain data form that every tool here uses."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

SECRET = "[secret]"
"""Stands in for every secret value; the value itself is never recorded."""

UNKNOWN = "[unknown]"
"""Stands in for a value that only an update will know. A recording has none; a graph that an engine
handed over does."""

STACK_TYPE = "pulumi:pulumi:Stack"


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One registration, as the engine would have received it.

    `inputs` are plain JSON with the provider's own (camelCase) keys; `outputs` are what a component
    or the stack registered. `id` is the stand-in for the provider's answer. `depends_on` holds
    explicit dependencies and those carried by inputs; `property_dependencies` says which input
    carries which. `secret_paths` are dotted paths into inputs (`inputs.data.key`) or outputs whose
    values were secret and now read `[secret]`.
    """

    urn: str
    type: str
    name: str
    id: str = ""
    parent: str | None = None
    provider: str | None = None
    inputs: dict[str, Any] = field(default_factory=dict[str, Any])
    depends_on: tuple[str, ...] = ()
    property_dependencies: dict[str, tuple[str, ...]] = field(
        default_factory=dict[str, tuple[str, ...]]
    )
    secret_paths: tuple[str, ...] = ()
    outputs: dict[str, Any] = field(default_factory=dict[str, Any])
    aliases: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def is_component(self) -> bool:
        """Whether this groups other resources and creates nothing itself."""
        return self.type == STACK_TYPE or bool(self.options.get("component"))


@dataclass(frozen=True)
class Graph:
    """All resources of one program, each after everything it needs."""

    resources: tuple[Resource, ...]
    warnings: tuple[str, ...] = ()
    """Warnings of the program while it ran; not saved."""
    marks: Mapping[str, str] = field(default_factory=dict[str, str])
    """By URN and secret path, a mark that is equal for equal secrets; not saved."""

    def __iter__(self) -> Iterator[Resource]:
        return iter(self.resources)

    def __len__(self) -> int:
        return len(self.resources)

    def of_type(self, type_token: str) -> list[Resource]:
        """Every resource of one type token, such as `aws:ec2/vpc:Vpc`."""
        return [r for r in self.resources if r.type == type_token]

    def only(self, type_token: str, name: str | None = None) -> Resource:
        """The one resource of a type (and name); LookupError says what was found instead."""
        found = [r for r in self.of_type(type_token) if name is None or r.name == name]
        if len(found) != 1:
            names = ", ".join(r.name for r in found) or "none"
            raise LookupError(f"expected one {type_token} {name or ''}, found: {names}")
        return found[0]

    def by_urn(self, urn: str) -> Resource:
        """The resource of this URN."""
        return self._index[urn]

    def needs(self, resource: Resource) -> set[str]:
        """URNs that must exist before `resource`, directly or through others.

        Providers count, and so does what a provider itself waits for. A parent does not: the engine
        creates a child after its parent's registration, not after its siblings.
        """
        index = self._index
        seen: set[str] = set()
        todo = [resource]
        while todo:
            current = todo.pop()
            provider = (current.provider,) if current.provider else ()
            for urn in (*current.depends_on, *provider):
                if urn not in seen and urn in index:
                    seen.add(urn)
                    todo.append(index[urn])
        return seen

    @property
    def exports(self) -> dict[str, Any]:
        """The stack's outputs."""
        return self.only(STACK_TYPE).outputs

    @cached_property
    def _index(self) -> dict[str, Resource]:
        return {r.urn: r for r in self.resources}

    def save(self, path: Path) -> None:
        """Write the graph as JSON, with stable order, for other tools and for diffs."""
        with path.open("w") as file:
            # One at a time: the whole text of a large stack would double the memory.
            for number, resource in enumerate(self.resources):
                file.write(",\n" if number else "[\n")
                file.write(json.dumps(vars(resource), indent=2, sort_keys=True))
            file.write("\n]\n" if self.resources else "[]\n")

    @classmethod
    def load(cls, path: Path) -> "Graph":
        """Read what `save` wrote."""
        return cls.parse(path.read_bytes())

    @classmethod
    def parse(
        cls, text: bytes, warnings: Iterable[str] = (), marks: Mapping[str, str] | None = None
    ) -> "Graph":
        """The graph from what `save` wrote, with the fields that `save` leaves out."""
        # Imported only here: a recorder's Python may have no pydantic.
        from pydantic import TypeAdapter

        resources = TypeAdapter(tuple[Resource, ...]).validate_json(text)
        return cls(resources, tuple(warnings), marks or {})


def mark_name(urn: str, path: str) -> str:
    """The key of a secret in `Graph.marks`."""
    return f"{urn} {path}"


def in_dependency_order(resources: Iterable[Resource]) -> tuple[Resource, ...]:
    """Sort each resource after those that it needs; ties are broken by URN, so that runs compare
    equal."""
    waiting = {r.urn: r for r in sorted(resources, key=lambda r: r.urn)}
    ordered: dict[str, Resource] = {}

    def place(resource: Resource) -> None:
        if waiting.pop(resource.urn, None) is None:
            return
        for urn in (resource.parent, resource.provider, *sorted(resource.depends_on)):
            if urn in waiting:
                place(waiting[urn])
        ordered[resource.urn] = resource

    for resource in list(waiting.values()):
        place(resource)
    return tuple(ordered.values())
