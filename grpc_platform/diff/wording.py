"""How a diff is said, whatever shows it: counts, groups of what has one cause, and diff lines."""

import difflib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import yaml

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
}
OWN_NAME = "{name}"
"""Stands for the name of each one's own component, where several changed alike."""

_ALIKE = 3
"""From so many on, what changed alike is said once."""
_WIDTH = 80
_LONGEST_LINE = 300


@dataclass(frozen=True, kw_only=True)
class Group:
    """Resources that are said together: `title` is ours, `names`, `notes` and `lines` hold what the
    program wrote. `lines` begin with `-`, `+`, `!` or a blank, as in a diff."""

    operation: Operation
    title: str
    names: tuple[str, ...]
    count: int
    notes: tuple[str, ...] = ()
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
    if operation in ("create", "delete"):
        yield from _by_component(changes, operation)
        return
    alike, rest = _shared(changes)
    single: list[Group] = []
    followers: defaultdict[tuple[str, ...], list[ResourceChange]] = defaultdict(list)
    for change in changes:
        left = rest[change.urn]
        if change.because and not left:
            followers[change.because].append(change)
        elif left or not change.properties or change.forced_by or change.notes:
            single.append(_one(change, left))
    yield from single if operation == "replace" else ()
    for property_change, members in alike:
        yield Group(
            operation=operation,
            title=_how_many(members, stack),
            names=tuple(_short_names(members)),
            count=len(members),
            lines=tuple(lines(property_change)),
        )
    yield from single if operation == "change" else ()
    labels = {change.urn: change.label for change in stack.resources}
    for because, members in followers.items():
        causes = ", ".join(labels.get(urn, urn) for urn in because[:3])
        kinds = Counter(short_type(member.type) for member in members)
        yield Group(
            operation=operation,
            title=f"{plural(len(members), 'resource')} made from it",
            names=(causes,),
            count=len(members),
            notes=(", ".join(f"{kind} {count}" for kind, count in kinds.most_common()),),
        )


def _one(change: ResourceChange, left: list[PropertyChange]) -> Group:
    notes = list(change.notes)
    if change.protected:
        notes.insert(0, "protected type: its loss cuts calls or loses names, addresses or data")
    if change.forced_by:
        notes.insert(0, f"forced by {', '.join(change.forced_by)}")
    if change.was:
        notes.append(f"was {change.was}")
    return Group(
        operation=change.operation,
        title="",
        names=(change.label,),
        count=1,
        notes=((f"in {change.component}",) if change.component else ()) + tuple(notes),
        lines=tuple(_all_lines(left)),
    )


def _shared(
    changes: list[ResourceChange],
) -> tuple[list[tuple[PropertyChange, list[ResourceChange]]], dict[str, list[PropertyChange]]]:
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
    alike = [(_generic(found), [change for change, _ in found]) for found in shared.values()]
    return alike, rest


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


def _how_many(members: list[ResourceChange], stack: StackDiff) -> str:
    types = {member.type for member in members}
    if len(types) > 1:
        return f"{plural(len(members), 'resource')} of {len(types)} types"
    (token,) = types
    total = stack.totals.get(token, len(members))
    some = f"all {total}" if total == len(members) else f"{len(members)} of {total}"
    return f"{some} {short_type(token)}"


def _short_names(members: Iterable[ResourceChange]) -> list[str]:
    """Each by its component's name, or by its own where one component made several of them."""
    found = list(members)
    names = [member.component.rpartition(" ")[2] or member.label for member in found]
    return names if len(set(names)) == len(names) else [member.label for member in found]


def _by_component(changes: list[ResourceChange], operation: Operation) -> Iterator[Group]:
    """Together what one component made; and components that made the same."""
    made: defaultdict[str, list[ResourceChange]] = defaultdict(list)
    for change in changes:
        if change.protected or change.notes or not change.component:
            yield _one(change, list(change.properties))
        else:
            made[change.component].append(change)
    similar: defaultdict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    for component, members in made.items():
        kind = component.partition(" ")[0]
        types = tuple(sorted(short_type(member.type) for member in members))
        similar[kind, types].append(component)
    for (kind, types), components in similar.items():
        if len(components) == 1 and len(types) > 4:  # too much for one breath
            yield from (_one(change, list(change.properties)) for change in made[components[0]])
            continue
        first = made[components[0]]
        each = "" if len(components) == 1 else " each"
        yield Group(
            operation=operation,
            title="" if len(components) == 1 else f"{len(components)} {kind}",
            names=tuple(components)
            if len(components) == 1
            else tuple(component.rpartition(" ")[2] for component in components),
            count=len(types) * len(components),
            notes=(", ".join(types) + each,),
            lines=tuple(
                line
                for change in first
                if change.properties
                for line in (
                    f" # {change.label}",
                    *(t for p in change.properties for t in lines(p)),
                )
            ),
        )


def _all_lines(changes: Iterable[PropertyChange]) -> Iterator[str]:
    return (line for change in changes for line in lines(change))


def lines(change: PropertyChange) -> list[str]:
    """A property's change as lines of a diff."""
    if change.hidden:
        return [_cut(f"!{change.path}: {change.kind}; the value is secret")]
    old, new = change.old, change.new
    if isinstance(old, str) and isinstance(new, str) and "\n" in old + new:
        found = difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=1)
        return [f" {change.path}:", *(_cut(line) for line in list(found)[2:])]
    result: list[str] = []
    if change.kind != "added":
        result += _value("-", change.path, old)
    if change.kind != "removed":
        result += _value("+", change.path, new)
    return result


def _value(sign: str, path: str, value: Any) -> list[str]:
    flow = _yaml(value, flow=True)
    if len(path) + len(flow) <= _WIDTH or not isinstance(value, dict | list) or not value:
        return [_cut(f"{sign}{path}: {flow}")]
    return [f"{sign}{path}:", *(_cut(f"{sign}  {line}") for line in _yaml(value).splitlines())]


def _yaml(value: Any, *, flow: bool = False) -> str:
    text = yaml.safe_dump(
        value, default_flow_style=flow, sort_keys=True, width=10**9, allow_unicode=True
    )
    return text.removesuffix("...\n").strip()


def _cut(line: str) -> str:
    return line if len(line) <= _LONGEST_LINE else f"{line[: _LONGEST_LINE - 1]}…"
