"""GrpcService: the Service, Ingress and CNAME of one gRPC service."""

from datetime import timedelta
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
import pytest

from grpc_platform.grpc_service import GrpcService, GrpcServiceArgs
from grpc_platform.specs import CircuitBreakers, ServiceSpec
from grpc_platform.timing import Timing
from grpc_platform_tools.graph import Graph
from grpc_platform_tools.preview.record import record

SERVICE = "kubernetes:core/v1:Service"
INGRESS = "kubernetes:networking.k8s.io/v1:Ingress"
NAMESPACE = "kubernetes:core/v1:Namespace"
RECORD = "aws:route53/record:Record"


def arguments(spec: ServiceSpec, **others: Any) -> GrpcServiceArgs:
    platform: dict[str, Any] = {
        "zone_id": "Z0123456789",
        "zone_name": "grpc.example.com",
        "envoy_dns_name": "serving.grpc.example.com",
        "ingress_class_name": "contour",
        "http_port": 8080,
        "https_port": 8443,
        "timing": Timing(),
    }
    return GrpcServiceArgs(spec=spec, **platform | others)


def bundle(spec: ServiceSpec, **others: Any) -> Graph:
    return record(lambda: GrpcService("greeter", arguments(spec, **others)))


def annotations(graph: Graph, type_token: str) -> dict[str, str]:
    found = dict(graph.only(type_token).inputs["metadata"]["annotations"])
    assert found.pop("pulumi.com/skipAwait") == "true"
    return found


def test_a_bundle_is_a_headless_service_an_ingress_and_a_cname() -> None:
    graph = bundle(ServiceSpec())
    service = graph.only(SERVICE, "greeter").inputs
    assert service["metadata"]["name"] == "greeter"
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["selector"] == {"app.kubernetes.io/name": "greeter"}
    (rule,) = graph.only(INGRESS).inputs["spec"]["rules"]
    assert rule["host"] == "greeter.grpc.example.com"
    assert rule["http"]["paths"] == [
        {
            "path": "/",
            "pathType": "Prefix",
            "backend": {"service": {"name": "greeter", "port": {"name": "grpc"}}},
        }
    ]
    assert graph.only(INGRESS).inputs["spec"]["ingressClassName"] == "contour"
    cname = graph.only(RECORD).inputs
    assert cname == {
        "zoneId": "Z0123456789",
        "name": "greeter.grpc.example.com",
        "type": "CNAME",
        "ttl": 30,
        "records": ["serving.grpc.example.com"],
        "setIdentifier": "serving",
        "weightedRoutingPolicies": [{"weight": 100}],
    }
    assert not graph.of_type(NAMESPACE)


def test_a_service_in_two_clusters_has_one_name_and_a_record_of_it_for_each_cluster() -> None:
    def program() -> None:
        for cluster, weight in (("old", 25), ("new", 75)):
            there: dict[str, Any] = {"envoy_dns_name": f"{cluster}.grpc.example.com"}
            args = arguments(ServiceSpec(), service="greeter", weight=weight, **there)
            GrpcService(f"greeter.{cluster}", args)

    graph = record(program)
    for kind in (SERVICE, INGRESS):
        assert [r.inputs["metadata"]["name"] for r in graph.of_type(kind)] == ["greeter"] * 2
    selectors = [r.inputs["spec"]["selector"] for r in graph.of_type(SERVICE)]
    assert selectors == [{"app.kubernetes.io/name": "greeter"}] * 2
    records = [r.inputs for r in graph.of_type(RECORD)]
    assert {r["name"] for r in records} == {"greeter.grpc.example.com"}
    assert {r["setIdentifier"]: (r["records"], r["weightedRoutingPolicies"]) for r in records} == {
        "old": (["old.grpc.example.com"], [{"weight": 25}]),
        "new": (["new.grpc.example.com"], [{"weight": 75}]),
    }


def test_a_record_is_told_by_its_envoys_where_the_platform_is_another_stack_too() -> None:
    elsewhere = {
        "zone_name": pulumi.Output.from_input("grpc.example.com"),
        "envoy_dns_name": pulumi.Output.from_input("a.envoys.grpc.example.com"),
    }
    assert bundle(ServiceSpec(), **elsewhere).only(RECORD).inputs["setIdentifier"] == "a.envoys"


def test_envoy_speaks_h2c_to_the_pods() -> None:
    graph = bundle(ServiceSpec(port=9090))
    assert annotations(graph, SERVICE) == {"projectcontour.io/upstream-protocol.h2c": "9090"}
    (port,) = graph.only(SERVICE).inputs["spec"]["ports"]
    assert port["port"] == port["targetPort"] == 9090
    assert "appProtocol" not in port


@pytest.mark.parametrize(
    ("spec", "timeout"),
    [
        (ServiceSpec(), "15s"),
        (ServiceSpec(deadline=timedelta(seconds=45)), "45s"),
        (ServiceSpec(streaming=True), "infinity"),
        (ServiceSpec(deadline="infinity"), "infinity"),
    ],
)
def test_the_route_ends_calls_at_the_deadline(spec: ServiceSpec, timeout: str) -> None:
    assert annotations(bundle(spec), INGRESS)["projectcontour.io/response-timeout"] == timeout


def retries(spec: ServiceSpec) -> dict[str, str]:
    keys = ("retry-on", "num-retries", "per-try-timeout")
    found = annotations(bundle(spec), INGRESS)
    return {
        key: found[f"projectcontour.io/{key}"]
        for key in keys
        if f"projectcontour.io/{key}" in found
    }


def test_envoy_tries_only_the_calls_of_an_idempotent_service_again() -> None:
    again = {"retry-on": "reset,connect-failure,refused-stream", "num-retries": "4"}
    assert retries(ServiceSpec()) == {}
    assert retries(ServiceSpec(idempotent=True)) == again
    impatient = ServiceSpec(idempotent=True, try_timeout=timedelta(seconds=2))
    assert retries(impatient) == again | {"per-try-timeout": "2s"}


def test_an_idempotent_service_may_have_more_than_envoys_three_retries_in_flight() -> None:
    def in_flight(spec: ServiceSpec) -> str | None:
        return annotations(bundle(spec), SERVICE).get("projectcontour.io/max-retries")

    assert in_flight(ServiceSpec()) is None
    assert in_flight(ServiceSpec(idempotent=True)) == "1000"
    limits = CircuitBreakers(max_retries=7)
    assert in_flight(ServiceSpec(idempotent=True, circuit_breakers=limits)) == "7"


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        (ServiceSpec(try_timeout=timedelta(seconds=2)), "try_timeout = 2s: runs calls again"),
        (
            ServiceSpec(idempotent=True, try_timeout=timedelta(seconds=15)),
            r"try_timeout = 15s: leaves no time for another try before the deadline \(15s\)",
        ),
    ],
)
def test_a_time_for_each_try_that_does_not_fit_is_refused(spec: ServiceSpec, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        bundle(spec)


def test_an_endless_call_has_time_for_another_try() -> None:
    bundle(ServiceSpec(idempotent=True, streaming=True, try_timeout=timedelta(hours=1)))


def test_no_other_external_dns_of_the_cluster_publishes_the_host() -> None:
    found = annotations(bundle(ServiceSpec()), INGRESS)
    # external-dns's own prefixes: https://kubernetes-sigs.github.io/external-dns/latest/docs/annotations/annotations/
    for prefix in ("external-dns.alpha.kubernetes.io/", "external-dns.kubernetes.io/"):
        assert found[f"{prefix}controller"] not in ("dns-controller", "")


def test_the_route_leads_to_a_port_of_the_service_over_tcp() -> None:
    graph = bundle(ServiceSpec())
    (port,) = graph.only(SERVICE).inputs["spec"]["ports"]
    (rule,) = graph.only(INGRESS).inputs["spec"]["rules"]
    assert rule["http"]["paths"][0]["backend"]["service"]["port"] == {"name": port["name"]}
    assert port.get("protocol", "TCP") == "TCP"  # HTTP/2 needs it


def test_all_of_a_service_belongs_to_it() -> None:
    graph = bundle(ServiceSpec())
    component = graph.only("grpc-platform:index:GrpcService").urn
    made = [r for r in graph if r.type.startswith(("kubernetes:", "aws:"))]
    assert {r.parent for r in made} == {component}
    assert len(made) == 3


def test_the_cname_comes_after_the_envoys_of_its_program() -> None:
    """A look-up that comes before their addresses gets an NXDOMAIN, which resolvers keep."""

    def program() -> None:
        fleet = k8s.core.v1.Namespace("envoy")
        GrpcService("greeter", arguments(ServiceSpec(), cname_after=[fleet]))

    graph = record(program)
    fleet = graph.only(NAMESPACE, "envoy").urn
    assert fleet in graph.needs(graph.only(RECORD))
    assert fleet not in graph.needs(graph.only(SERVICE))


def test_a_tls_service_has_no_plaintext_route() -> None:
    graph = bundle(ServiceSpec(tls_secret="greeter-tls"))
    assert annotations(graph, INGRESS)["kubernetes.io/ingress.allow-http"] == "false"
    assert graph.only(INGRESS).inputs["spec"]["tls"] == [
        {"hosts": ["greeter.grpc.example.com"], "secretName": "greeter-tls"}
    ]


def test_circuit_breakers_are_set_on_the_service_where_given() -> None:
    limits = CircuitBreakers(max_connections=4096, max_requests=20000)
    assert annotations(bundle(ServiceSpec(circuit_breakers=limits)), SERVICE) == {
        "projectcontour.io/upstream-protocol.h2c": "50051",
        "projectcontour.io/max-connections": "4096",
        "projectcontour.io/max-requests": "20000",
    }


def test_a_namespace_that_the_same_program_makes_comes_first() -> None:
    def program() -> None:
        made = k8s.core.v1.Namespace("shop", metadata={"name": "shop"})
        GrpcService("greeter", arguments(ServiceSpec(), namespace=made.metadata["name"]))

    graph = record(program)
    for type_token in (SERVICE, INGRESS):
        resource = graph.only(type_token)
        assert resource.inputs["metadata"]["namespace"] == "shop"
        assert graph.only(NAMESPACE).urn in graph.needs(resource)


def test_a_namespace_that_is_no_name_is_refused() -> None:
    for later in (False, True):

        def program(later: bool = later) -> None:
            namespace = pulumi.Output.from_input("Shop") if later else "Shop"
            GrpcService("greeter", arguments(ServiceSpec(), namespace=namespace))

        with pytest.raises(ValueError, match="greeter: namespace = Shop: 'Shop' is not a DNS"):
            record(program)


def test_the_cname_comes_after_the_ingress_and_whatever_the_caller_names() -> None:
    class Fleet(pulumi.ComponentResource):
        def __init__(self) -> None:
            super().__init__("test:index:Fleet", "envoy")
            k8s.core.v1.Namespace("envoy", opts=pulumi.ResourceOptions(parent=self))

    def program() -> None:
        after = pulumi.ResourceOptions(depends_on=Fleet())
        GrpcService("greeter", arguments(ServiceSpec()), after)

    graph = record(program)
    needs = graph.needs(graph.only(RECORD))
    assert graph.only(NAMESPACE, "envoy").urn in needs
    assert {graph.only(INGRESS).urn, graph.only(SERVICE).urn} <= needs


REFUSED = [
    (
        ServiceSpec(deadline=timedelta(seconds=61)),
        r"deadline = 1m1s: exceeds envoy\.max",
    ),
    (
        ServiceSpec(streaming=True, deadline=timedelta(seconds=5)),
        "5s: ends every stream",
    ),
    (ServiceSpec(host="greeter.example.com"), "host = greeter.example.com: must be in the zone"),
]


@pytest.mark.parametrize(("spec", "reason"), REFUSED)
def test_a_mistake_is_refused_before_anything_is_registered(spec: ServiceSpec, reason: str) -> None:
    def program() -> None:
        with pytest.raises(ValueError, match=reason):
            GrpcService("greeter", arguments(spec))

    assert [r.type for r in record(program)] == ["pulumi:pulumi:Stack"]


@pytest.mark.parametrize(("spec", "reason"), REFUSED)
def test_a_mistake_is_refused_where_the_platform_is_another_stack_too(
    spec: ServiceSpec, reason: str
) -> None:
    def program() -> None:
        elsewhere = {
            "zone_name": pulumi.Output.from_input("grpc.example.com"),
            "timing": pulumi.Output.from_input(Timing()),
        }
        GrpcService("greeter", arguments(spec, **elsewhere))

    with pytest.raises(ValueError, match=reason):
        record(program)


def test_its_outputs_tell_a_client_how_to_call_it() -> None:
    outputs = bundle(ServiceSpec()).only("grpc-platform:index:GrpcService").outputs
    assert outputs["host"] == "greeter.grpc.example.com"
    assert outputs["client_contract"]["target_uri"] == "dns:///greeter.grpc.example.com:8080"
