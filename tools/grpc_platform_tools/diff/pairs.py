"""Pairs each resource of one revision with the same resource of the other; and the facts that hold
for any change of it."""

from collections.abc import Iterable
from dataclasses import dataclass

from grpc_platform_tools.diff.forcing import Sides
from grpc_platform_tools.diff.replacement import PROTECTED_TYPES, known
from grpc_platform_tools.diff.report import ResourceChange
from grpc_platform_tools.graph import STACK_TYPE, Graph, Resource
from grpc_platform_tools.preview.manifests import is_object, object_label
from grpc_platform_tools.preview.outline import holder, short_type


@dataclass(frozen=True)
class Pair:
    """A resource before and after; None where it is not registered."""

    old: Resource | None
    new: Resource | None

    @property
    def current(self) -> Resource:
        resource = self.new or self.old
        assert resource is not None
        return resource


def pair_up(old: Graph, new: Graph) -> list[Pair]:
    """Every resource with its former self, found by its URN or by one of its aliases."""
    before = {r.urn: r for r in old if not r.is_component}
    after = [r for r in new if not r.is_component]
    left = dict(before)
    for resource in after:
        left.pop(resource.urn, None)
    pairs: list[Pair] = []
    for resource in after:
        was = before.get(resource.urn)
        if was is None:
            urn = next((urn for urn in resource.aliases if urn in left), None)
            was = left.pop(urn) if urn else None
        pairs.append(Pair(was, resource))
    return pairs + [Pair(resource, None) for resource in left.values()]


def described(pair: Pair, sides: Sides) -> ResourceChange:
    """The facts about a resource that hold for any change of it."""
    resource = pair.current
    graph = (sides.new if pair.new else sides.old).graph
    above = holder(graph, resource)
    component = graph.by_urn(above) if above else None
    return ResourceChange(
        operation="change",
        urn=resource.urn,
        type=resource.type,
        label=object_label(resource)
        if is_object(resource)
        else f"{short_type(resource.type)} {resource.name}",
        component=f"{short_type(component.type)} {component.name}"
        if component and component.type != STACK_TYPE
        else "",
        loses=_loses(pair.old),
        notes=tuple(_notes(pair)),
    )


def _notes(pair: Pair) -> Iterable[str]:
    if pair.old and pair.old.options.get("retain_on_delete"):
        yield "the old one is kept (retain_on_delete)"
    if pair.old and pair.new and not known(pair.new.type):
        yield "may be replaced: no rules are known for this type"
    if pair.new and pair.old is None and (given := pair.new.options.get("import_id")):
        yield f"imported: {given}"


def _loses(old: Resource | None) -> str:
    """What is lost with the old resource; nothing if it is retained."""
    if old is None or old.options.get("retain_on_delete"):
        return ""
    protected = "what the program protects" if old.options.get("protect") else ""
    return PROTECTED_TYPES.get(old.type, protected)
