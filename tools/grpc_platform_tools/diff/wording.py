"""The words of a diff for every output: counts, and groups of changes with one cause."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from grpc_platform_tools.diff.alike import OWN_NAME, nameless, same, shared
from grpc_platform_tools.diff.lines import all_lines
from grpc_platform_tools.diff.report import (
    OPERATIONS,
    Operation,
    PropertyChange,
    ResourceChange,
    StackDiff,
)
from grpc_platform_tools.preview.outline import plural, short_type

PAST: dict[Operation, str] = {
    "replace": "replaced",
    "delete": "deleted",
    "change": "changed",
    "create": "created",
    "rename": "renamed",
}
_MOST_NAMES = 12


class Theirs(str):
    """A piece of a heading that the program wrote; it is always shown as a quotation."""

    __slots__ = ()


@dataclass(frozen=True, kw_only=True)
class Group:
    """Resources that are shown together. `lines` come from the program and begin with `-`, `+`, `!`
    or a blank, as in a diff."""

    operation: Operation
    heading: tuple[str, ...]
    """In pieces: our own words, or `Theirs`."""
    urns: tuple[str, ...]
    lines: tuple[str, ...] = ()
    refused: bool = False
    """Whether an update refuses it."""
    own_name: str = ""
    """The name of its component, if it is about exactly one: other stacks may use another name."""

    def generic(self) -> "Group":
        """The heading and lines with OWN_NAME for that name."""
        if len(self.own_name) < 2:
            return self
        heading = (
            Theirs(nameless(piece, self.own_name)) if isinstance(piece, Theirs) else piece
            for piece in self.heading
        )
        lines = (nameless(line, self.own_name) for line in self.lines)
        return replace(self, heading=tuple(heading), lines=tuple(lines))


def counts(stack: StackDiff) -> str:
    """`1 replaced, 3 changed`."""
    parts = [f"{n} {PAST[operation]}" for operation in OPERATIONS if (n := stack.count(operation))]
    if refused := sum(bool(change.refused) for change in stack.resources):
        parts.append(f"{refused} of them refused")
    if new := len(stack.broken):
        errors = sum(verdict.outcome == "error" for verdict in stack.broken)
        said = f" ({plural(errors, 'error')})" if errors else ""
        parts.append(f"{plural(new, 'new policy verdict')}{said}")
    if any(one.hidden for one in stack.config):
        # Resources that read it get the same stand-in at both revisions.
        parts.append("an encrypted value changed, and so may the resources that read it")
    if not parts and stack.changed:
        return "no resource changed"
    return ", ".join(parts) or "no change"


def groups(stack: StackDiff) -> list[Group]:
    """Every resource change, in the order that a reviewer needs."""
    labels = {change.urn: change.label for change in stack.resources}
    refused = [_one(c, c.properties, labels) for c in stack.resources if c.refused]
    return refused + [group for operation in OPERATIONS for group in _groups(stack, operation)]


def _groups(stack: StackDiff, operation: Operation) -> Iterator[Group]:
    changes = [c for c in stack.resources if c.operation == operation and not c.refused]
    if operation == "rename":
        yield from _renamed(changes)
        return
    if operation in ("create", "delete"):
        labels = {change.urn: change.label for change in stack.resources}
        moved = [change for change in changes if change.moved and not change.loses]
        yield from _moved(moved, labels)
        yield from _by_component([c for c in changes if c.loses or not c.moved], labels)
        return
    alike, rest = shared(changes)
    single: list[Group] = []
    followers: list[ResourceChange] = []
    labels = {change.urn: change.label for change in stack.resources}
    for change in changes:
        left = rest[change.urn]
        if _follows(change) and not left and not change.loses:
            followers.append(change)
        elif left or change.notes or not change.properties:
            single.append(_one(change, left, labels))
    together = [_alike_group(found, members, stack) for found, members in alike]
    # Show each replaced resource; for the ones that follow from a change, only the cause.
    yield from single + together if operation == "replace" else together + single
    for first in (True, False):
        if same_way := [change for change in followers if change.deleted_first is first]:
            yield _made_from(same_way, labels)


def _made_from(followers: list[ResourceChange], labels: Mapping[str, str]) -> Group:
    """Groups of resources that are replaced only because of others, in the same way."""
    causes = dict.fromkeys(labels.get(urn, urn) for c in followers for urn in c.because)
    kinds = Counter(short_type(change.type) for change in followers).most_common()
    few = len(followers) <= _MOST_NAMES
    how = "recreated with " if followers[0].deleted_first else "made from "
    return Group(
        operation=followers[0].operation,
        heading=(
            f"{plural(len(followers), 'resource')} {how}",
            *(_names(causes) if len(causes) <= 3 else ("these",)),
            ": ",
            *_names([c.label for c in followers] if few else [f"{k} {n}" for k, n in kinds]),
        ),
        urns=_urns(followers),
    )


def _follows(change: ResourceChange) -> bool:
    """Whether it is replaced only because of others."""
    return bool(change.because) and not {p.path for p in change.properties} & {*change.forced_by}


def _alike_group(
    found: list[PropertyChange], members: list[ResourceChange], stack: StackDiff
) -> Group:
    paths = [p.path for p in found if all(p.path in member.forced_by for member in members)]
    forced = ("; forced by ", *_names(paths)) if paths else ()
    operation = members[0].operation
    lost = dict.fromkeys(m.loses for m in members if m.loses and operation == "replace")
    loses = ("; **loses** ", *_names(lost)) if lost else ()
    first = ("; each recreated: deleted before the new one is made",) * all(
        m.deleted_first for m in members
    )
    whose = (f"; {OWN_NAME} is each one's own name",) if OWN_NAME in str(found) else ()
    names = _names(_short_names(members))
    return Group(
        operation=operation,
        heading=(*_how_many(members, stack), ": ", *names, *forced, *first, *loses, *whose),
        urns=_urns(members),
        lines=tuple(all_lines(found)),
    )


def _one(
    change: ResourceChange, left: Iterable[PropertyChange], labels: Mapping[str, str]
) -> Group:
    heading: list[str] = [f"would be {PAST[change.operation]}: "] if change.refused else []
    heading.append(Theirs(change.label))
    if change.component not in ("", change.label):
        heading += [" in ", Theirs(change.component)]
    if _follows(change):
        how = "recreated with " if change.deleted_first else "made from "
        heading += [f"; {how}", *_names((labels.get(urn, urn) for urn in change.because), 3)]
    elif change.forced_by:
        heading += ["; forced by ", *_names(change.forced_by)]
        if change.deleted_first:
            heading.append("; recreated: deleted before the new one is made")
    if change.loses and change.operation in ("replace", "delete"):
        heading += ["; **loses** ", Theirs(change.loses)]
    if change.moved and change.operation == "delete":
        name = labels.get(change.moved, change.moved)
        heading += ["; created again as ", Theirs(name), ", and no alias says that it is the same"]
    if change.was:
        heading += ["; was ", Theirs(change.was)]
    for note in filter(None, (change.refused, *change.notes)):
        heading += ["; ", Theirs(note)]
    return Group(
        operation=change.operation,
        heading=tuple(heading),
        urns=(change.urn,),
        lines=tuple(all_lines(left)),
        refused=bool(change.refused),
        own_name=change.component.rpartition(" ")[2],
    )


def _renamed(changes: list[ResourceChange]) -> Iterator[Group]:
    if changes:
        yield Group(
            operation="rename",
            heading=(
                f"{plural(len(changes), 'resource')} under another URN, as an alias says: ",
                *_names(change.label for change in changes),
            ),
            urns=_urns(changes),
        )


def _urns(changes: Iterable[ResourceChange]) -> tuple[str, ...]:
    return tuple(change.urn for change in changes)


def _names(names: Iterable[str], most: int = _MOST_NAMES) -> Iterator[str]:
    """A list of the program's names, as pieces of a heading."""
    found = list(names)
    for number, name in enumerate(found[:most]):
        yield from (", ", Theirs(name)) if number else (Theirs(name),)
    if left := len(found[most:]):
        yield f" and {left} more"


def _how_many(members: list[ResourceChange], stack: StackDiff) -> tuple[str, ...]:
    types = {member.type for member in members}
    if len(types) > 1:
        return (f"{plural(len(members), 'resource')} of {len(types)} types",)
    (token,) = types
    total = stack.totals.get(token, len(members))
    some = f"all {total} " if total == len(members) else f"{len(members)} of {total} "
    return (some, Theirs(short_type(token)))


def _short_names(members: list[ResourceChange]) -> list[str]:
    """Each by its component's name, or by its own if one component made several of them."""
    names = [member.component.rpartition(" ")[2] or member.label for member in members]
    return names if len(set(names)) == len(names) else [member.label for member in members]


def _moved(changes: list[ResourceChange], labels: dict[str, str]) -> Iterator[Group]:
    """Resources deleted under one URN and created under another, shown under the deletions."""
    if not changes:
        return
    operation = changes[0].operation
    how = (
        "under another URN, and no alias says that they are the same: created anew, where their "
        "names allow two, and these deleted"
        if operation == "delete"
        else "in place of what is deleted under another URN, see above"
    )
    yield Group(
        operation=operation,
        heading=(f"{plural(len(changes), 'resource')} {how}",),
        urns=_urns(changes),
        lines=tuple(
            f" {change.label} → {labels.get(change.moved or '', '')}"
            for change in changes
            if operation == "delete"
        ),
    )


def _by_component(changes: list[ResourceChange], labels: Mapping[str, str]) -> Iterator[Group]:
    """Group the resources of one component; then group components, and resources outside of any,
    that are alike."""
    made: defaultdict[str, list[ResourceChange]] = defaultdict(list)
    for change in changes:
        if change.loses or change.notes:
            yield _one(change, change.properties, labels)
        else:
            made[change.component or change.urn].append(change)
    similar: defaultdict[tuple[str, ...], list[list[ResourceChange]]] = defaultdict(list)
    for members in made.values():
        kind = members[0].component.partition(" ")[0]
        similar[kind, *sorted(same(member) for member in members)].append(members)
    for alike in similar.values():
        first = alike[0]
        if len(alike) == len(first) == 1:
            yield _one(first[0], first[0].properties, labels)
            continue
        yield Group(
            operation=first[0].operation,
            heading=tuple(_of_each(alike)),
            urns=tuple(change.urn for members in alike for change in members),
            lines=tuple(
                line
                for change in first
                if change.properties
                for line in (f" # {change.label}", *all_lines(change.properties))
            ),
        )


def _of_each(alike: list[list[ResourceChange]]) -> Iterator[str]:
    """The content of each member, and the members' names."""
    first = alike[0]
    if not first[0].component:
        yield from (f"{len(alike)} ", Theirs(short_type(first[0].type)), " alike: ")
        yield from _names(members[0].label for members in alike)
        return
    types = Counter(sorted(short_type(member.type) for member in first))
    yield from _names(f"{name} {n}" if n > 1 else name for name, n in types.items())
    if len(alike) == 1:
        yield from (" in ", Theirs(first[0].component))
        return
    kind = Theirs(first[0].component.partition(" ")[0])
    yield from (f" in each of {len(alike)} ", kind, ", alike but for their names: ")
    yield from _names(members[0].component.rpartition(" ")[2] for members in alike)
