"""What a replacement, or a new URN, does to other resources.

pulumi-kubernetes deletes an object whose name stays before it creates the new one (Diff in
https://github.com/pulumi/pulumi-kubernetes/blob/v4.32.0/provider/pkg/provider/provider.go). Before
that, the engine deletes every resource that takes from it an input that forces a replacement. The
engine asks the provider with that whole input unknown (calculateDependentReplacements in
https://github.com/pulumi/pulumi/blob/v3.259.0/pkg/resource/deploy/step_generator.go).
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from grpc_platform_tools.diff.forcing import PROVIDER, Sides, is_asked_to_replace, is_ignored
from grpc_platform_tools.diff.pairs import Pair, described
from grpc_platform_tools.diff.refusals import refused_record, refused_removal
from grpc_platform_tools.diff.replacement import forces_replacement, replaced_if_unknown
from grpc_platform_tools.diff.report import ResourceChange
from grpc_platform_tools.diff.values import Segment
from grpc_platform_tools.graph import Graph, Resource
from grpc_platform_tools.plain import is_list, is_mapping
from grpc_platform_tools.preview.dns import namespace
from grpc_platform_tools.preview.manifests import is_object

_UNKNOWN = "[known after the replacement]"


def spread(changes: dict[str, ResourceChange], pairs: list[Pair], sides: Sides) -> None:
    """Also replace resources that take a forcing input from a replaced resource, every resource of
    a replaced provider, and what is deleted along with a recreated resource."""
    kept = {pair.new.urn: (pair.old, pair.new) for pair in pairs if pair.old and pair.new}
    now = {old.urn: urn for urn, (old, _) in kept.items()}
    users: defaultdict[str, set[str]] = defaultdict(set)
    for urn, (old, new) in kept.items():
        for carried in new.property_dependencies.values():
            for cause in carried:
                users[cause].add(urn)
        for carried in old.property_dependencies.values():
            for cause in carried:
                users[now.get(cause, cause)].add(urn)
        if new.provider:
            users[new.provider].add(urn)
    causes = [urn for urn, change in changes.items() if change.operation == "replace"]
    while causes:
        cause = causes.pop()
        was, becomes = kept[cause]
        for urn in sorted(users[cause]):
            old, new = kept[urn]
            paths = tuple(_carried(new, becomes, sides))
            falls = tuple(_taken(old, new, was, sides)) if changes[cause].deleted_first else ()
            if not paths and not falls and new.provider != cause:
                continue
            known = changes.get(urn) or described(Pair(old, new), sides)
            forced = tuple(dict.fromkeys((*known.forced_by, *paths, *falls)))
            because = tuple(dict.fromkeys((*known.because, cause)))
            known = replace(known, forced_by=forced, because=because)
            after = as_replaced(known, old, new, sides, deleted_first=bool(falls))
            if (known.operation, known.deleted_first) != ("replace", after.deleted_first):
                causes.append(urn)
            changes[urn] = after


def as_replaced(
    change: ResourceChange, old: Resource, new: Resource, sides: Sides, *, deleted_first: bool
) -> ResourceChange:
    """The change as a replacement, with the fields that only a replacement has."""
    first = deleted_first or change.deleted_first or _deletes_first(change, old, new)
    change = replace(change, operation="replace", deleted_first=first, refused=refused_removal(old))
    return with_calls(change, old, sides) if first else change


def with_calls(change: ResourceChange, old: Resource, sides: Sides) -> ResourceChange:
    """A change that deletes a resource, with the calls that this loses."""
    served = old.urn in sides.old.serving and not old.options.get("retain_on_delete")
    return replace(change, loses=change.loses or "the calls to its pods") if served else change


def _deletes_first(change: ResourceChange, old: Resource, new: Resource) -> bool:
    """Whether its replacement deletes it first: because the program says so, or because it is a
    Kubernetes object whose name is set by the program and whose name and cluster stay."""
    if new.options.get("delete_before_replace"):
        return True
    if PROVIDER in change.forced_by or new.provider in change.because:
        return False
    names = [r.inputs["metadata"].get("name") if is_object(r) else None for r in (old, new)]
    return None not in names and names[0] == names[1] and namespace(old) == namespace(new)


def _taken(old: Resource, new: Resource, cause: Resource, sides: Sides) -> Iterator[str]:
    """The inputs for which a resource is deleted along with one that is deleted first."""
    for key, urns in old.property_dependencies.items():
        if cause.urn in urns and key in old.inputs and not is_ignored(new, (key,)):
            provider = sides.new.provider(new)
            if is_asked_to_replace(new, (key,)) or replaced_if_unknown(
                old.type, key, old.inputs, provider
            ):
                yield key


def _carried(user: Resource, cause: Resource, sides: Sides) -> Iterator[str]:
    """The inputs of `user` that come from `cause` and would force its replacement if they changed.
    Values that the provider computes for a new resource do change."""
    for key, urns in user.property_dependencies.items():
        if cause.urn in urns and key in user.inputs:
            # Perhaps only a part of a mapping comes from there.
            whole = not isinstance(user.inputs[key], dict)
            for raw, value in _leaves((key,), user.inputs[key]):
                comes = whole or cause.id in str(value)
                if not comes or is_ignored(user, raw):
                    continue
                if is_asked_to_replace(user, raw) or forces_replacement(
                    user.type, raw, value, _UNKNOWN, provider=sides.new.provider(user)
                ):
                    yield ".".join(segment for segment in raw if isinstance(segment, str))


def _leaves(raw: tuple[Segment, ...], value: Any) -> Iterator[tuple[tuple[Segment, ...], Any]]:
    children: Iterable[tuple[Segment, Any]]
    if is_mapping(value):
        children = value.items()
    elif is_list(value):
        children = enumerate(value)
    else:
        yield raw, value
        return
    for segment, child in children:
        yield from _leaves((*raw, segment), child)


def say_what_moved(changes: dict[str, ResourceChange], old: Graph, new: Graph) -> None:
    """Link a resource deleted under one URN to one created under another: usually it was only
    renamed."""
    created: dict[str, str] = {}
    for urn, change in changes.items():
        if change.operation == "create":
            created.setdefault(_identity(new.by_urn(urn)), urn)
    for urn, change in list(changes.items()):
        again = change.operation == "delete" and created.pop(_identity(old.by_urn(urn)), None)
        if again:
            refused = refused_record(old.by_urn(urn), new.by_urn(again))
            changes[urn] = replace(change, moved=again)
            changes[again] = replace(changes[again], moved=urn, refused=refused)


def _identity(resource: Resource) -> str:
    """The resource's name at the provider, or else all of its inputs."""
    named: dict[str, Any] = resource.inputs.get("metadata") or resource.inputs
    name = {k: named[k] for k in ("namespace", "name", "type") if k in named}
    known = name if "name" in name else resource.inputs
    provider = (resource.provider or "").rpartition("::")[2]
    return json.dumps([resource.type, provider, known], sort_keys=True)
