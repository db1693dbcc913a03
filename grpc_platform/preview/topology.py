"""A Mermaid picture: the way of a call through the components, and what is built on what."""

from collections import Counter
from collections.abc import Mapping

from grpc_platform.graph import STACK_TYPE, Graph
from grpc_platform.preview.dns import Chain
from grpc_platform.preview.outline import Component, outline, plural

_MANY = 6
"""Components of one class beyond this many are drawn as one."""
_HOSTS_SHOWN = 3


def topology(graph: Graph, chains: list[Chain]) -> str:
    """Solid arrows are the way of a call, dotted ones lead from what is built first."""
    components = outline(graph).inner
    nodes = _nodes(components)
    node_of = _node_of_resources(graph, nodes)
    lines = ["flowchart LR"]
    labels: dict[str, list[Component]] = {}
    for component in components:
        labels.setdefault(nodes[component.resource.urn], []).append(component)
    for node, members in labels.items():
        name = members[0].resource.name if len(members) == 1 else plural(len(members), "component")
        resources = plural(sum(member.count for member in members), "resource")
        lines.append(
            f'  {node}["{_escaped(members[0].kind)}<br/>{_escaped(name)}<br/>{resources}"]'
        )
    calls, onward = _calls(chains, node_of)
    if calls:
        lines.append('  client(["client"])')
    lines += calls
    lines += [f"  {envoy} ==> {service}" for envoy, service in onward]
    built = _built_after(graph, node_of)
    lines += [f"  {first} -.-> {then}" for first, then in built if (first, then) not in onward]
    return "\n".join(lines) + "\n"


def _nodes(components: tuple[Component, ...]) -> dict[str, str]:
    """The node of each component, by URN; many of one class share one."""
    kinds = Counter(component.kind for component in components)
    shared: dict[str, str] = {}
    nodes: dict[str, str] = {}
    for component in components:
        node = f"c{len(set(nodes.values()))}"
        if kinds[component.kind] > _MANY:
            node = shared.setdefault(component.kind, node)
        nodes[component.resource.urn] = node
    return nodes


def _node_of_resources(graph: Graph, nodes: Mapping[str, str]) -> dict[str, str]:
    found = dict(nodes)
    for resource in graph:  # parents come first
        if resource.urn not in found and resource.parent in found:
            found[resource.urn] = found[resource.parent]
    return found


def _calls(
    chains: list[Chain], node_of: Mapping[str, str]
) -> tuple[list[str], list[tuple[str, str]]]:
    hosts: dict[str, list[str]] = {}
    ends: dict[str, Chain] = {}
    onward: dict[tuple[str, str], None] = {}
    for chain in chains:
        if chain.pods is None:
            continue
        last = chain.steps[-1].name
        hosts.setdefault(last, []).append(chain.host)
        ends[last] = chain
        envoy = node_of[chain.pods.service_urn]
        onward |= {(envoy, node_of[r.ingress_urn]): None for r in chain.routes}
    lines: list[str] = []
    for number, (name, named) in enumerate(hosts.items()):
        pods = ends[name].pods
        assert pods is not None
        shown = "<br/>".join(map(_escaped, named[:_HOSTS_SHOWN]))
        if len(named) > _HOSTS_SHOWN:
            shown += f"<br/>and {len(named) - _HOSTS_SHOWN} more"
        lines.append(f'  client -->|"{shown}"| n{number}("{_escaped(name)}")')
        lines.append(f'  n{number} -->|"{_escaped(pods.description)}"| {node_of[pods.service_urn]}')
    return lines, [(envoy, service) for envoy, service in onward if envoy != service]


def _built_after(graph: Graph, node_of: Mapping[str, str]) -> list[tuple[str, str]]:
    """Which node needs which, without what already follows from other pairs."""
    needs: dict[str, set[str]] = {node: set() for node in node_of.values()}
    for resource in graph:
        if resource.type == STACK_TYPE or resource.urn not in node_of:
            continue
        provider = (resource.provider,) if resource.provider else ()
        for urn in (*resource.depends_on, *provider):
            if urn in node_of:
                needs[node_of[resource.urn]].add(node_of[urn])
    for node, needed in needs.items():
        needed.discard(node)

    def reachable(node: str, seen: set[str]) -> set[str]:
        for needed in needs[node] - seen:
            seen.add(needed)
            reachable(needed, seen)
        return seen

    return sorted(
        (first, then)
        for then, needed in needs.items()
        for first in needed
        if not any(first in reachable(other, set()) for other in needed - {first})
    )


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
