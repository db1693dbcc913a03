"""What a diff found, as plain data: the content of `diff.json` and the source of every rendering.

It holds no secret and no account id: those are removed before anything is compared.
"""

from collections.abc import Iterator
from dataclasses import field
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, TypeAdapter
from pydantic.dataclasses import dataclass as checked

from grpc_platform_tools.policy.judge import Outcome

Operation = Literal["replace", "delete", "change", "create", "rename"]
OPERATIONS: tuple[Operation, ...] = ("replace", "delete", "change", "create", "rename")
"""The most destructive first; everything is shown in this order. A renamed resource has another URN
and an alias to it: nothing happens to it."""

Kind = Literal["added", "removed", "changed", "reformatted", "concealed", "revealed"]
"""How a value differs. Reformatted: the same JSON or YAML, written in another way. Concealed: was
plain and is secret now. Revealed: the reverse."""

FORMAT = 3
"""Version of the data form; a reader refuses any other."""

_STRICT = ConfigDict(extra="forbid", strict=True)


@checked(frozen=True, kw_only=True, config=_STRICT)
class PropertyChange:
    """One value that differs. `path` is a YAML path whose lists go by their natural keys:
    `spec.template.spec.containers[envoy].image`.

    `hidden` says that the values may not be shown; `old` and `new` are then None.
    """

    path: str
    kind: Kind
    old: Any = None
    new: Any = None
    hidden: bool = False


@checked(frozen=True, kw_only=True, config=_STRICT)
class ResourceChange:
    """One resource that the two revisions register differently.

    `forced_by` are the paths that make the provider replace it. `because` are the URNs of the
    resources whose replacement replaces it too. `was` is its former URN, if an alias names it.
    """

    operation: Operation
    urn: str
    type: str
    label: str
    """Its name for people: `Deployment projectcontour/envoy`, `Cluster serving`."""
    component: str
    """The component that creates it, `Envoy serving`, or the stack."""
    properties: tuple[PropertyChange, ...] = ()
    forced_by: tuple[str, ...] = ()
    because: tuple[str, ...] = ()
    was: str | None = None
    moved: str | None = None
    """URN of the same thing at the other revision when no alias names it: an update would delete
    one and create the other."""
    loses: str = ""
    """What is lost beyond the resource itself when it is deleted or replaced."""
    deleted_first: bool = False
    """Whether its replacement deletes it before the new one is created."""
    refused: str = ""
    """Why an update refuses this, and what to do."""
    notes: tuple[str, ...] = ()
    """What else to know: `kept in the cloud (retain_on_delete)`."""


@checked(frozen=True, kw_only=True, config=_STRICT)
class PolicyVerdict:
    """What a policy says of one resource of the head; `new` if it did not say so of the base."""

    rule: str
    outcome: Outcome
    urn: str
    label: str
    text: str
    new: bool

    @property
    def line(self) -> str:
        """`Deployment projectcontour/envoy may be scheduled on spot nodes`."""
        return f"{self.label} {self.text}"


@checked(frozen=True, kw_only=True, config=_STRICT)
class StackDiff:
    """One stack at two revisions. A failed one has `problems` and nothing else; `new` and `removed`
    stacks have a file in one revision only."""

    stack: str
    status: Literal["compared", "new", "removed", "failed"]
    problems: dict[Literal["base", "head"], list[str]]
    resources: tuple[ResourceChange, ...] = ()
    totals: dict[str, int] = field(default_factory=dict[str, int])
    """How many resources the head registers, for each type that has changes."""
    config: tuple[PropertyChange, ...] = ()
    """By the stack file's keys."""
    times: tuple[PropertyChange, ...] = ()
    """Derived times: the stack's output `timing`."""
    outputs: tuple[PropertyChange, ...] = ()
    """The stack's other outputs."""
    warnings: tuple[str, ...] = ()
    """Warnings that the head gives and the base did not."""
    verdicts: tuple[PolicyVerdict, ...] = ()
    """What the policies say of the head, the worst first; without what policy.yaml exempts."""

    @property
    def changed(self) -> bool:
        """Whether the two revisions differ in anything that is compared."""
        return bool(self.resources or self.config or self.times or self.outputs)

    @property
    def broken(self) -> tuple[PolicyVerdict, ...]:
        """The verdicts that are new."""
        return tuple(verdict for verdict in self.verdicts if verdict.new)

    def count(self, operation: Operation) -> int:
        """The number of resources for each operation."""
        return sum(change.operation == operation for change in self.resources)


@checked(frozen=True, kw_only=True, config=_STRICT)
class Report:
    """All stacks of one program at two revisions."""

    project: str
    base: str
    """The revision as it was asked for, and its commit: `main (1a2b3c4)`."""
    head: str
    stacks: tuple[StackDiff, ...]
    format: Literal[3] = FORMAT

    @property
    def failed(self) -> bool:
        """Whether a revision of some stack could not be recorded."""
        return any(stack.status == "failed" for stack in self.stacks)

    @property
    def changed(self) -> bool:
        """Whether any stack differs."""
        return any(stack.changed or stack.status in ("new", "removed") for stack in self.stacks)

    def of(self, *operations: Operation) -> Iterator[tuple[StackDiff, ResourceChange]]:
        """Every resource change of these kinds, with its stack."""
        for stack in self.stacks:
            for change in stack.resources:
                if change.operation in operations:
                    yield stack, change

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        path.write_bytes(_REPORT.dump_json(self, indent=1) + b"\n")

    @classmethod
    def load(cls, text: bytes) -> "Report":
        """Read what `save` wrote; ValueError for anything else."""
        return _REPORT.validate_json(text)


_REPORT = TypeAdapter(Report)
