"""Which changes the engine ignores, and which force a replacement, by the program's options and the
provider's rules."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from grpc_platform_tools.diff.calls import Entries, entries
from grpc_platform_tools.diff.replacement import forces_replacement
from grpc_platform_tools.diff.serving import serving
from grpc_platform_tools.diff.values import Difference, Segment
from grpc_platform_tools.graph import Graph, Resource

PROVIDER = "provider"
"""The path of a difference in a resource's provider."""

_SEGMENT = re.compile(r'\["([^"]*)"\]|\[([^\]]*)\]|([^.\[\]]+)')
_FORCING_OPTIONS = ("replacement_trigger", "import_id")


@dataclass(frozen=True)
class Side:
    """One revision: the resources that it registers, and the config that default providers read."""

    graph: Graph
    config: dict[str, Any]

    @cached_property
    def serving(self) -> frozenset[str]:
        """The URNs of workloads that serve calls."""
        return serving(self.graph)

    @cached_property
    def entries(self) -> Entries:
        """What its Ingresses serve."""
        return entries(self.graph)

    def provider(self, resource: Resource) -> dict[str, Any]:
        """The inputs of a resource's provider, or what config gives the default one."""
        if resource.provider:
            return self.graph.by_urn(resource.provider).inputs
        package = f"{resource.type.partition(':')[0]}:"
        return {
            key.removeprefix(package): value
            for key, value in self.config.items()
            if key.startswith(package)
        }


@dataclass(frozen=True)
class Sides:
    old: Side
    new: Side


def forces(old: Resource, new: Resource, found: Difference, sides: Sides) -> bool:
    """Whether a difference replaces the resource."""
    if found.raw[0] == PROVIDER:
        return True
    if found.raw[0] == "options":
        return found.kind == "changed" and found.raw[1] in _FORCING_OPTIONS
    return is_asked_to_replace(new, found.raw) or forces_replacement(
        new.type,
        found.raw,
        found.old,
        found.new,
        before=old.inputs,
        after=new.inputs,
        provider=sides.new.provider(new),
    )


def is_asked_to_replace(resource: Resource, raw: tuple[Segment, ...]) -> bool:
    """Whether `replace_on_changes` names an input, or a mapping or list around it."""
    return _any_below(resource, "replace_on_changes", raw)


def is_ignored(resource: Resource, raw: tuple[Segment, ...]) -> bool:
    """Whether `ignore_changes` names an input, or a mapping or list around it."""
    return _any_below(resource, "ignore_changes", raw)


def segments(path: str) -> tuple[str, ...]:
    """The keys of a property path such as `spec.ports[0]["a.b"].name`."""
    return tuple("".join(found) for found in _SEGMENT.findall(path))


def _any_below(resource: Resource, option: str, raw: tuple[Segment, ...]) -> bool:
    return any(_below(raw, segments(path)) for path in resource.options.get(option, ()))


def _below(path: tuple[Segment, ...], above: tuple[str, ...]) -> bool:
    return len(path) >= len(above) and all(
        wanted in ("*", str(segment)) for wanted, segment in zip(above, path, strict=False)
    )
