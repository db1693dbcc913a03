"""Every rule: what it refuses, what it lets pass, and values that are not known."""

import random
from dataclasses import replace
from typing import Any

import pytest

from grpc_platform_tools.graph import UNKNOWN, Graph
from grpc_platform_tools.plain import is_list, is_mapping
from grpc_platform_tools.policy.judge import judge
from grpc_platform_tools.policy.rules import ALL
from tests.tools.policy.cases import BROKEN, PASSES, UNKNOWNS
from tests.tools.policy.stack import Edit, graph_with, kubernetes, pods, sound


def breaches(graph: Graph) -> dict[str, list[str]]:
    """By rule, the lines of what production refuses."""
    found: dict[str, list[str]] = {}
    for verdict in judge(graph, development=False):
        assert verdict.outcome != "unknown", verdict.line
        found.setdefault(verdict.rule.name, []).append(verdict.line)
    return found


@pytest.mark.parametrize(("name", "said", "edits"), BROKEN)
def test_it_fires(name: str, said: str, edits: list[Edit]) -> None:
    lines = breaches(graph_with(*edits)).get(name, [])
    assert any(said in line for line in lines), lines


@pytest.mark.parametrize(("title", "edits"), PASSES)
def test_it_does_not_fire(title: str, edits: list[Edit]) -> None:
    assert breaches(graph_with(*edits)) == {}


@pytest.mark.parametrize(("name", "said", "edit"), UNKNOWNS)
def test_what_is_not_known_is_not_judged(name: str, said: str, edit: Edit) -> None:
    found = [v for v in judge(graph_with(edit), development=False) if v.rule.name == name]
    assert {v.outcome for v in found} == {"unknown"}
    assert said in found[0].text


def test_a_secret_is_no_breach_of_the_rule_that_asks_for_one() -> None:
    assert breaches(graph_with(("credentials", "data", "[secret]"))) == {}


def test_what_is_known_is_judged_beside_what_is_not() -> None:
    open_to = [UNKNOWN, "0.0.0.0/0"]
    graph = graph_with(("cluster", "vpcConfig publicAccessCidrs", open_to))
    found = [v.outcome for v in judge(graph, development=False)]
    assert found == ["error", "unknown"]


def test_every_rule_is_tried() -> None:
    rules = {rule.name for rule in ALL}
    assert {name for name, _, _ in BROKEN} == rules
    # These look only at whether something is there, or want it to be secret.
    never_unknown = {"node-launch-template", "record-overwrites-nothing", "no-plain-secret"}
    assert {name for name, _, _ in UNKNOWNS} == rules - never_unknown
    assert len(rules) == len(ALL)


def test_another_cluster_is_another_place() -> None:
    """A budget, a policy or an autoscaler of one cluster says nothing of another's pods."""
    resources = sound()
    elsewhere = {"budget", "scaler", "callers"}
    graph = Graph(
        tuple(
            replace(resource, provider="urn:another") if name in elsewhere else resource
            for name, resource in resources.items()
        )
    )
    template = graph.only("kubernetes:apps/v1:Deployment", "envoy")
    template.inputs["spec"]["replicas"] = 2
    assert set(breaches(graph)) == {"workload-has-budget"}


def test_a_job_and_a_pod_are_judged_like_a_deployment() -> None:
    bare = pods("x", {"containers": [{"name": "x", "image": "x"}]})
    job = {"spec": {"jobTemplate": {"spec": {"template": bare}}}}
    found = Graph(
        (
            kubernetes("batch/v1", "CronJob", "nightly", job),
            kubernetes("v1", "Pod", "single", {"spec": bare["spec"]}),
        )
    )
    lines = breaches(found)["container-unprivileged"]
    assert sorted({line.split()[1] for line in lines}) == ["CronJob", "Pod"]


JUNK: list[Any] = [None, [], {}, "", "x", -1, 2.5, True, [[]], [{}], {"x": {}}, UNKNOWN, "[secret]"]


@pytest.mark.parametrize("seed", range(300))
def test_no_value_makes_a_rule_fail(seed: int) -> None:
    """Whatever a program registers: a rule judges it or does not, and never raises."""
    chance = random.Random(seed)
    graph = graph_with()
    for _ in range(chance.randint(1, 4)):
        resource = chance.choice(graph.resources)
        replace_somewhere(resource.inputs or resource.outputs, chance)
    judge(graph, development=bool(seed % 2))


def replace_somewhere(value: Any, chance: random.Random) -> None:
    """Put junk in the place of something in a mapping or a list."""
    keys: list[Any] = list(value) if is_mapping(value) else list(range(len(value)))
    if keys:
        key = chance.choice(keys)
        inner = value[key]
        if (is_mapping(inner) or is_list(inner)) and chance.random() < 0.7:
            replace_somewhere(inner, chance)
        else:
            value[key] = chance.choice(JUNK)
