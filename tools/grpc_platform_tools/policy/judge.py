"""Runs the rules over a graph."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from grpc_platform_tools.graph import STACK_TYPE, Graph, Resource
from grpc_platform_tools.policy.rule import Rule, Severity
from grpc_platform_tools.policy.rules import ALL
from grpc_platform_tools.policy.values import NotKnown
from grpc_platform_tools.preview.manifests import is_object, object_label
from grpc_platform_tools.preview.outline import short_type

Outcome = Literal["error", "unknown", "warning"]
OUTCOMES: tuple[Outcome, ...] = ("error", "unknown", "warning")
"""The worst first. Unknown: a rule whose breach is an error met a value that is not known here."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a rule says of one resource. `beside` are the URNs of the others that decide it."""

    rule: Rule
    outcome: Outcome
    urn: str
    label: str
    """The resource's name for people: `Deployment projectcontour/envoy`."""
    text: str
    beside: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """`envoy-off-spot: Deployment projectcontour/envoy may be scheduled on spot nodes`."""
        return f"{self.rule.name}: {self.label} {self.text}"


def judge(graph: Graph, *, development: bool, rules: Iterable[Rule] = ALL) -> list[Verdict]:
    """Every breach, the worst first. With `development` the rules have their severities for a
    development stack."""
    found = [
        verdict
        for rule in rules
        if (severity := rule.development if development else rule.severity)
        for resource in graph
        if rule.applies_to(resource)
        for verdict in _of_one(rule, severity, resource, graph)
    ]
    return sorted(found, key=lambda v: (OUTCOMES.index(v.outcome), v.rule.name, v.label, v.text))


def _of_one(rule: Rule, severity: Severity, resource: Resource, graph: Graph) -> Iterator[Verdict]:
    def verdict(outcome: Outcome, text: str, beside: tuple[Resource, ...] = ()) -> Verdict:
        return Verdict(
            rule=rule,
            outcome=outcome,
            urn=resource.urn,
            label=_label(resource),
            text=text,
            beside=tuple(other.urn for other in beside),
        )

    try:
        for finding in rule.judge(resource, graph):
            yield verdict(severity, finding.text, finding.beside)
    except NotKnown as unknown:
        if severity == "error":
            yield verdict("unknown", f"is not judged: {unknown.path} is not known here")


def _label(resource: Resource) -> str:
    if resource.type == STACK_TYPE:
        return "the stack"
    name = object_label(resource) if is_object(resource) else None
    return name or f"{short_type(resource.type)} {resource.name}"
