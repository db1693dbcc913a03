"""The chain of a host is a call's path by DNS and the Ingress, and shows where it breaks."""

from dataclasses import replace
from typing import Any

from grpc_platform_tools.graph import Graph, Resource
from grpc_platform_tools.preview.dns import Chain, chains

ZONE = Resource(
    urn="urn:zone", type="aws:route53/zone:Zone", name="zone", inputs={"name": "grpc.example."}
)


def kubernetes(kind: str, name: str, spec: dict[str, Any], **metadata: Any) -> Resource:
    """One object in namespace `edge` of cluster `main`, or of `cluster`."""
    cluster = metadata.pop("cluster", "main")
    return Resource(
        urn=f"urn:{cluster}:{kind}:{name}",
        type=f"kubernetes:v1:{kind}",
        name=name,
        provider=f"urn::{cluster}",
        inputs={
            "apiVersion": "v1",
            "kind": kind,
            "metadata": {"name": name, "namespace": "edge", **metadata},
            "spec": spec,
        },
    )


def cname(name: str, target: str, ttl: int | None = 60, **inputs: Any) -> Resource:
    """A CNAME in ZONE."""
    return Resource(
        urn=f"urn:{name}",
        type="aws:route53/record:Record",
        name=name,
        depends_on=(ZONE.urn,),
        inputs={"name": name, "type": "CNAME", "records": [target], "ttl": ttl, **inputs},
    )


def envoy(hostname: str = "main.grpc.example", ttl: str = "30", **metadata: Any) -> Resource:
    """The headless Service whose pods external-dns publishes."""
    annotations = {
        "external-dns.alpha.kubernetes.io/hostname": hostname,
        "external-dns.alpha.kubernetes.io/ttl": ttl,
    }
    ports = [{"name": "http", "port": 80, "targetPort": 8080}]
    spec = {"clusterIP": "None", "selector": {"app": "envoy"}, "ports": ports}
    return kubernetes("Service", "envoy", spec, **{"annotations": annotations, **metadata})


def ingress(host: str, **options: Any) -> Resource:
    """A route for a host, to Service `greeter`."""
    tls = [{"hosts": [host], "secretName": "cert"}] if options.pop("tls", False) else []
    backend = {"service": {"name": "greeter", "port": {"number": 50051}}}
    rule = {"host": host, "http": {"paths": [{"path": "/", "backend": backend}]}}
    return kubernetes("Ingress", f"for-{host}", {"rules": [rule], "tls": tls}, **options)


def only(*resources: Resource) -> Chain:
    """The one chain these resources make."""
    (chain,) = chains(Graph((ZONE, *resources)))
    return chain


def test_a_host_leads_by_its_cname_to_the_pods_and_by_its_ingress_to_a_service() -> None:
    chain = only(
        envoy(),
        cname("greeter.grpc.example", "Main.grpc.example."),
        ingress("greeter.grpc.example"),
    )
    assert [(s.name, s.type, s.ttl) for s in chain.steps] == [
        ("greeter.grpc.example", "CNAME", 60),
        ("main.grpc.example", "A", 30),
    ]
    assert chain.steps[0].value == "main.grpc.example"
    assert chain.steps[0].zone == "grpc.example"
    assert chain.pods is not None
    assert chain.pods.ports == {"http": 8080}
    assert [route.service for route in chain.routes] == ["Service edge/greeter:50051"]
    assert chain.problems == []


def test_the_pods_are_those_of_the_workload_the_service_selects_sized_by_its_autoscaler() -> None:
    template = {"metadata": {"labels": {"app": "envoy", "version": "1"}}}
    other = {"metadata": {"labels": {"app": "other"}}}
    target = {"scaleTargetRef": {"kind": "Deployment", "name": "envoy"}}
    resources = (
        kubernetes("Deployment", "other", {"template": other}),
        kubernetes("Deployment", "envoy", {"template": template}, cluster="spare"),
        kubernetes("Deployment", "envoy", {"template": template}),
        envoy(),
        cname("greeter.grpc.example", "main.grpc.example"),
    )
    fixed = only(*resources)
    assert fixed.steps[-1].value == "every ready pod of Deployment edge/envoy (1)"
    scaler = kubernetes("HorizontalPodAutoscaler", "envoy", {**target, "maxReplicas": 9})
    scaled = only(*resources, scaler)
    assert scaled.pods is not None
    assert (scaled.pods.min_replicas, scaled.pods.max_replicas) == (1, 9)
    assert scaled.steps[-1].value == "every ready pod of Deployment edge/envoy (1 to 9)"


def test_a_service_without_a_known_workload_stands_for_its_pods() -> None:
    chain = only(envoy(), cname("greeter.grpc.example", "main.grpc.example"))
    assert chain.steps[-1].value == "every ready pod of Service edge/envoy"


def test_a_relative_record_name_is_completed_by_its_zone() -> None:
    assert only(envoy(), cname("greeter", "main.grpc.example")).host == "greeter.grpc.example"


def test_the_annotation_prefix_of_newer_external_dns_counts_and_several_names_do() -> None:
    annotations = {
        "external-dns.kubernetes.io/hostname": "a.grpc.example, b.grpc.example",
        "external-dns.kubernetes.io/ttl": "1m30s",
    }
    service = envoy(annotations=annotations)
    found = chains(
        Graph((ZONE, service, cname("x", "a.grpc.example"), cname("y", "b.grpc.example")))
    )
    assert [(c.host, c.steps[-1].ttl) for c in found] == [
        ("x.grpc.example", 90),
        ("y.grpc.example", 90),
    ]


def test_a_ttl_that_cannot_be_read_is_unknown_not_zero() -> None:
    assert only(envoy(ttl="soon"), cname("x", "main.grpc.example")).steps[-1].ttl is None


def weighted(target: str, weight: int) -> Resource:
    policies = [{"weight": weight}]
    record = cname("greeter.grpc.example", target, weightedRoutingPolicies=policies)
    return replace(record, urn=f"urn:greeter:{target}")


def test_a_host_with_weighted_records_has_a_chain_to_each_cluster() -> None:
    old, new = chains(
        Graph(
            (
                ZONE,
                envoy("old.grpc.example", cluster="old"),
                envoy("new.grpc.example", cluster="new"),
                weighted("old.grpc.example", 30),
                weighted("new.grpc.example", 90),
                ingress("greeter.grpc.example", cluster="old"),
                ingress("greeter.grpc.example", cluster="new"),
            )
        )
    )
    assert (old.host, new.host) == ("greeter.grpc.example",) * 2
    assert (old.share, new.share) == (0.25, 0.75)
    assert (old.steps[0].weight, new.steps[0].weight) == (30, 90)
    for chain, cluster in ((old, "old"), (new, "new")):
        assert chain.steps[-1].name == f"{cluster}.grpc.example"
        assert [route.cluster for route in chain.routes] == [cluster]
        assert chain.problems == []


def test_weights_that_are_all_0_are_equal_shares_and_one_record_has_all() -> None:
    none = chains(Graph((ZONE, weighted("a.example", 0), weighted("b.example", 0))))
    assert [chain.share for chain in none] == [0.5, 0.5]
    assert [chain.share for chain in chains(Graph((ZONE, weighted("a.example", 1))))] == [1]


def test_a_weighted_record_to_a_cluster_that_does_not_route_its_host_is_a_problem() -> None:
    _, new = chains(
        Graph(
            (
                ZONE,
                envoy("old.grpc.example", cluster="old"),
                envoy("new.grpc.example", cluster="new"),
                weighted("old.grpc.example", 50),
                weighted("new.grpc.example", 50),
                ingress("greeter.grpc.example", cluster="old"),
            )
        )
    )
    assert new.problems == ["greeter.grpc.example leads to cluster new, but is routed in old"]


def test_a_chain_of_several_cnames_is_followed_and_one_in_a_circle_ends() -> None:
    chain = only(envoy(), cname("a", "b.grpc.example"), cname("b", "main.grpc.example"))
    assert [step.name for step in chain.steps] == [
        "a.grpc.example",
        "b.grpc.example",
        "main.grpc.example",
    ]
    circle = chains(
        Graph(
            (
                ZONE,
                cname("x", "y.grpc.example"),
                cname("y", "x.grpc.example"),
                ingress("x.grpc.example"),
            )
        )
    )
    assert [chain.pods for chain in circle] == [None]


def test_a_tls_host_is_known_by_its_ingress() -> None:
    chain = only(envoy(), cname("t", "main.grpc.example"), ingress("t.grpc.example", tls=True))
    assert [route.tls for route in chain.routes] == [True]


def test_an_unpublished_name_is_a_problem() -> None:
    chain = only(envoy(), cname("greeter", "gone.grpc.example"))
    assert chain.problems == [
        "greeter.grpc.example leads to gone.grpc.example, which is not published here"
    ]


def test_a_stack_that_publishes_nothing_may_lead_to_another_stacks_name() -> None:
    chain = only(cname("greeter", "main.grpc.example"), ingress("greeter.grpc.example"))
    assert chain.problems == []


def test_a_routed_host_without_a_record_is_a_problem() -> None:
    chain = only(ingress("greeter.grpc.example"))
    assert chain.problems == ["greeter.grpc.example is routed, but no record leads to it"]


def test_a_host_routed_in_another_cluster_than_its_name_leads_to_is_a_problem() -> None:
    chain = only(
        envoy(),
        cname("greeter", "main.grpc.example"),
        ingress("greeter.grpc.example", cluster="spare"),
    )
    assert chain.problems == ["greeter.grpc.example leads to cluster main, but is routed in spare"]


def test_records_of_other_types_are_no_chain() -> None:
    assert chains(Graph((ZONE, cname("soa", "ns. admin.", type="SOA")))) == []
