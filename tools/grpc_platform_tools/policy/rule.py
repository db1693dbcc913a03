"""A rule: what a resource of some types must hold, why, and what to do when it does not."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from grpc_platform_tools.graph import Graph, Resource
from grpc_platform_tools.preview.manifests import is_object

Severity = Literal["error", "warning"]

Judge = Callable[[Resource, Graph], "Iterator[Finding]"]


@dataclass(frozen=True)
class Finding:
    """What one resource breaks, in one line; `beside` are the other resources that decide it."""

    text: str
    beside: tuple[Resource, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule for every resource of the types in `subjects`.

    A subject is a type token, or the kind of a Kubernetes object of any API. `development` is the
    severity in a development stack; None does not judge it there.
    """

    name: str
    subjects: tuple[str, ...]
    reason: str
    remedy: str
    severity: Severity
    development: Severity | None
    judge: Judge

    def applies_to(self, resource: Resource) -> bool:
        """Whether a resource is one of its subjects."""
        return resource.type in self.subjects or (
            is_object(resource) and resource.inputs["kind"] in self.subjects
        )


def rule(
    *subjects: str,
    reason: str,
    remedy: str,
    severity: Severity = "error",
    development: Severity | None = "error",
) -> Callable[[Judge], Rule]:
    """Make a function that yields what a resource breaks into a rule of the function's name. The
    function raises NotKnown where it would have to judge an unknown value."""

    def made(judge: Judge) -> Rule:
        return Rule(
            name=judge.__name__.replace("_", "-"),
            subjects=subjects,
            reason=reason,
            remedy=remedy,
            severity=severity,
            development=development if severity == "error" else development and "warning",
            judge=judge,
        )

    return made
