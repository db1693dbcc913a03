"""Two recordings of one stack, compared: what an engine would do if the base were deployed."""

from collections import Counter
from typing import Any, Literal

from grpc_platform_tools.diff.forcing import Side, Sides
from grpc_platform_tools.diff.recordings import Recording
from grpc_platform_tools.diff.report import PropertyChange, StackDiff
from grpc_platform_tools.diff.resources import as_change, compare_resources, rotated
from grpc_platform_tools.diff.values import differences
from grpc_platform_tools.diff.verdicts import beside_their_causes, told, verdicts_of
from grpc_platform_tools.graph import STACK_TYPE, Graph
from grpc_platform_tools.plain import is_list, is_mapping
from grpc_platform_tools.preview.dns import chains
from grpc_platform_tools.preview.stack_file import is_ciphertext

_TIMES = "timing"


def compare(stack: str, base: Recording | None, head: Recording | None) -> StackDiff:
    """The diff of one stack; None where a revision has no file for it."""
    problems: dict[Literal["base", "head"], list[str]] = {}
    if base and base.problems:
        problems["base"] = list(base.problems)
    if head and head.problems:
        problems["head"] = list(head.problems)
    config = tuple(_config(base, head))
    if problems:
        return StackDiff(stack=stack, status="failed", problems=problems, config=config)
    if head is None:
        return StackDiff(stack=stack, status="removed", problems={})
    old = base.graph if base and base.graph else Graph(())
    new = head.graph or Graph(())
    sides = Sides(Side(old, (base and base.config) or {}), Side(new, head.config or {}))
    changes = compare_resources(sides)
    after = verdicts_of(stack, head)
    verdicts = told(verdicts_of(stack, base), after, changes)
    resources = tuple(beside_their_causes(changes, after, verdicts))
    touched = {change.type for change in resources}
    times, outputs = _outputs(sides)
    before = set(_warnings(old))
    return StackDiff(
        stack=stack,
        status="compared" if base else "new",
        problems={},
        resources=resources,
        totals=Counter(sorted(r.type for r in new if r.type in touched)),
        config=config,
        times=tuple(times),
        outputs=tuple(outputs),
        warnings=tuple(w for w in _warnings(new) if w not in before),
        verdicts=verdicts,
    )


def _warnings(graph: Graph) -> list[str]:
    return [*graph.warnings, *(problem for chain in chains(graph) for problem in chain.problems)]


def _config(base: Recording | None, head: Recording | None) -> list[PropertyChange]:
    changes: list[PropertyChange] = []
    old, new = base.config if base else {}, head.config if head else {}
    if old is None or new is None:
        return []
    for key in sorted(old.keys() | new.keys()):
        sides = {"old": old[key]} if key in old else {}
        sides |= {"new": new[key]} if key in new else {}
        # Ciphertext shows whether a value changed, but must not be printed.
        hidden = any(_has_ciphertext(value) for value in sides.values())
        if len(sides) < 2:
            kind = "added" if key in new else "removed"
            shown = {} if hidden else sides
            changes.append(PropertyChange(path=key, kind=kind, hidden=hidden, **shown))
        elif hidden and old[key] != new[key]:
            changes.append(PropertyChange(path=key, kind="changed", hidden=True))
        else:
            found = differences(old[key], new[key])
            changes += [as_change(d, _joined(key, d.path)) for d in found]
    return changes


def _joined(key: str, path: str) -> str:
    return f"{key}.{path}" if path and not path.startswith("[") else f"{key}{path}"


def _has_ciphertext(value: Any) -> bool:
    if is_mapping(value):
        return is_ciphertext(value) or any(map(_has_ciphertext, value.values()))
    return is_list(value) and any(map(_has_ciphertext, value))


def _outputs(sides: Sides) -> tuple[list[PropertyChange], list[PropertyChange]]:
    """The derived times that differ, and the other outputs of the stack."""
    graphs = sides.old.graph, sides.new.graph
    before, after = (dict(graph.exports) if graph.resources else {} for graph in graphs)
    times = differences(before.pop(_TIMES, None) or {}, after.pop(_TIMES, None) or {})
    found = differences(before, after)
    if all(graph.resources for graph in graphs):
        old, new = (graph.only(STACK_TYPE) for graph in graphs)
        found += rotated(old, new, sides, "outputs.")
    return [as_change(d) for d in times], [as_change(d) for d in found]
