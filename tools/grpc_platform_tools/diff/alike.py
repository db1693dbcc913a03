"""Finds changes that several resources share, ignoring the names of their components."""

import json
import re
from collections import defaultdict
from typing import Any

from grpc_platform_tools.diff.report import PropertyChange, ResourceChange
from grpc_platform_tools.plain import is_list, is_mapping

OWN_NAME = "{name}"
"""Stands for the name of each resource's own component, where several changed alike."""

_ENOUGH = 3
"""When at least this many resources changed alike, the change is shown once."""


def shared(
    changes: list[ResourceChange],
) -> tuple[
    list[tuple[list[PropertyChange], list[ResourceChange]]], dict[str, list[PropertyChange]]
]:
    """Changes that several resources share, each with those resources; and by URN, the changes of
    one resource alone."""
    members: defaultdict[str, list[tuple[ResourceChange, PropertyChange]]] = defaultdict(list)
    for change in changes:
        for one in change.properties:
            members[signature(change, one)].append((change, one))
    shared = {key: found for key, found in members.items() if len(found) >= _ENOUGH}
    rest = {
        change.urn: [one for one in change.properties if signature(change, one) not in shared]
        for change in changes
    }
    together: dict[tuple[str, ...], tuple[list[PropertyChange], list[ResourceChange]]] = {}
    for found in shared.values():
        who = [change for change, _ in found]
        key = tuple(change.urn for change in who)
        together.setdefault(key, ([], who))[0].append(_generic(found))
    return list(together.values()), rest


def signature(change: ResourceChange, one: PropertyChange) -> str:
    """A key that is equal for changes that differ only in the names of their components."""
    said = [one.path, one.kind, one.old, one.new, one.hidden]
    return json.dumps(_nameless(change, said), sort_keys=True)


def nameless(text: str, name: str) -> str:
    """The text with OWN_NAME wherever a name stands in it as a word."""
    return re.sub(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])", OWN_NAME, text)


def _nameless(change: ResourceChange, value: Any) -> Any:
    """The value, with OWN_NAME in place of the name of the change's component, or else of its
    resource."""
    name = change.component.rpartition(" ")[2] or change.urn.rpartition("::")[2]
    if len(name) < 2:
        return value

    def walk(part: Any) -> Any:
        if isinstance(part, str):
            return nameless(part, name)
        if is_mapping(part):
            return {walk(key): walk(item) for key, item in part.items()}
        if is_list(part):
            return [walk(element) for element in part]
        return part

    return walk(value)


def _generic(found: list[tuple[ResourceChange, PropertyChange]]) -> PropertyChange:
    """The change that all members share, with OWN_NAME where their names differ."""
    if all(one == found[0][1] for _, one in found):
        return found[0][1]
    change, one = found[0]
    path, old, new = _nameless(change, [one.path, one.old, one.new])
    return PropertyChange(path=path, kind=one.kind, old=old, new=new, hidden=one.hidden)


def same(change: ResourceChange) -> str:
    """A value that is equal for two resources that differ only in the names of their components."""
    return " ".join((change.type, *(signature(change, one) for one in change.properties)))
