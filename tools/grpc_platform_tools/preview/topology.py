"""A Mermaid diagram: a call's path through the components, and their dependencies."""

from collections import Counter
from collections.abc import Iterable

from grpc_platform_tools.graph import STACK_TYPE, Graph
from grpc_platform_tools.preview.dns import Chain
from grpc_platform_tools.preview.outline import Component, outline, plural

_MANY = 6
"""More components of one class than this, side by side, are drawn as one."""
_HOSTS_SHOWN = 3

Edge = tuple[str, str]


def topology(graph: Graph, chains: list[Chain]) -> str:
    """Solid arrows show a call's path. Dotted arrows start at the component that is built first."""
    picture = _Picture()
    lines = ["flowchart LR", *picture.draw(outline(graph).inner, depth=1)]
    node_of = dict(picture.node_of)
    for resource in graph:  # parents come first
        if resource.urn not in node_of and resource.parent in node_of:
            node_of[resource.urn] = node_of[resource.parent]
    names, onward = _calls(chains, node_of)
    if names:
        lines.append('  client(["client"])')
    lines += names
    lines += [f"  {envoy} ==> {service}" for envoy, service in onward if envoy != service]
    built = _built_after(picture.without_nesting(_needs(graph, node_of)))
    lines += [f"  {first} -.-> {then}" for first, then in built if (first, then) not in onward]
    return "\n".join(lines) + "\n"


class _Picture:
    """Gives every component a node; a component with others inside is a box around them."""

    def __init__(self) -> None:
        self.node_of: dict[str, str] = {}
        self._boxes: dict[str, str] = {}  # the box around each node

    def draw(self, components: tuple[Component, ...], depth: int, box: str = "") -> list[str]:
        kinds = Counter(component.kind for component in components)
        groups: dict[str, list[Component]] = {}
        for component in components:
            many = kinds[component.kind] > _MANY
            groups.setdefault(component.kind if many else component.resource.urn, []).append(
                component
            )
        lines: list[str] = []
        for members in groups.values():
            lines += self._draw_one(members, depth, box)
        return lines

    def _draw_one(self, members: list[Component], depth: int, box: str) -> list[str]:
        node = f"c{len(self._boxes)}"
        self._boxes[node] = box
        self.node_of |= {member.resource.urn: node for member in members}
        first, indent = members[0], "  " * depth
        name = first.resource.name if len(members) == 1 else f"{len(members)} of them"
        count = plural(sum(member.count for member in members), "resource")
        title = f'{node}["{_escaped(first.kind)}<br/>{_escaped(name)}<br/>{count}"]'
        if len(members) > 1 or not first.inner:
            return [indent + title]
        inside = self.draw(first.inner, depth + 1, node)
        return [f"{indent}subgraph {title}", *inside, f"{indent}end"]

    def without_nesting(self, edges: Iterable[Edge]) -> set[Edge]:
        """Edges without those between a box and its content, which the box itself shows."""
        return {
            (first, then)
            for first, then in edges
            if then not in self._around(first) and first not in self._around(then)
        }

    def _around(self, node: str) -> list[str]:
        return [node, *self._around(self._boxes[node])] if node else []


def _calls(chains: list[Chain], node_of: dict[str, str]) -> tuple[list[str], list[Edge]]:
    """Lines from the client through each name, and the edges from the proxy to the services."""
    hosts: dict[str, list[str]] = {}
    arrows: dict[str, str] = {}
    onward: dict[Edge, None] = {}
    for chain in chains:
        if chain.pods is None:
            continue
        name, envoy = chain.steps[-1].name, node_of[chain.pods.service_urn]
        hosts.setdefault(name, []).append(chain.host)
        arrows[name] = f'-->|"{_escaped(chain.pods.description)}"| {envoy}'
        onward |= {(envoy, node_of[route.ingress_urn]): None for route in chain.routes}
    lines: list[str] = []
    for number, (name, named) in enumerate(hosts.items()):
        shown = "<br/>".join(map(_escaped, named[:_HOSTS_SHOWN]))
        if len(named) > _HOSTS_SHOWN:
            shown += f"<br/>and {len(named) - _HOSTS_SHOWN} more"
        lines.append(f'  client -->|"{shown}"| n{number}("{_escaped(name)}")')
        lines.append(f"  n{number} {arrows[name]}")
    return lines, list(onward)


def _needs(graph: Graph, node_of: dict[str, str]) -> set[Edge]:
    """(first, then) for every pair of nodes where the second depends on the first."""
    return {
        (node_of[urn], node_of[resource.urn])
        for resource in graph
        if resource.type != STACK_TYPE and resource.urn in node_of
        for urn in (*resource.depends_on, resource.provider)
        if urn in node_of
    }


def _built_after(edges: set[Edge]) -> list[Edge]:
    """The edges without those that others imply."""
    needs: dict[str, set[str]] = {}
    for first, then in edges:
        needs.setdefault(then, set()).add(first)

    def reachable(node: str, seen: set[str]) -> set[str]:
        for needed in needs.get(node, set()) - seen:
            seen.add(needed)
            reachable(needed, seen)
        return seen

    return sorted(
        (first, then)
        for first, then in edges
        if not any(first in reachable(other, set()) for other in needs[then] - {first})
    )


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
