"""What an engine hands to a policy pack, as a graph; tests/engine runs the pack itself."""

from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from grpc_platform_tools.graph import SECRET, STACK_TYPE, UNKNOWN, Resource
from grpc_platform_tools.plain import is_mapping
from grpc_platform_tools.policy.crossguard import judgements, known
from grpc_platform_tools.policy.exemptions import PolicyFile
from tests.tools.policy.stack import Edit, graph_with


class UnknownValueError(Exception):
    """Named as the SDK's."""


class Unknowns(Mapping[str, Any]):
    """Raises where a value is not known, as the SDK's mappings do."""

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values

    def __getitem__(self, key: str) -> Any:
        value = self._values[key]
        if value == UNKNOWN:
            raise UnknownValueError
        return Unknowns(value) if is_mapping(value) else value

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def handed(resource: Resource, others: dict[str, Any]) -> Any:
    """A resource as the SDK hands it over; `others` are those it may name."""
    provider = others.get(resource.provider or "")
    return SimpleNamespace(
        urn=resource.urn,
        resource_type=resource.type,
        name=resource.name,
        props=Unknowns(resource.outputs if resource.type == STACK_TYPE else resource.inputs),
        parent=None,
        provider=provider,
        dependencies=[others[urn] for urn in resource.depends_on],
        opts=SimpleNamespace(protect=bool(resource.options.get("protect"))),
    )


def verdicts(*edits: Edit, stack: str = "prod", **given: Any) -> list[tuple[str, str]]:
    found: dict[str, Any] = {}
    for resource in graph_with(*edits).resources:
        found[resource.urn] = handed(resource, found)
    said = judgements(list(found.values()), {}, stack, PolicyFile(**given))
    return [(verdict.outcome, verdict.rule.name) for verdict in said]


def test_a_stack_that_breaks_no_rule_breaks_none_here() -> None:
    """Ids, dependencies, providers, options and outputs arrive."""
    assert verdicts() == []


BREACHES: list[tuple[Edit, str]] = [
    (("key", "enableKeyRotation", False), "key-rotated"),
    (("cname", "^depends_on", ()), "cname-after-target"),
    (("cluster", "^options", {}), "cluster-protected"),
    (("shop-prod", "^outputs services api port", 1), "clients-told-open-port"),
]


@pytest.mark.parametrize(("edit", "rule"), BREACHES)
def test_a_breach_is_found(edit: Edit, rule: str) -> None:
    assert verdicts(edit) == [("error", rule)]


def test_an_unknown_value_is_not_judged() -> None:
    assert verdicts(("key", "enableKeyRotation", UNKNOWN)) == [("unknown", "key-rotated")]


def test_the_stack_decides_how_severe_a_breach_is() -> None:
    edit: Edit = ("key", "enableKeyRotation", False)
    assert verdicts(edit, stack="dev", development=("dev",)) == [("warning", "key-rotated")]


def test_a_secret_that_the_engine_shows_is_no_breach() -> None:
    assert verdicts(("credentials", "data password", "c3dvcmRmaXNo")) == []


def test_the_inputs_of_the_program_go_before_what_a_provider_adds() -> None:
    resources = graph_with(("envoy", "spec replicas", 1)).resources
    found: dict[str, Any] = {}
    for resource in resources:
        found[resource.urn] = handed(resource, found)
    inputs = {r.urn: r.inputs for r in graph_with().resources if r.inputs}
    assert judgements(list(found.values()), inputs, "prod", PolicyFile()) == []


def test_values_are_plain_json() -> None:
    given = Unknowns({"a": UNKNOWN, "b": {"c": 8080.0, "d": [1.5, None, SECRET]}})
    assert known(given) == {"a": UNKNOWN, "b": {"c": 8080, "d": [1.5, None, SECRET]}}
