"""What follows for other resources: from a replacement, and from a new URN."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from grpc_platform_tools.diff.forcing import Sides, is_asked_to_replace, is_ignored
from grpc_platform_tools.diff.pairs import Pair, described
from grpc_platform_tools.diff.replacement import forces_replacement
from grpc_platform_tools.diff.report import ResourceChange
from grpc_platform_tools.diff.values import Segment
from grpc_platform_tools.graph import Graph, Resource
from grpc_platform_tools.plain import is_list, is_mapping

_UNKNOWN = "[known after the replacement]"


def spread(changes: dict[str, ResourceChange], pairs: list[Pair], sides: Sides) -> None:
    """Replace also what is made from a replaced resource, by an input that forces it, and
    everything that a replaced provider made."""
    kept = {pair.new.urn: pair for pair in pairs if pair.old and pair.new}
    users: defaultdict[str, set[str]] = defaultdict(set)
    for urn, pair in kept.items():
        for carried in pair.current.property_dependencies.values():
            for cause in carried:
                users[cause].add(urn)
        if pair.current.provider:
            users[pair.current.provider].add(urn)
    causes = [urn for urn, change in changes.items() if change.operation == "replace"]
    while causes:
        cause = sides.new.graph.by_urn(causes.pop())
        for urn in sorted(users[cause.urn]):
            user = kept[urn].current
            paths = tuple(_carried(user, cause, sides))
            if not paths and user.provider != cause.urn:
                continue
            known = changes.get(urn) or described(kept[urn], sides)
            if known.operation != "replace":
                causes.append(urn)
            forced = tuple(dict.fromkeys((*known.forced_by, *paths)))
            because = (*known.because, cause.urn)
            changes[urn] = as_replaced(replace(known, forced_by=forced, because=because), kept[urn])


def as_replaced(change: ResourceChange, pair: Pair) -> ResourceChange:
    """The change as a replacement, with what is to be said of that alone."""
    notes = change.notes
    if change.operation != "replace" and pair.old and pair.old.options.get("protect"):
        notes = (*notes, "the engine refuses that while it is protected")
    return replace(change, operation="replace", notes=notes)


def _carried(user: Resource, cause: Resource, sides: Sides) -> Iterator[str]:
    """The inputs of `user` that come from `cause` and would force its replacement if they changed,
    as what the provider computes for a new resource does."""
    for key, urns in user.property_dependencies.items():
        if cause.urn in urns and key in user.inputs:
            # Of a mapping only a part may come from there.
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
    """A resource deleted under one URN and created under another was, as a rule, only renamed."""
    created: dict[str, str] = {}
    for urn, change in changes.items():
        if change.operation == "create":
            created.setdefault(_identity(new.by_urn(urn)), urn)
    for urn, change in list(changes.items()):
        again = change.operation == "delete" and created.pop(_identity(old.by_urn(urn)), None)
        if again:
            changes[urn] = replace(change, moved=again)
            changes[again] = replace(changes[again], moved=urn)


def _identity(resource: Resource) -> str:
    """What the provider would call the resource, or else all of its inputs."""
    named: dict[str, Any] = resource.inputs.get("metadata") or resource.inputs
    name = {k: named[k] for k in ("namespace", "name", "type") if k in named}
    known = name if "name" in name else resource.inputs
    provider = (resource.provider or "").rpartition("::")[2]
    return json.dumps([resource.type, provider, known], sort_keys=True)
