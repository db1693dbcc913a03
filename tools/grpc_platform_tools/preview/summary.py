"""The summary of a preview for people, as Markdown and on a terminal."""

from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from grpc_platform_tools.graph import Graph
from grpc_platform_tools.plain import is_mapping
from grpc_platform_tools.preview.dns import Chain, chains
from grpc_platform_tools.preview.manifests import manifest_warnings
from grpc_platform_tools.preview.outline import Component, outline, plural, short_type

_TYPES_SHOWN = 4


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The stack at a glance, derived from its graph alone."""

    stack: str
    root: Component
    chains: list[Chain]
    times: dict[str, str]
    """The stack's output `timing`."""
    warnings: list[str]


def summarise(graph: Graph, stack: str) -> Summary:
    """Collect the content of both forms."""
    found = chains(graph)
    timing = graph.exports.get("timing")
    times = timing if is_mapping(timing) else {}
    return Summary(
        stack=stack,
        root=outline(graph),
        chains=found,
        times={name.replace("_", " "): t for name, t in times.items() if isinstance(t, str)},
        warnings=[
            *graph.warnings,
            *manifest_warnings(graph),
            *(problem for chain in found for problem in chain.problems),
        ],
    )


def as_markdown(summary: Summary) -> str:
    """The summary as Markdown for a code host."""
    lines = [f"# Preview of {summary.stack}", "", plural(summary.root.count, "resource"), ""]
    if summary.warnings:
        lines += ["## Warnings", "", *(f"- {_cell(line)}" for line in summary.warnings), ""]
    lines += [
        "## Components",
        "",
        "| component | name | type | resources |",
        "| --- | --- | --- | --: |",
    ]
    for component, depth in _walk(summary.root):
        indent = "&nbsp;&nbsp;" * depth
        kind, name = indent + component.kind, component.resource.name
        for number, (type_token, count) in enumerate(sorted(component.types.items())):
            shown = (kind, name) if number == 0 else ("", "")
            lines.append(_row(*shown, f"`{type_token}`", str(count)))
        if not component.types:
            lines.append(_row(kind, name, "", "0"))
    if summary.chains:
        lines += [
            "",
            "## Names",
            "",
            "| host | zone | records | pods | goes to |",
            "| --- " * 5 + "|",
        ]
        for chain in summary.chains:
            records = ", ".join(f"{s.type} {s.name} {_ttl(s.ttl)}" for s in chain.steps)
            zone = next((step.zone for step in chain.steps if step.zone), "")
            pods = chain.pods.description if chain.pods else ""
            lines.append(_row(_host(chain), zone, records, pods, _destinations(chain)))
    if summary.times:
        lines += ["", "## Derived times", "", "| time | |", "| --- | --- |"]
        lines += [_row(name, time) for name, time in summary.times.items()]
    return "\n".join(lines) + "\n"


def print_summary(summary: Summary, console: Console) -> None:
    """The summary on a terminal of any width."""
    console.print(_tree(summary))
    if summary.chains:
        console.print(Text("\nNames", style="bold"))
        for chain in summary.chains:
            console.print(Text(f"  {_host(chain)}"))
            for step in chain.steps:
                console.print(_indented(f"{step.type}, {_ttl(step.ttl)}: {step.value}"))
            if chain.routes:
                console.print(_indented(f"then {_destinations(chain)}"))
    if summary.times:
        console.print(Text("\nDerived times", style="bold"))
        width = max(map(len, summary.times))
        for name, time in summary.times.items():
            console.print(Text(f"  {name:<{width}}  {time}"))
    if summary.warnings:
        console.print(Text(f"\n{plural(len(summary.warnings), 'warning')}", style="bold yellow"))
        for warning in summary.warnings:
            console.print(_indented(warning, 2))


def _tree(summary: Summary) -> Tree:
    def label(component: Component, title: str) -> Text:
        text = Text(title, style="bold")
        text.append(f"  {plural(component.count, 'resource')}", style="not bold")
        common = component.types.most_common()
        types = ", ".join(f"{short_type(t)} {n}" for t, n in common[:_TYPES_SHOWN])
        if len(common) > _TYPES_SHOWN:
            types += ", ..."
        return text.append(f"  {types}" if types else "", style="not bold dim")

    def grow(tree: Tree, component: Component) -> Tree:
        for inner in component.inner:
            grow(tree.add(label(inner, f"{inner.kind} {inner.resource.name}")), inner)
        return tree

    return grow(Tree(label(summary.root, summary.stack), guide_style="dim"), summary.root)


def _walk(component: Component, depth: int = 0) -> Iterator[tuple[Component, int]]:
    yield component, depth
    for inner in component.inner:
        yield from _walk(inner, depth + 1)


def _host(chain: Chain) -> str:
    return chain.host if chain.share == 1 else f"{chain.host} ({chain.share:.0%})"


def _destinations(chain: Chain) -> str:
    return ", ".join(f"{r.service}{' (TLS)' if r.tls else ''}" for r in chain.routes)


def _ttl(ttl: int | None) -> str:
    return "no TTL" if ttl is None else f"{ttl} s"


def _indented(line: str, by: int = 4) -> Text:
    return Text(" " * by + line)


def _row(*cells: str | None) -> str:
    return f"| {' | '.join(_cell(cell or '') for cell in cells)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
