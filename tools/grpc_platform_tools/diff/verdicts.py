"""What the policies say of a stack at two revisions."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

from grpc_platform_tools.diff.recordings import Recording
from grpc_platform_tools.diff.report import PolicyVerdict, ResourceChange
from grpc_platform_tools.policy.exemptions import judge_stack
from grpc_platform_tools.policy.judge import Verdict

_MOST_NOTES = 5


def verdicts_of(stack: str, recording: Recording | None) -> list[Verdict]:
    """The verdicts of one revision, without what its own policy.yaml exempts."""
    if recording is None or recording.graph is None:
        return []
    return judge_stack(recording.graph, stack, recording.policies, date.today()).verdicts


def told(
    before: list[Verdict], after: list[Verdict], changes: list[ResourceChange]
) -> tuple[PolicyVerdict, ...]:
    """The verdicts of the head. One is old if the base has it too, for the same resource or for the
    one that an alias names."""
    known = {(v.rule.name, v.urn, v.text) for v in before}
    former = {change.urn: change.was for change in changes if change.was}
    return tuple(
        PolicyVerdict(
            rule=v.rule.name,
            outcome=v.outcome,
            urn=v.urn,
            label=v.label,
            text=v.text,
            new=known.isdisjoint((v.rule.name, urn, v.text) for urn in (v.urn, former.get(v.urn))),
        )
        for v in after
    )


def beside_their_causes(
    changes: list[ResourceChange], after: list[Verdict], verdicts: tuple[PolicyVerdict, ...]
) -> list[ResourceChange]:
    """The changes with a note for each new verdict that they cause: of the resource itself, or of
    one that did not change."""
    changed = {change.urn for change in changes}
    notes: dict[str, list[str]] = {}
    for verdict, said in zip(after, verdicts, strict=True):
        if said.new:
            causes = [verdict.urn] if verdict.urn in changed else verdict.beside
            for urn in causes:
                about = verdict.text if urn == verdict.urn else said.line
                notes.setdefault(urn, []).append(f"{said.outcome} {said.rule}: {about}")
    return [replace(c, notes=(*c.notes, *_some(c, notes.get(c.urn, [])))) for c in changes]


def _some(change: ResourceChange, notes: list[str]) -> Iterator[str]:
    """The notes to show. A resource with a note is shown on its own, and new ones are many: theirs
    are shown for errors only."""
    if change.operation == "create":
        notes = [note for note in notes if note.startswith("error")]
    yield from notes[:_MOST_NOTES]
    if left := len(notes[_MOST_NOTES:]):
        yield f"and {left} more verdicts"
