"""Where the engine and the tools are of one view, and where not: a recorded graph against a plan,
and what `grpc-platform diff` says of a change against what the engine plans for it."""

from collections.abc import Iterator
from typing import Any, cast

from grpc_platform_tools.diff.report import ResourceChange, StackDiff
from grpc_platform_tools.graph import SECRET, Graph, Resource
from grpc_platform_tools.preview.manifests import dashed
from testbed.engine.outcome import UNCHANGED, UNKNOWN, Outcome, Step

_PROVIDERS = "pulumi:providers:"
_REFERENCE = "pulumi:pulumi:StackReference"
_ADDED = {
    "version": "by the engine",
    "upsertExistingObjects": "by the SDK, from `Home.environment`",
    "enablePatchForce": "the same, where the program does not set it",
}
"""Inputs of providers that no program gave."""
_REPLACED = {"replace", "create-replacement", "delete-replaced"}
_SAME = {"update": "change"}
"""The tools' words for the engine's operations."""


def differences(graph: Graph, plan: Outcome) -> list[str]:
    """What the engine would register otherwise than ``graph`` says, a line each.

    What the engine does not know before an update has a stand-in in the graph: it has to be an
    input that another resource's output goes into.
    """
    planned = {step.urn: step for step in _own(plan)}
    recorded = {resource.urn: resource for resource in graph}
    found = [f"{urn}: only the engine plans it" for urn in planned.keys() - recorded.keys()]
    found += [f"{urn}: only the graph has it" for urn in recorded.keys() - planned.keys()]
    for urn in sorted(planned.keys() & recorded.keys()):
        resource, step = recorded[urn], planned[urn]
        if (resource.parent or None) != step.parent:
            found.append(f"{urn}: its parent is {step.parent}, recorded {resource.parent}")
        if resource.provider and resource.provider != step.provider:
            found.append(f"{urn}: its provider is {step.provider}, recorded {resource.provider}")
        if not resource.is_component:
            found += [f"{urn}: {line}" for line in _inputs(resource, step)]
    return sorted(found)


def operations(outcome: Outcome) -> dict[str, str]:
    """By URN what a preview plans or an update did, in the words of `grpc-platform diff`. What
    stays is left out, and so are components, to which nothing is done."""
    found: dict[str, str] = {}
    for step in filter(lambda step: step.custom, _own(outcome)):
        if step.op in _REPLACED:
            found[step.urn] = "replace"
        elif step.op not in UNCHANGED:
            found.setdefault(step.urn, _SAME.get(step.op, step.op))
    return found


def told(diff: StackDiff) -> dict[str, str]:
    """The same as the diff tells it; what is only renamed is not touched."""
    return {
        change.urn: change.operation
        for change in diff.resources
        if change.operation != "rename" and not _only_options(change)
    }


def _only_options(change: ResourceChange) -> bool:
    """Whether only options differ, such as `protect`: the engine notes them in its state, and plans
    nothing for them."""
    paths = [found.path for found in change.properties]
    options = bool(paths) and all(path.startswith("options.") for path in paths)
    return change.operation == "change" and options


def _own(plan: Outcome) -> Iterator[Step]:
    """The steps of what a program registers: the engine makes default providers by itself, and what
    is only read is not recorded."""
    for step in plan.steps:
        name = step.urn.rpartition("::")[2]
        default = step.type.startswith(_PROVIDERS) and name.startswith("default")
        if not default and step.type != _REFERENCE:
            yield step


def _inputs(resource: Resource, step: Step) -> Iterator[str]:
    given = {key: value for key, value in step.inputs.items() if not key.startswith("__")}
    if resource.type.startswith(_PROVIDERS):
        for added in _ADDED.keys() - resource.inputs.keys():
            given.pop(added, None)
    recorded = resource.inputs
    if resource.type.startswith("kubernetes:"):
        # With a cluster in reach the provider checks objects against its types, and writes them so.
        recorded, given = _as_kubernetes(recorded), _as_kubernetes(given)
    for key in sorted(given.keys() | recorded.keys()):
        carried = bool(resource.property_dependencies.get(key))
        yield from _values(recorded.get(key), given.get(key), key, carried)


def _as_kubernetes(value: Any) -> Any:
    """As the API server reads it: `x_kubernetes_...` with dashes, and an option that is false left
    out."""

    def without_false(part: Any) -> Any:
        if isinstance(part, dict):
            items = cast("dict[str, Any]", part).items()
            return {key: without_false(item) for key, item in items if item is not False}
        if isinstance(part, list):
            return [without_false(item) for item in cast("list[Any]", part)]
        return part

    return without_false(dashed(value))


def _values(recorded: Any, engine: Any, path: str, carried: bool) -> Iterator[str]:
    if engine == UNKNOWN and carried:
        return
    if isinstance(recorded, dict) and isinstance(engine, dict):
        ours, theirs = cast("dict[str, Any]", recorded), cast("dict[str, Any]", engine)
        for key in sorted(ours.keys() | theirs.keys()):
            yield from _values(ours.get(key), theirs.get(key), f"{path}.{key}", carried)
    elif isinstance(recorded, list) and isinstance(engine, list):
        ours, theirs = cast("list[Any]", recorded), cast("list[Any]", engine)
        if len(ours) != len(theirs):
            yield f"{path} has {len(theirs)} elements, recorded {len(ours)}"
        for index, (one, other) in enumerate(zip(ours, theirs, strict=False)):
            yield from _values(one, other, f"{path}[{index}]", carried)
    elif recorded != engine and SECRET not in (recorded, engine):
        yield f"{path} is {engine!r}, recorded {recorded!r}"
    elif recorded != engine:
        yield f"{path} is secret on one side only"
