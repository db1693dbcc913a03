"""Who may read metrics, inside the cluster and from outside."""

from collections.abc import Callable, Mapping
from typing import Any

import pulumi
import pytest

import grpc_platform as gp
from grpc_platform.specs import EnvoySpec, ScraperSpec
from grpc_platform_tools.graph import Graph

Recorded = Callable[[Callable[[], object]], Graph]
RULE = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
POLICY = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
PORTS = {7979, 8000, 8002}

IN_MONITORING: dict[str, Any] = {
    "matchExpressions": [
        {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["monitoring"]}
    ]
}


def scraped(recorded: Recorded, scrapers: Mapping[str, gp.Scraper]) -> Graph:
    def program() -> None:
        gp.Contour("contour", gp.ContourArgs(dns_name="a.example.com", scrapers=scrapers))
        gp.Callers(
            "callers",
            gp.CallersArgs(
                cluster="serving",
                callers={},
                scrapers=scrapers,
                namespace="projectcontour",
                security_group_ids={"serving": "sg-serving"},
                envoy=EnvoySpec(),
                tags={"team": "platform"},
            ),
        )
        gp.ExternalDns(
            "external-dns",
            gp.ExternalDnsArgs(
                cluster_name="serving",
                owner_id="serving",
                zone_id="Z0123456789",
                zone_arn="arn:aws:route53:::hostedzone/Z0123456789",
                dns_name="a.example.com",
                envoy_namespace="projectcontour",
                scrapers=scrapers,
            ),
        )

    return recorded(program)


def admitted(graph: Graph) -> dict[int, list[Any]]:
    """Who may reach each metrics port of pods that have a NetworkPolicy."""
    rules = [
        r for policy in graph.of_type(POLICY) for r in policy.inputs["spec"].get("ingress", ())
    ]
    return {r["ports"][0]["port"]: r["from"] for r in rules if r["ports"][0]["port"] in PORTS}


def opened(graph: Graph) -> set[tuple[str, int]]:
    """Source and port of each security-group rule."""
    return {
        (r.inputs.get("referencedSecurityGroupId") or r.inputs["cidrIpv4"], r.inputs["fromPort"])
        for r in graph.of_type(RULE)
    }


def test_without_scrapers_every_pod_of_the_cluster_may_read_metrics(recorded: Recorded) -> None:
    graph = scraped(recorded, {})
    assert admitted(graph) == {port: [{"namespaceSelector": {}}] for port in PORTS}
    assert opened(graph) == set()


def test_pods_are_known_by_namespace_and_labels_and_need_no_security_group(
    recorded: Recorded,
) -> None:
    labels = {"app.kubernetes.io/name": "prometheus"}
    graph = scraped(
        recorded,
        {
            "both": gp.Scraper(namespaces=["monitoring"], pod_labels=labels),
            "anywhere": gp.Scraper(pod_labels=labels),
        },
    )
    peers = [
        {"namespaceSelector": IN_MONITORING, "podSelector": {"matchLabels": labels}},
        {"namespaceSelector": {}, "podSelector": {"matchLabels": labels}},
    ]
    assert admitted(graph) == dict.fromkeys(PORTS, peers)
    assert opened(graph) == set()


def test_a_scraper_outside_passes_both(recorded: Recorded) -> None:
    graph = scraped(
        recorded,
        {
            "managed": gp.Scraper(security_group_id="sg-1", cidr="10.1.0.0/16"),
            "nodes": gp.Scraper(cidr="10.2.0.0/16"),
            "again": gp.Scraper(cidr="10.2.0.0/16"),
        },
    )
    assert opened(graph) == {(s, port) for s in ("sg-1", "10.2.0.0/16") for port in PORTS}
    assert len(graph.of_type(RULE)) == 6, "AWS refuses a duplicate rule"
    for rule in graph.of_type(RULE):
        assert ("cidrIpv4" in rule.inputs) != ("referencedSecurityGroupId" in rule.inputs)
        assert rule.inputs["securityGroupId"] == "sg-serving"
        assert rule.inputs["fromPort"] == rule.inputs["toPort"]
    blocks = [{"ipBlock": {"cidr": f"10.{n}.0.0/16"}} for n in (1, 2, 2)]
    assert admitted(graph) == dict.fromkeys(PORTS, blocks)


def test_a_rule_tells_whose_it_is_and_admits_tcp_alone(recorded: Recorded) -> None:
    """Nothing else of a security group's rule says why it is there."""
    outside = gp.Scraper(cidr="10.2.0.0/16")
    graph = scraped(recorded, {"nodes": outside, "again": outside})
    component = graph.only("grpc-platform:index:Callers").urn
    parts = {8000: "Contour", 8002: "Envoy", 7979: "external-dns"}
    for rule in graph.of_type(RULE):
        assert (
            rule.inputs["description"]
            == f"nodes, again to metrics of {parts[rule.inputs['fromPort']]}"
        )
        assert rule.inputs["ipProtocol"] == "tcp"
        assert rule.inputs["tags"] == {"team": "platform"}
        assert rule.parent == component


def test_a_renamed_scraper_keeps_its_rules(recorded: Recorded) -> None:
    before, after = (
        {r.urn for r in scraped(recorded, {name: gp.Scraper(cidr="10.2.0.0/16")}).of_type(RULE)}
        for name in ("one", "other")
    )
    assert before == after


def test_what_a_program_makes_can_scrape(recorded: Recorded) -> None:
    later = pulumi.Output.from_input
    managed = gp.Scraper(security_group_id=later("sg-1"), cidr=later("10.1.0.0/16"))
    graph = scraped(recorded, {"managed": managed, "own": gp.Scraper(namespaces=[later("m")])})
    assert opened(graph) == {("sg-1", port) for port in PORTS}


@pytest.mark.parametrize(
    ("scraper", "message"),
    [
        (ScraperSpec(), r"p\.cidr: is required, or namespaces or pod_labels"),
        (ScraperSpec(security_group_id="sg-1"), r"p\.cidr: is required"),
        (ScraperSpec(namespaces=("a",), cidr="10.0.0.0/8"), r"cidr = .* cannot be combined"),
        (
            ScraperSpec(pod_labels={"a": "b"}, security_group_id="sg-1"),
            r"security_group_id = .* cannot be combined",
        ),
    ],
)
def test_a_scraper_that_is_no_one_source_is_refused(
    recorded: Recorded, scraper: ScraperSpec, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        scraped(recorded, {"p": gp.Scraper(**dict(scraper))})
