"""Two recordings of one stack, compared: what an engine would do if the base were deployed."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from grpc_platform.diff.recordings import Recording
from grpc_platform.diff.replacement import PROTECTED_TYPES, forces_replacement
from grpc_platform.diff.report import OPERATIONS, PropertyChange, ResourceChange, StackDiff
from grpc_platform.diff.values import Difference, Segment, differences
from grpc_platform.graph import Graph, Resource
from grpc_platform.preview.manifests import is_object, object_label
from grpc_platform.preview.outline import holder, short_type
from grpc_platform.preview.stack_file import is_ciphertext
from grpc_platform.preview.summary import summarise

_TIMES = "timing"
_KUBERNETES_SECRET = "kubernetes:core/v1:Secret"
_SEGMENT = re.compile(r'\["([^"]*)"\]|\[([^\]]*)\]|([^.\[\]]+)')
_OPTIONS = ("protect", "retain_on_delete", "delete_before_replace", "ignore_changes")


@dataclass(frozen=True)
class _Pair:
    """A resource before and after; None where it is not registered."""

    old: Resource | None
    new: Resource | None

    @property
    def current(self) -> Resource:
        resource = self.new or self.old
        assert resource is not None
        return resource


def compare(stack: str, base: Recording | None, head: Recording | None) -> StackDiff:
    """The diff of one stack; None where a revision has no file for it."""
    problems = {
        side: list(recording.problems)
        for side, recording in (("base", base), ("head", head))
        if recording and recording.problems
    }
    config = tuple(_config(base, head))
    if problems:
        return StackDiff(stack=stack, status="failed", problems=problems, config=config)  # pyright: ignore[reportArgumentType]
    if head is None:
        return StackDiff(stack=stack, status="removed", problems={})
    old = base.graph if base and base.graph else Graph(())
    new = head.graph or Graph(())
    resources = tuple(_resources(old, new))
    touched = {change.type for change in resources}
    times, outputs = _outputs(old, new)
    before = set(_warnings(old, stack))
    return StackDiff(
        stack=stack,
        status="compared" if base else "new",
        problems={},
        resources=resources,
        totals=Counter(sorted(r.type for r in new if r.type in touched)),
        config=config,
        times=tuple(times),
        outputs=tuple(outputs),
        warnings=tuple(w for w in _warnings(new, stack) if w not in before),
    )


def _warnings(graph: Graph, stack: str) -> list[str]:
    return summarise(graph, stack).warnings if graph.resources else []


def _config(base: Recording | None, head: Recording | None) -> list[PropertyChange]:
    changes: list[PropertyChange] = []
    old, new = base.config if base else {}, head.config if head else {}
    for key in sorted(old.keys() | new.keys()):
        sides = {"old": old[key]} if key in old else {}
        sides |= {"new": new[key]} if key in new else {}
        # Ciphertext says whether a value changed, and is nobody's to see.
        hidden = any(_has_ciphertext(value) for value in sides.values())
        if len(sides) < 2:
            kind = "added" if key in new else "removed"
            shown = {} if hidden else sides
            changes.append(PropertyChange(path=key, kind=kind, hidden=hidden, **shown))
        elif hidden and old[key] != new[key]:
            changes.append(PropertyChange(path=key, kind="changed", hidden=True))
        else:
            found = differences(old[key], new[key])
            changes += [_change(d, f"{key}.{d.path}" if d.path else key) for d in found]
    return changes


def _has_ciphertext(value: Any) -> bool:
    if isinstance(value, dict):
        items: dict[Any, Any] = value  # pyright: ignore[reportUnknownVariableType]
        return is_ciphertext(items) or any(map(_has_ciphertext, items.values()))
    return isinstance(value, list) and any(map(_has_ciphertext, value))  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


def _outputs(old: Graph, new: Graph) -> tuple[list[PropertyChange], list[PropertyChange]]:
    """The derived times that differ, and the other outputs of the stack."""
    found = differences(old.exports if old.resources else {}, new.exports if new.resources else {})
    times = [_change(d, d.path.removeprefix(f"{_TIMES}.")) for d in found if d.raw[0] == _TIMES]
    return times, [_change(d) for d in found if d.raw[0] != _TIMES]


def _change(found: Difference, path: str | None = None) -> PropertyChange:
    values = {} if found.hidden else {"old": found.old, "new": found.new}
    return PropertyChange(
        path=found.path if path is None else path, kind=found.kind, hidden=found.hidden, **values
    )


def _resources(old: Graph, new: Graph) -> list[ResourceChange]:
    pairs = _pairs(old, new)
    changes = {
        pair.current.urn: change
        for pair in pairs
        if (change := _compared(pair, old, new)) is not None
    }
    _spread(changes, pairs, old, new)
    _say_what_moved(changes, old, new)
    return sorted(
        changes.values(),
        key=lambda c: (OPERATIONS.index(c.operation), c.component, c.type, c.label, c.urn),
    )


def _pairs(old: Graph, new: Graph) -> list[_Pair]:
    """Every resource with what it was: under its URN, or under one of its aliases."""
    before = {r.urn: r for r in old if not r.is_component}
    after = [r for r in new if not r.is_component]
    left = dict(before)
    for resource in after:
        left.pop(resource.urn, None)
    pairs: list[_Pair] = []
    for resource in after:
        was = before.get(resource.urn)
        if was is None:
            urn = next((urn for urn in resource.aliases if urn in left), None)
            was = left.pop(urn) if urn else None
        pairs.append(_Pair(was, resource))
    return pairs + [_Pair(resource, None) for resource in left.values()]


def _compared(pair: _Pair, old: Graph, new: Graph) -> ResourceChange | None:
    """How an engine would treat the resource for its own sake; None where it is the same."""
    if pair.new is None:
        return replace(_described(pair, old, new), operation="delete")
    found = _differences(pair)
    shown = tuple(map(_change, found))
    if pair.old is None:
        return replace(_described(pair, old, new), operation="create", properties=shown)
    was = pair.old.urn if pair.old.urn != pair.new.urn else None
    if not found and was is None:
        return None
    forced = tuple(d.path for d in found if _forces(pair.new, d))
    return replace(
        _described(pair, old, new),
        operation="replace" if forced else "change",
        properties=shown,
        forced_by=forced,
        was=was,
    )


def _described(pair: _Pair, old: Graph, new: Graph) -> ResourceChange:
    """What is said of a resource whatever happens to it."""
    resource = pair.current
    graph = new if pair.new else old
    above = holder(graph, resource)
    component = graph.by_urn(above) if above else None
    return ResourceChange(
        operation="change",
        urn=resource.urn,
        type=resource.type,
        label=object_label(resource)
        if is_object(resource)
        else f"{short_type(resource.type)} {resource.name}",
        component=f"{short_type(component.type)} {component.name}" if component else "",
        protected=_is_protected(pair.old),
        notes=tuple(_notes(pair)),
    )


def _differences(pair: _Pair) -> list[Difference]:
    old, new = pair.old, pair.new
    found = differences(old.inputs if old else {}, new.inputs if new else {})
    if new:
        ignored = [_segments(path) for path in new.options.get("ignore_changes", ())]
        if old:
            found = [d for d in found if not any(_below(d.raw, path) for path in ignored)]
        if new.type == _KUBERNETES_SECRET:
            found = [_without_data(d) for d in found]
    if old and new:
        options = [{k: r.options[k] for k in _OPTIONS if k in r.options} for r in (old, new)]
        found += differences(*options, path=("options",))
    return found


def _without_data(found: Difference) -> Difference:
    """A Secret's data is secret, also where the program does not say so."""
    return replace(found, hidden=found.hidden or found.raw[0] in ("data", "stringData"))


def _forces(resource: Resource, found: Difference) -> bool:
    if found.raw[0] == "options":
        return False
    asked = map(_segments, resource.options.get("replace_on_changes", ()))
    return any(_below(found.raw, path) for path in asked) or forces_replacement(
        resource.type, found.raw, found.old, found.new
    )


def _segments(path: str) -> tuple[str, ...]:
    """The keys of a property path such as `spec.ports[0]["a.b"].name`."""
    return tuple("".join(found) for found in _SEGMENT.findall(path))


def _below(path: tuple[Segment, ...], above: tuple[str, ...]) -> bool:
    return len(path) >= len(above) and all(
        wanted in ("*", str(segment)) for wanted, segment in zip(above, path, strict=False)
    )


def _notes(pair: _Pair) -> Iterable[str]:
    if pair.old and pair.old.options.get("retain_on_delete"):
        yield "what it was stays where it is (retain_on_delete)"
    if pair.old and pair.new is None and pair.old.options.get("protect"):
        yield "protected: the engine refuses to delete it"
    if pair.new and pair.old is None and (given := pair.new.options.get("import_id")):
        yield f"imported: {given}"


def _is_protected(old: Resource | None) -> bool:
    if old is None or old.options.get("retain_on_delete"):
        return False
    return old.type in PROTECTED_TYPES or bool(old.options.get("protect"))


def _spread(changes: dict[str, ResourceChange], pairs: list[_Pair], old: Graph, new: Graph) -> None:
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
        cause = new.by_urn(causes.pop())
        for urn in sorted(users[cause.urn]):
            user = kept[urn].current
            paths = tuple(_carried(user, cause))
            if not paths and user.provider != cause.urn:
                continue
            known = changes.get(urn) or _described(kept[urn], old, new)
            if known.operation != "replace":
                causes.append(urn)
            changes[urn] = replace(
                known,
                operation="replace",
                forced_by=tuple(dict.fromkeys((*known.forced_by, *paths))),
                because=(*known.because, cause.urn),
            )


def _carried(user: Resource, cause: Resource) -> Iterator[str]:
    """The inputs of `user` that come from `cause` and would force its replacement if they changed,
    as what the provider computes for a new resource does."""
    for key, urns in user.property_dependencies.items():
        if cause.urn in urns and key in user.inputs:
            # Of a mapping only a part may come from there.
            whole = not isinstance(user.inputs[key], dict)
            for raw, value in _leaves((key,), user.inputs[key]):
                comes = whole or cause.id in str(value)
                if comes and forces_replacement(user.type, raw, value, None):
                    yield ".".join(segment for segment in raw if isinstance(segment, str))


def _leaves(raw: tuple[Segment, ...], value: Any) -> Iterator[tuple[tuple[Segment, ...], Any]]:
    children: Any
    if isinstance(value, dict):
        children = value.items()  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    elif isinstance(value, list):
        children = enumerate(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    else:
        yield raw, value
        return
    for segment, child in children:
        yield from _leaves((*raw, segment), child)


def _say_what_moved(changes: dict[str, ResourceChange], old: Graph, new: Graph) -> None:
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
