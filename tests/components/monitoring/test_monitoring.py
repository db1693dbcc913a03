"""Monitoring on the recorded graph of a whole stack."""

from typing import Any

import pytest

from config.mistakes import ConfigError
from grpc_platform.monitoring.rules import groups
from grpc_platform_tools.graph import Graph, Resource
from grpc_platform_tools.preview.summary import summarise
from tests.test_program import variation

LINKS = {"runbook_url": "https://example.com/runbooks", "dashboard_url": "https://grafana"}
OPERATOR = "kubernetes:monitoring.coreos.com/v1:"
PARTS = {"contour", "envoy", "external-dns"}


@pytest.fixture(scope="module")
def monitored() -> Graph:
    return variation(
        "prod",
        {"monitoring": {"pod_monitors": True, "rules": LINKS, "labels": {"release": "prometheus"}}},
    )


@pytest.fixture(scope="module")
def annotated() -> Graph:
    return variation("prod", {})


def of_the_operator(graph: Graph) -> list[Resource]:
    return [r for r in graph if r.type.startswith(OPERATOR)]


def templates(graph: Graph) -> dict[str, dict[str, Any]]:
    """The pods of each part of the platform."""
    found = [r.inputs for r in graph.of_type("kubernetes:apps/v1:Deployment")]
    return {d["metadata"]["name"]: d["spec"]["template"] for d in found}


def test_nothing_depends_on_what_needs_the_operator(monitored: Graph) -> None:
    theirs = {r.urn for r in of_the_operator(monitored)}
    assert len(theirs) == 4
    for resource in monitored:
        assert not theirs & monitored.needs(resource), resource.urn
        assert not theirs & set(resource.depends_on), resource.urn


def test_all_else_is_there_before_it_can_fail(monitored: Graph) -> None:
    theirs = of_the_operator(monitored)
    rest = {r.urn for r in monitored if not r.is_component} - {r.urn for r in theirs}
    for resource in theirs:
        assert rest <= monitored.needs(resource), resource.urn


def test_a_pod_monitor_finds_the_port_of_the_pods_it_selects(
    monitored: Graph, annotated: Graph
) -> None:
    found: set[str] = set()
    for monitor in monitored.of_type(f"{OPERATOR}PodMonitor"):
        spec, metadata = monitor.inputs["spec"], monitor.inputs["metadata"]
        [endpoint] = spec["podMetricsEndpoints"]
        name = metadata["name"]
        template = templates(monitored)[name]
        wanted = spec["selector"]["matchLabels"].items()
        assert wanted <= template["metadata"]["labels"].items()
        others = {n: t for n, t in templates(monitored).items() if n != name}
        assert not any(wanted <= t["metadata"]["labels"].items() for t in others.values())
        ports = {
            port["name"]: port["containerPort"]
            for container in template["spec"]["containers"]
            for port in container.get("ports", [])
        }
        # The same port and path as the annotations give.
        scraped = templates(annotated)[name]["metadata"]["annotations"]
        assert str(ports[endpoint["port"]]) == scraped["prometheus.io/port"]
        assert endpoint["path"] == scraped["prometheus.io/path"]
        assert metadata["labels"]["release"] == "prometheus"
        found.add(name)
    assert found == PARTS


def test_a_pod_monitor_is_in_the_namespace_of_its_pods_because_it_selects_in_no_other(
    monitored: Graph,
) -> None:
    deployments = monitored.of_type("kubernetes:apps/v1:Deployment")
    spaces = {d.inputs["metadata"]["name"]: d.inputs["metadata"]["namespace"] for d in deployments}
    for monitor in monitored.of_type(f"{OPERATOR}PodMonitor"):
        metadata = monitor.inputs["metadata"]
        assert metadata["namespace"] == spaces[metadata["name"]]
    rule = monitored.only(f"{OPERATOR}PrometheusRule").inputs["metadata"]
    assert (rule["name"], rule["namespace"]) == ("grpc-platform", spaces["contour"])


def test_all_of_it_belongs_to_the_component_and_to_the_cluster() -> None:
    """Without the component as its parent an object is made in the ambient kubeconfig's cluster."""
    graph = variation(
        "prod", {"monitoring": {"pod_monitors": True, "rules": LINKS, "dashboards": True}}
    )
    component = graph.only("grpc-platform:index:Monitoring")
    theirs = [each for each in graph if each.parent == component.urn]
    assert len(theirs) == 5
    assert len({each.provider for each in theirs}) == 1
    for each in theirs:
        labels = each.inputs["metadata"]["labels"]
        assert labels["app.kubernetes.io/managed-by"] == "grpc-platform"


def test_pods_carry_scrape_annotations_or_have_a_monitor(
    monitored: Graph, annotated: Graph
) -> None:
    def scraped(graph: Graph) -> set[str]:
        return {
            name
            for name, template in templates(graph).items()
            if template["metadata"].get("annotations", {}).get("prometheus.io/scrape") == "true"
        }

    assert scraped(annotated) == PARTS
    assert scraped(monitored) == set()
    assert of_the_operator(annotated) == []


def test_the_rule_has_the_groups_with_the_stacks_links(monitored: Graph) -> None:
    rule = monitored.only(f"{OPERATOR}PrometheusRule").inputs
    assert rule["spec"]["groups"] == groups(
        runbook_url=LINKS["runbook_url"], dashboard_url=LINKS["dashboard_url"]
    )
    assert rule["metadata"]["labels"]["release"] == "prometheus"


def test_the_preview_says_what_the_cluster_must_have(monitored: Graph, annotated: Graph) -> None:
    [line] = [w for w in summarise(monitored, "prod").warnings if "monitoring.coreos.com" in w]
    assert "PodMonitor, PrometheusRule" in line
    assert not [w for w in summarise(annotated, "prod").warnings if "monitoring.coreos.com" in w]


@pytest.mark.parametrize(
    ("monitoring", "message"),
    [
        ({"rules": {}}, "monitoring.rules.dashboard_url: is required"),
        ({"rules": {**LINKS, "runbook_url": "docs"}}, "monitoring.rules.runbook_url"),
        ({"scrapers": {"p": {}}}, "monitoring.scrapers.p.cidr: is required"),
    ],
)
def test_a_mistake_is_told_by_its_key(monitoring: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        variation("local", {"monitoring": monitoring})
