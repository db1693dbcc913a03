"""How a diff is said, whatever shows it: in counts, and in groups of what has one cause."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from grpc_platform.diff.lines import all_lines
from grpc_platform.diff.report import (
    OPERATIONS,
    Operation,
    PropertyChange,
    ResourceChange,
    StackDiff,
)
from grpc_platform.preview.outline import plural, short_type

PAST: dict[Operation, str] = {
    "replace": "replaced",
    "delete": "deleted",
    "change": "changed",
    "create": "created",
    "rename": "renamed",
}
OWN_NAME = "{name}"
"""Stands for the name of each one's own component, where several changed alike."""

_ALIKE = 3
"""From so many on, what changed alike is said once."""
_MOST_NAMES = 12


class Theirs(str):
    """A piece of a heading that the program wrote, so that nobody takes it for anything else."""

    __slots__ = ()


@dataclass(frozen=True, kw_only=True)
class Group:
    """Resources that are said together. `lines` are the program's, and begin with `-`, `+`, `!` or
    a blank, as in a diff."""

    operation: Operation
    heading: tuple[str, ...]
    """In pieces, which are ours or `Theirs`."""
    count: int
    lines: tuple[str, ...] = ()


def counts(stack: StackDiff) -> str:
    """`1 replaced, 3 changed`."""
    parts = [f"{n} {PAST[operation]}" for operation in OPERATIONS if (n := stack.count(operation))]
    if not parts and stack.changed:
        return "no resource changed"
    return ", ".join(parts) or "no change"


def groups(stack: StackDiff) -> list[Group]:
    """Every resource change, in the order in which a reviewer wants to read them."""
    return [group for operation in OPERATIONS for group in _groups(stack, operation)]


def _groups(stack: StackDiff, operation: Operation) -> Iterator[Group]:
    changes = [change for change in stack.resources if change.operation == operation]
    if operation == "rename":
        yield from _renamed(changes)
        return
    if operation in ("create", "delete"):
        labels = {change.urn: change.label for change in stack.resources}
        yield from _moved([change for change in changes if change.moved], labels)
        yield from _by_component([change for change in changes if not change.moved])
        return
    alike, rest = _shared(changes)
    single: list[Group] = []
    followers: list[ResourceChange] = []
    labels = {change.urn: change.label for change in stack.resources}
    for change in changes:
        left = rest[change.urn]
        if _follows(change) and not left and not change.protected:
            followers.append(change)
        elif left or change.notes or not change.properties:
            single.append(_one(change, left, labels))
    together = [_alike_group(found, members, stack) for found, members in alike]
    # Of what is replaced each one matters; of what changes, the cause.
    yield from single + together if operation == "replace" else together + single
    if followers:
        causes = dict.fromkeys(labels.get(urn, urn) for c in followers for urn in c.because)
        kinds = Counter(short_type(change.type) for change in followers).most_common()
        few = len(followers) <= _MOST_NAMES
        yield Group(
            operation=operation,
            heading=(
                f"{plural(len(followers), 'resource')} made from ",
                *(_names(causes) if len(causes) <= 3 else ("these",)),
                ": ",
                *_names([c.label for c in followers] if few else [f"{k} {n}" for k, n in kinds]),
            ),
            count=len(followers),
        )


def _follows(change: ResourceChange) -> bool:
    """Whether it is replaced for the sake of others only."""
    return bool(change.because) and not {p.path for p in change.properties} & {*change.forced_by}


def _alike_group(
    found: list[PropertyChange], members: list[ResourceChange], stack: StackDiff
) -> Group:
    paths = [p.path for p in found if all(p.path in member.forced_by for member in members)]
    forced = ("; forced by ", *_names(paths)) if paths else ()
    return Group(
        operation=members[0].operation,
        heading=(*_how_many(members, stack), ": ", *_names(_short_names(members)), *forced),
        count=len(members),
        lines=tuple(all_lines(found)),
    )


def _one(
    change: ResourceChange, left: Iterable[PropertyChange], labels: Mapping[str, str]
) -> Group:
    heading: list[str] = [Theirs(change.label)]
    if change.component not in ("", change.label):
        heading += [" in ", Theirs(change.component)]
    if _follows(change):
        heading += ["; made from ", *_names((labels.get(urn, urn) for urn in change.because), 3)]
    elif change.forced_by:
        heading += ["; forced by ", *_names(change.forced_by)]
    if change.protected and change.operation != "change":
        heading.append("; its loss cuts calls or loses names, addresses or data")
    if change.was:
        heading += ["; was ", Theirs(change.was)]
    for note in change.notes:
        heading += ["; ", Theirs(note)]
    return Group(
        operation=change.operation,
        heading=tuple(heading),
        count=1,
        lines=tuple(all_lines(left)),
    )


def _renamed(changes: list[ResourceChange]) -> Iterator[Group]:
    if changes:
        yield Group(
            operation="rename",
            heading=(
                f"{plural(len(changes), 'resource')} under another URN, as an alias says: ",
                *_names(change.label for change in changes),
            ),
            count=len(changes),
        )


def _names(names: Iterable[str], most: int = _MOST_NAMES) -> Iterator[str]:
    """A list of what the program calls things, as pieces of a heading."""
    found = list(names)
    for number, name in enumerate(found[:most]):
        yield from (", ", Theirs(name)) if number else (Theirs(name),)
    if left := len(found[most:]):
        yield f" and {left} more"


def _shared(
    changes: list[ResourceChange],
) -> tuple[
    list[tuple[list[PropertyChange], list[ResourceChange]]], dict[str, list[PropertyChange]]
]:
    """What several changed alike, with those that did; and by URN, what is each one's own."""
    members: defaultdict[str, list[tuple[ResourceChange, PropertyChange]]] = defaultdict(list)
    for change in changes:
        for one in change.properties:
            members[_alike(change, one)].append((change, one))
    shared = {key: found for key, found in members.items() if len(found) >= _ALIKE}
    rest = {
        change.urn: [one for one in change.properties if _alike(change, one) not in shared]
        for change in changes
    }
    together: dict[tuple[str, ...], tuple[list[PropertyChange], list[ResourceChange]]] = {}
    for found in shared.values():
        who = [change for change, _ in found]
        key = tuple(change.urn for change in who)
        together.setdefault(key, ([], who))[0].append(_generic(found))
    return list(together.values()), rest


def _alike(change: ResourceChange, one: PropertyChange) -> str:
    text = json.dumps([one.path, one.kind, one.old, one.new, one.hidden], sort_keys=True)
    return _nameless(change, text)


def _nameless(change: ResourceChange, text: str) -> str:
    name = change.component.rpartition(" ")[2]
    return text.replace(name, OWN_NAME) if len(name) > 2 else text


def _generic(found: list[tuple[ResourceChange, PropertyChange]]) -> PropertyChange:
    """The change that all have in common, with OWN_NAME where their names differ."""
    if all(one == found[0][1] for _, one in found):
        return found[0][1]
    change, one = found[0]
    path, old, new = json.loads(_nameless(change, json.dumps([one.path, one.old, one.new])))
    return PropertyChange(path=path, kind=one.kind, old=old, new=new, hidden=one.hidden)


def _how_many(members: list[ResourceChange], stack: StackDiff) -> tuple[str, ...]:
    types = {member.type for member in members}
    if len(types) > 1:
        return (f"{plural(len(members), 'resource')} of {len(types)} types",)
    (token,) = types
    total = stack.totals.get(token, len(members))
    some = f"all {total} " if total == len(members) else f"{len(members)} of {total} "
    return (some, Theirs(short_type(token)))


def _short_names(members: list[ResourceChange]) -> list[str]:
    """Each by its component's name, or by its own where one component made several of them."""
    names = [member.component.rpartition(" ")[2] or member.label for member in members]
    return names if len(set(names)) == len(names) else [member.label for member in members]


def _moved(changes: list[ResourceChange], labels: dict[str, str]) -> Iterator[Group]:
    """What is deleted under one URN and created under another, said where it is deleted."""
    if not changes:
        return
    operation = changes[0].operation
    how = "deleted and created anew" if operation == "delete" else "deleted first, see above"
    yield Group(
        operation=operation,
        heading=(f"{plural(len(changes), 'resource')} {how}: another URN, and no alias",),
        count=len(changes),
        lines=tuple(
            f" {change.label} → {labels.get(change.moved or '', '')}"
            for change in changes
            if operation == "delete"
        ),
    )


def _by_component(changes: list[ResourceChange]) -> Iterator[Group]:
    """Together what one component made; and components that made the same."""
    made: defaultdict[str, list[ResourceChange]] = defaultdict(list)
    for change in changes:
        if change.protected or change.notes or not change.component:
            yield _one(change, change.properties, {})
        else:
            made[change.component].append(change)
    similar: defaultdict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    for component, members in made.items():
        kind = component.partition(" ")[0]
        types = tuple(sorted(short_type(member.type) for member in members))
        similar[kind, types].append(component)
    for (kind, types), components in similar.items():
        first = made[components[0]]
        if len(first) == 1 and len(components) == 1:
            yield _one(first[0], first[0].properties, {})
            continue
        of_each = [f"{name} {n}" if n > 1 else name for name, n in Counter(types).items()]
        where: tuple[str, ...] = (Theirs(components[0]),)
        if len(components) > 1:
            names = _names(component.rpartition(" ")[2] for component in components)
            where = (f"each of {len(components)} ", Theirs(kind), ": ", *names)
        yield Group(
            operation=first[0].operation,
            heading=(*_names(of_each), " in ", *where),
            count=len(types) * len(components),
            lines=tuple(
                line
                for change in first
                if change.properties
                for line in (f" # {change.label}", *all_lines(change.properties))
            ),
        )
