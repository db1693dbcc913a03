"""What differs from a program, from the event log of `pulumi preview --refresh`.

The log (`--event-log FILE`) is the engine's own, one JSON event per line:
https://github.com/pulumi/pulumi/blob/master/sdk/go/common/apitype/events.go
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked

from grpc_platform_tools.errors import UserError

_EXPLAINED = {
    "create": "is missing",
    "update": "differs",
    "replace": "differs, and `pulumi up` replaces it",
    "create-replacement": "differs, and `pulumi up` replaces it",
    "delete": "is in the stack, but not in the program",
}
"""What the engine's operations mean here; all others change nothing."""


@dataclass(frozen=True, kw_only=True)
class Drift:
    """One resource that `pulumi up` would change."""

    type: str
    name: str
    what: str
    fields: tuple[str, ...]
    """Paths of the inputs that differ; the log has their values too, which may be secret."""


@checked(frozen=True)
class _State:
    custom: bool = False  # the log leaves out what is false: a component groups others


@checked(frozen=True)
class _Metadata:
    op: str
    urn: str
    type: str
    old: _State | None = None
    new: _State | None = None
    detailedDiff: dict[str, Any] | None = None  # noqa: N815 (the log's own key)
    diffs: list[str] | None = None


@checked(frozen=True)
class _Step:
    metadata: _Metadata


@checked(frozen=True)
class _Event:
    resourcePreEvent: _Step | None = None  # noqa: N815
    summaryEvent: dict[str, Any] | None = None  # noqa: N815


_EVENT = TypeAdapter(_Event)


def read_drift(log: bytes, where: str) -> list[Drift]:
    """What differs, sorted by type and name.

    Raises UserError if the log is not one of the engine's, or ends before the engine did.
    """
    try:
        events = [_EVENT.validate_json(line) for line in log.splitlines() if line.strip()]
    except ValidationError as error:
        raise UserError(f"{where}: not an event log of pulumi") from error
    if not any(event.summaryEvent is not None for event in events):
        raise UserError(f"{where}: the preview did not end; see what pulumi printed")
    found = {drift: None for event in events for drift in _of(event)}
    return sorted(found, key=lambda drift: (drift.type, drift.name))


def _of(event: _Event) -> Iterator[Drift]:
    if event.resourcePreEvent is None:
        return
    step = event.resourcePreEvent.metadata
    made = any(state and state.custom for state in (step.old, step.new))
    if step.op in _EXPLAINED and made and not step.type.startswith("pulumi:"):
        paths = step.detailedDiff or step.diffs or ()
        yield Drift(
            type=step.type,
            name=step.urn.rpartition("::")[2],
            what=_EXPLAINED[step.op],
            fields=tuple(sorted(paths)) if step.op != "create" else (),
        )
