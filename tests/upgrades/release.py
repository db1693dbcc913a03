"""What the last release registered, as far as an upgrade must not lose it: URNs, and the inputs
whose change makes a provider replace the resource, physical names among them.

    .venv/bin/python -m tests.upgrades.release

holds what is registered now. It is part of a release, and of nothing else.
"""

import json
import re
from pathlib import Path
from typing import Any

from grpc_platform_tools.diff.replacement import forces_replacement
from grpc_platform_tools.graph import STACK_TYPE, Graph, Resource
from grpc_platform_tools.plain import is_list, is_mapping
from grpc_platform_tools.preview.program import run_program
from grpc_platform_tools.preview.stack_file import read_stack_file
from tests.tree import ROOT, committed_stacks

FILE = Path(__file__).with_name("release.json")
CHANGELOG = ROOT / "CHANGELOG.md"

PLATFORM = "grpc-platform/prod"
"""The stack whose outputs are held: it has some of every kind."""
RELEASE: dict[str, Any] = json.loads(FILE.read_text()) if FILE.exists() else {}

# Compare each value with these to learn whether a change matters: another value, and none.
_OTHERS = ("\0", None)


def recorded(directory: Path, stack: str) -> Graph:
    """The resources that a stack registers now."""
    return run_program(directory, stack, read_stack_file(directory, stack))


def held(graph: Graph) -> dict[str, dict[str, Any]]:
    """The part of each resource to hold, by URN without the prefix that all URNs of a stack
    share."""
    prefix = _prefix(graph.only(STACK_TYPE).urn)
    return {
        r.urn.removeprefix(prefix): {
            key: value
            for key, value in (
                ("component", r.is_component),
                ("parent", (r.parent or "").removeprefix(prefix)),
                ("provider", (r.provider or "").removeprefix(prefix)),
                ("inputs", None if r.is_component else _kept(r.type, (), r.inputs)),
            )
            if value
        }
        for r in graph
    }


def _prefix(urn: str) -> str:
    return urn[: -len(urn.split("::", 2)[2])]


def _kept(type_token: str, path: tuple[str | int, ...], value: Any) -> Any:
    """The part of an input that forces a replacement; None where there is none."""
    if is_mapping(value):
        found = {key: _kept(type_token, (*path, key), item) for key, item in value.items()}
        return {key: item for key, item in found.items() if item is not None} or None
    if is_list(value):
        # A list as a whole or not at all: an element's position counts.
        whole = any(
            _kept(type_token, (*path, index), item) is not None for index, item in enumerate(value)
        )
        return value if whole else None
    forces = (
        forces_replacement(type_token, path, old, new)
        for other in _OTHERS
        for old, new in ((value, other), (other, value))
    )
    return value if any(forces) else None


def graph_of(stack: str, resources: dict[str, dict[str, Any]]) -> Graph:
    """What `held` kept of `<project>/<stack>`, as a graph to compare with."""
    project, _, name = stack.partition("/")
    prefix = f"urn:pulumi:{name}::{project}::"
    return Graph(
        tuple(
            Resource(
                urn=prefix + urn,
                type=urn.partition("::")[0].rpartition("$")[2],
                name=urn.partition("::")[2],
                parent=prefix + kept["parent"] if "parent" in kept else None,
                provider=prefix + kept["provider"] if "provider" in kept else None,
                inputs=kept.get("inputs", {}),
                options={"component": True} if "component" in kept else {},
            )
            for urn, kept in resources.items()
        )
    )


def sections() -> dict[str, str]:
    """The changelog's text by release, the newest first."""
    _, *parts = re.split(r"^## ", CHANGELOG.read_text(), flags=re.MULTILINE)
    return {part.partition("\n")[0].split()[0]: part.partition("\n")[2] for part in parts}


def _text() -> str:
    """One line for each resource, so that a change of the file can be read."""
    version = next(name for name in sections() if name != "Unreleased")
    graphs = {stack: recorded(*where) for stack, where in committed_stacks().items()}
    stacks = (
        f"{json.dumps(stack)}: {{\n"
        + ",\n".join(f"{json.dumps(urn)}: {json.dumps(kept)}" for urn, kept in held(graph).items())
        + "}"
        for stack, graph in graphs.items()
    )
    exports = json.dumps(graphs[PLATFORM].exports, indent=1)
    head = f'{{"version": {json.dumps(version)},\n"exports": {exports},\n"stacks": {{\n'
    return head + ",\n".join(stacks) + "}}\n"


if __name__ == "__main__":
    FILE.write_text(_text())
