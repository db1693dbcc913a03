"""The resources of one stack at two revisions: what differs in each, and what that makes of it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from grpc_platform.diff.consequences import say_what_moved, spread
from grpc_platform.diff.pairs import Pair, described, pair_up
from grpc_platform.diff.replacement import forces_replacement
from grpc_platform.diff.report import OPERATIONS, PropertyChange, ResourceChange
from grpc_platform.diff.values import Difference, Segment, differences
from grpc_platform.graph import Graph, Resource, mark_name

_PROVIDER = "provider"
_KUBERNETES_SECRET = "kubernetes:core/v1:Secret"
_SEGMENT = re.compile(r'\["([^"]*)"\]|\[([^\]]*)\]|([^.\[\]]+)')
_OPTIONS = ("protect", "retain_on_delete", "delete_before_replace", "ignore_changes")


@dataclass(frozen=True)
class Side:
    """One revision: what it registers and the config that default providers read."""

    graph: Graph
    config: dict[str, Any]

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


def compare_resources(sides: Sides) -> list[ResourceChange]:
    old, new = sides.old.graph, sides.new.graph
    pairs = pair_up(old, new)
    changes = {
        pair.current.urn: change for pair in pairs if (change := _compared(pair, sides)) is not None
    }
    spread(changes, pairs, old, new)
    say_what_moved(changes, old, new)
    place = {resource.urn: place for place, resource in enumerate(new)}

    def order(change: ResourceChange) -> tuple[object, ...]:
        # What is replaced, after what it is made from; all else by who made it.
        cause = place[change.urn] if change.operation == "replace" else 0
        operation = OPERATIONS.index(change.operation)
        return operation, cause, change.component, change.type, change.label, change.urn

    return sorted(changes.values(), key=order)


def _compared(pair: Pair, sides: Sides) -> ResourceChange | None:
    """How an engine would treat the resource for its own sake; None where it is the same."""
    old, new = sides.old.graph, sides.new.graph
    if pair.new is None:
        return replace(described(pair, old, new), operation="delete")
    found = _differences(pair, sides)
    shown = tuple(map(as_change, found))
    if pair.old is None:
        return replace(described(pair, old, new), operation="create", properties=shown)
    was = pair.old.urn if pair.old.urn != pair.new.urn else None
    if not found and was is None:
        return None
    forced = tuple(d.path for d in found if _forces(pair.old, pair.new, d, sides))
    operation = "replace" if forced else "change" if found else "rename"
    return replace(
        described(pair, old, new),
        operation=operation,
        properties=shown,
        forced_by=forced,
        was=was,
    )


def _differences(pair: Pair, sides: Sides) -> list[Difference]:
    old, new = pair.old, pair.new
    found = differences(old.inputs if old else {}, new.inputs if new else {})
    if new and new.type == _KUBERNETES_SECRET:
        found = [_without_data(d) for d in found]
    if old and new:
        found += _rotated(old, new, sides)
        ignored = [_segments(path) for path in new.options.get("ignore_changes", ())]
        found = [d for d in found if not any(_below(d.raw, path) for path in ignored)]
        options = [{k: r.options[k] for k in _OPTIONS if k in r.options} for r in (old, new)]
        found += differences(*options, path=("options",))
        found += differences(*_provided(old, new, sides))
    return found


def _rotated(old: Resource, new: Resource, sides: Sides) -> Iterator[Difference]:
    """Secrets on both sides that are not the same, by the marks of this one run."""
    for path in sorted({*old.secret_paths} & {*new.secret_paths}):
        marks = (
            side.graph.marks.get(mark_name(resource.urn, path))
            for side, resource in ((sides.old, old), (sides.new, new))
        )
        if path.startswith("inputs.") and len(set(marks)) > 1:
            keys = path.removeprefix("inputs.")
            yield Difference(
                raw=_segments(keys), path=keys, kind="changed", old=None, new=None, hidden=True
            )


def _provided(old: Resource, new: Resource, sides: Sides) -> tuple[dict[str, Any], dict[str, Any]]:
    """What each side gets of its provider without saying so: its region, and which one it is."""
    before, after = sides.old.provider(old), sides.new.provider(new)
    if old.type.startswith("aws:") and "region" not in old.inputs.keys() | new.inputs.keys():
        regions = before.get("region"), after.get("region")
        if None not in regions and forces_replacement(new.type, ("region",), *regions):
            return {"region": regions[0]}, {"region": regions[1]}
    # As providerChanged of the engine: another provider replaces where its own change would.
    # https://github.com/pulumi/pulumi/blob/v3.259.0/pkg/resource/deploy/step_generator.go
    if old.provider != new.provider and new.provider:
        provider = sides.new.graph.by_urn(new.provider)
        found = differences(before, after)
        if old.provider not in provider.aliases and any(
            forces_replacement(provider.type, d.raw, d.old, d.new, before=before, after=after)
            for d in found
        ):
            names = [(urn or "").rpartition("::")[2] for urn in (old.provider, new.provider)]
            return {_PROVIDER: names[0]}, {_PROVIDER: names[1]}
    return {}, {}


def _without_data(found: Difference) -> Difference:
    """A Secret's data is secret, also where the program does not say so."""
    return replace(found, hidden=found.hidden or found.raw[0] in ("data", "stringData"))


def _forces(old: Resource, new: Resource, found: Difference, sides: Sides) -> bool:
    if found.raw[0] in ("options", _PROVIDER):
        return found.raw[0] == _PROVIDER
    asked = map(_segments, new.options.get("replace_on_changes", ()))
    return any(_below(found.raw, path) for path in asked) or forces_replacement(
        new.type,
        found.raw,
        found.old,
        found.new,
        before=old.inputs,
        after=new.inputs,
        provider=sides.new.provider(new),
    )


def _segments(path: str) -> tuple[str, ...]:
    """The keys of a property path such as `spec.ports[0]["a.b"].name`."""
    return tuple("".join(found) for found in _SEGMENT.findall(path))


def _below(path: tuple[Segment, ...], above: tuple[str, ...]) -> bool:
    return len(path) >= len(above) and all(
        wanted in ("*", str(segment)) for wanted, segment in zip(above, path, strict=False)
    )


def as_change(found: Difference, path: str | None = None) -> PropertyChange:
    """The difference as a report holds it, without what may not be shown."""
    values = {} if found.hidden else {"old": found.old, "new": found.new}
    return PropertyChange(
        path=found.path if path is None else path, kind=found.kind, hidden=found.hidden, **values
    )
