"""Compares the resources of one stack at two revisions: what differs in each, and what an update
would do."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from grpc_platform_tools.diff.calls import lost_calls
from grpc_platform_tools.diff.consequences import as_replaced, say_what_moved, spread, with_calls
from grpc_platform_tools.diff.forcing import PROVIDER, Sides, forces, is_ignored, segments
from grpc_platform_tools.diff.pairs import Pair, described, pair_up
from grpc_platform_tools.diff.refusals import refused_removal, refused_update
from grpc_platform_tools.diff.replacement import forces_replacement
from grpc_platform_tools.diff.replacement_kubernetes import CLUSTER_KEYS, is_unclear
from grpc_platform_tools.diff.report import OPERATIONS, PropertyChange, ResourceChange
from grpc_platform_tools.diff.values import Difference, differences
from grpc_platform_tools.graph import Resource, mark_name

# Kubernetes Secrets of every API, and the fields of one that are not secret.
_SECRET_KINDS = ("Secret", "SecretList")
_PUBLIC = ("apiVersion", "kind", "metadata", "type", "immutable")
_OPTIONS = (
    "protect",
    "retain_on_delete",
    "delete_before_replace",
    "ignore_changes",
    "replacement_trigger",
    "import_id",
)


def compare_resources(sides: Sides) -> list[ResourceChange]:
    """Every resource that the two sides register differently, in the order to show."""
    old, new = sides.old.graph, sides.new.graph
    pairs = pair_up(old, new)
    changes = {
        pair.current.urn: change for pair in pairs if (change := _compared(pair, sides)) is not None
    }
    spread(changes, pairs, sides)
    say_what_moved(changes, old, new)
    place = {resource.urn: place for place, resource in enumerate(new)}

    def order(change: ResourceChange) -> tuple[object, ...]:
        # A replaced resource comes after the one it is made from; the others are ordered by
        # component.
        cause = place[change.urn] if change.operation == "replace" else 0
        operation = OPERATIONS.index(change.operation)
        return operation, cause, change.component, change.type, change.label, change.urn

    return sorted(changes.values(), key=order)


def _compared(pair: Pair, sides: Sides) -> ResourceChange | None:
    """What an engine would do to the resource because of its own change; None if it is the same."""
    change = described(pair, sides)
    if pair.old:
        lost = lost_calls(pair.old, pair.new, sides.new.entries)
        change = replace(change, notes=(*change.notes, *lost))
    if pair.new is None:
        change = replace(change, operation="delete")
        if pair.old is None:
            return change
        return with_calls(replace(change, refused=refused_removal(pair.old)), pair.old, sides)
    found = list(_differences(pair, sides))
    change = replace(change, properties=tuple(map(as_change, found)))
    if pair.old is None:
        return replace(change, operation="create")
    if pair.old.urn != pair.new.urn:
        change = replace(change, was=pair.old.urn)
    elif not found:
        return None
    forced = tuple(d.path for d in found if forces(pair.old, pair.new, d, sides))
    change = replace(
        change, notes=(*change.notes, *_of_the_cluster(pair.old, pair.new, found, forced))
    )
    if forced:
        change = replace(change, forced_by=forced)
        return as_replaced(change, pair.old, pair.new, sides, deleted_first=False)
    refused = refused_update(pair.old, pair.new)
    return replace(change, operation="change" if found else "rename", refused=refused)


def _of_the_cluster(
    old: Resource, new: Resource, found: list[Difference], forced: tuple[str, ...]
) -> Iterator[str]:
    """The note for a Kubernetes provider that has no unchanged clusterIdentifier."""
    if new.type != "pulumi:providers:kubernetes" or not any(
        d.raw[0] in CLUSTER_KEYS for d in found
    ):
        return
    if forced and "clusterIdentifier" not in forced:
        yield "if the cluster is the same, give it a clusterIdentifier in an update before this one"
    elif any(is_unclear(d.raw, old.inputs, new.inputs) for d in found):
        yield (
            "may be replaced, and with it everything that it made: which cluster it used is not "
            "known here. Give it a clusterIdentifier in an update before this one"
        )


def _differences(pair: Pair, sides: Sides) -> Iterator[Difference]:
    old, new = pair.old, pair.new
    for found in differences(old.inputs if old else {}, new.inputs if new else {}):
        if not (old and new and is_ignored(new, found.raw)):
            yield _without_data(found, pair.current)
    if old and new:
        yield from rotated(old, new, sides, "inputs.")
        options = [{k: r.options[k] for k in _OPTIONS if k in r.options} for r in (old, new)]
        yield from differences(*options, path=("options",))
        yield from differences(*_provided(old, new, sides))


def rotated(old: Resource, new: Resource, sides: Sides, root: str) -> Iterator[Difference]:
    """Secrets below `root` on both sides that differ, by the marks of this run."""
    for path in sorted({*old.secret_paths} & {*new.secret_paths}):
        marks = (
            side.graph.marks.get(mark_name(resource.urn, path))
            for side, resource in ((sides.old, old), (sides.new, new))
        )
        if path.startswith(root) and len(set(marks)) > 1:
            keys = path.removeprefix(root)
            yield Difference(
                raw=segments(keys), path=keys, kind="changed", old=None, new=None, hidden=True
            )


def _provided(old: Resource, new: Resource, sides: Sides) -> tuple[dict[str, Any], dict[str, Any]]:
    """What each side takes from its provider implicitly: the region, and the provider's
    identity."""
    before, after = sides.old.provider(old), sides.new.provider(new)
    if old.type.startswith("aws:") and "region" not in old.inputs.keys() | new.inputs.keys():
        regions = before.get("region"), after.get("region")
        if None not in regions and forces_replacement(new.type, ("region",), *regions):
            return {"region": regions[0]}, {"region": regions[1]}
    if _is_elsewhere(old, new, sides, before, after):
        names = [_provider_name(resource) for resource in (old, new)]
        if names[0] == names[1]:  # the default one, by its config
            names[1] += ", of another cluster or account"
        return {PROVIDER: names[0]}, {PROVIDER: names[1]}
    return {}, {}


def _is_elsewhere(
    old: Resource, new: Resource, sides: Sides, before: dict[str, Any], after: dict[str, Any]
) -> bool:
    """As the engine's providerChanged: another provider replaces if the same change within one
    provider would.

    https://github.com/pulumi/pulumi/blob/v3.259.0/pkg/resource/deploy/step_generator.go
    """
    if old.provider == new.provider and old.provider is not None:
        return False  # consequences.py replaces what a replaced provider made
    provider = sides.new.graph.by_urn(new.provider) if new.provider else None
    if provider and old.provider in provider.aliases:
        return False
    token = f"pulumi:providers:{new.type.partition(':')[0]}"
    return any(
        forces_replacement(token, d.raw, d.old, d.new, before=before, after=after)
        for d in differences(before, after)
    )


def _provider_name(resource: Resource) -> str:
    return resource.provider.rpartition("::")[2] if resource.provider else "the default one"


def _without_data(found: Difference, resource: Resource) -> Difference:
    """A Secret's data is secret, even if the program does not mark it."""
    is_secret = resource.inputs.get("kind") in _SECRET_KINDS and found.raw[0] not in _PUBLIC
    return replace(found, hidden=found.hidden or is_secret)


def as_change(found: Difference, path: str | None = None) -> PropertyChange:
    """The difference as a report holds it, without values that must not be shown."""
    values = {} if found.hidden else {"old": found.old, "new": found.new}
    return PropertyChange(
        path=found.path if path is None else path, kind=found.kind, hidden=found.hidden, **values
    )
