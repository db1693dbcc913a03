"""A program's components as a tree, with the resources of each."""

from collections import Counter, defaultdict
from dataclasses import dataclass

from grpc_platform_tools.graph import STACK_TYPE, Graph, Resource


@dataclass(frozen=True)
class Component:
    """One component (or the stack): its own resources, and the components inside it."""

    resource: Resource
    types: Counter[str]
    """The number of resources of each type token, without those of inner components."""
    inner: tuple["Component", ...]

    @property
    def kind(self) -> str:
        """Its class: `Envoy` of `grpc-platform:index:Envoy`."""
        return short_type(self.resource.type)

    @property
    def count(self) -> int:
        """The number of resources in it and in the components inside it."""
        return self.types.total() + sum(component.count for component in self.inner)


def outline(graph: Graph) -> Component:
    """The stack's component, which holds all others; providers count as resources."""
    holdings: defaultdict[str | None, list[Resource]] = defaultdict(list)
    for resource in graph:
        if resource.type != STACK_TYPE:
            holdings[holder(graph, resource)].append(resource)

    def component(resource: Resource) -> Component:
        held = holdings[resource.urn]
        inner = [component(r) for r in held if r.is_component]
        # Classes in order of first appearance, which is the order of building; within each, by
        # name.
        classes = list(dict.fromkeys(c.resource.type for c in inner))
        inner.sort(key=lambda c: (classes.index(c.resource.type), c.resource.name))
        types = Counter(sorted(r.type for r in held if not r.is_component))
        return Component(resource, types, tuple(inner))

    return component(graph.only(STACK_TYPE))


def holder(graph: Graph, resource: Resource) -> str | None:
    """URN of the nearest component above a resource."""
    urn = resource.parent
    while urn is not None:
        above = graph.by_urn(urn)
        if above.is_component:
            return urn
        urn = above.parent
    return None


def short_type(token: str) -> str:
    """`Subnet` of `aws:ec2/subnet:Subnet`, `aws provider` of `pulumi:providers:aws`."""
    last = token.rpartition(":")[2]
    return f"{last} provider" if token.startswith("pulumi:providers:") else last


def plural(count: int, noun: str) -> str:
    """`1 resource`, `2 resources`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
