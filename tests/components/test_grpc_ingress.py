"""GrpcIngress and what a program exports of it, without this repository's config."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

import grpc_platform as gp
from grpc_platform.conventions import EXTERNAL_DNS_ANNOTATION_PREFIX
from grpc_platform.platform_stack import PlatformStack
from grpc_platform.specs import (
    AccessSpec,
    ClusterSpec,
    ContourSpec,
    EnvoySpec,
    ExternalDnsSpec,
    MonitoringSpec,
    NetworkSpec,
    ServiceSpec,
)
from grpc_platform.timing import DnsTiming
from grpc_platform_tools.graph import Graph, Resource
from grpc_platform_tools.preview.record import record

Recorded = Callable[[Callable[[], object]], Graph]


def program(*clusters: str, contours: dict[str, ContourSpec] | None = None) -> None:
    """A platform in existing clusters, whose zone has other times than the default, with a service
    in each."""
    times = DnsTiming(record_ttl=timedelta(minutes=2), propagation_delay=timedelta(seconds=90))
    zone = gp.ExistingZone(
        "zone", gp.ExistingZoneArgs(name="example.com", zone_id="Z1", timing=times)
    )
    made = {
        name: gp.ExistingCluster(
            name, gp.ExistingClusterArgs(kubeconfig="kubeconfig", context=name)
        )
        for name in clusters
    }
    ingresses = {
        name: gp.GrpcIngress(
            name,
            gp.GrpcIngressArgs(
                dns_name=f"{name}.example.com",
                zone=zone,
                clusters=made,
                contour=(contours or {}).get(name, ContourSpec()),
                external_dns=ExternalDnsSpec(credentials_secret="route53"),
            ),
        )
        for name in clusters
    }
    services = {
        name: gp.GrpcService(f"greeter-{name}", ingress.service_args(ServiceSpec()))
        for name, ingress in ingresses.items()
    }
    for key, value in gp.exports(zone, made, ingresses, services).items():
        pulumi.export(key, value)


def test_the_times_of_a_zone_reach_all_that_waits_for_dns(recorded: Recorded) -> None:
    graph = recorded(lambda: program("main"))
    pod: dict[str, Any] = graph.only("kubernetes:apps/v1:Deployment", "main-envoy").inputs["spec"]
    assert "--drain-delay=4m7s" in str(pod)  # 7 s + 90 s + 120 s + 30 s
    service = graph.only("kubernetes:core/v1:Service", "main-envoy-service")
    annotations = service.inputs["metadata"]["annotations"]
    assert annotations[f"{EXTERNAL_DNS_ANNOTATION_PREFIX}ttl"] == "120"
    assert graph.only("aws:route53/record:Record", "greeter-main-cname").inputs["ttl"] == 120
    assert graph.exports["timing"]["dns_convergence"] == "4m7s"
    contract = graph.exports["services"]["main"]
    assert contract["rebalance_time_seconds"] == 30 + 7 + 90 + 120 + 315


def test_a_platform_without_an_ingress_or_with_two_kinds_of_times_exports_nothing(
    recorded: Recorded,
) -> None:
    slower = ContourSpec.model_validate({"timeouts": {"max_connection_duration": "6m"}})
    with pytest.raises(ValueError, match="exports: ingresses: none"):
        recorded(program)
    with pytest.raises(ValueError, match="exports: ingresses: some have other times"):
        recorded(lambda: program("main", "second", contours={"second": slower}))


REGISTRY = "registry.example.com"
ENDPOINT = "https://route53.example.com"


def in_eks(opts: Callable[[], pulumi.ResourceOptions] | None = None) -> Graph:
    """A platform in a new cluster, in which no setting is the default."""

    def build() -> None:
        network = gp.Network(
            "network", gp.NetworkArgs(spec=NetworkSpec(zones=("eu-west-1a", "eu-west-1b")))
        )
        zone = gp.Zone("zone", gp.ZoneArgs(name="example.com", vpc_id=network.vpc_id))
        cluster = gp.Cluster(
            "main",
            gp.ClusterArgs(
                spec=ClusterSpec(access=AccessSpec(deployer_role="deployer"), auto_mode=True),
                subnet_ids=network.private_subnet_ids,
                pod_address_cooldown=zone.timing.dns_convergence,
            ),
        )
        args = gp.GrpcIngressArgs(
            dns_name="main.example.com",
            zone=zone,
            clusters={"main": cluster},
            network=network,
            callers={"office": gp.Caller(cidr="10.9.0.0/16")},
            contour=ContourSpec.model_validate(
                {
                    "accesslog_format": "json",
                    "replicas": 3,
                    "timeouts": {"max_connection_duration": "4m"},
                }
            ),
            envoy=EnvoySpec(http_port=9080, https_port=9443),
            external_dns=ExternalDnsSpec(route53_endpoint=ENDPOINT),
            contour_image=f"{REGISTRY}/contour:v1",
            envoy_image=f"{REGISTRY}/envoy:v1",
            external_dns_image=f"{REGISTRY}/external-dns:v1",
            image_pull_secrets=["mirror"],
            monitoring=MonitoringSpec(pod_monitors=True),
            scrapers={"agent": gp.Scraper(cidr="10.8.0.0/16")},
            namespaces={"shop": [pulumi.Alias(name="shop-before")]},
            tags={"team": "platform"},
        )
        ingress = gp.GrpcIngress("main", args, opts() if opts else None)
        gp.Monitoring("main", ingress.monitoring_args())
        spec = ServiceSpec(namespace="shop")
        service = gp.GrpcService("greeter.main", ingress.service_args(spec, "greeter", 25))
        exported = gp.exports(zone, {"main": cluster}, {"main": ingress}, {"greeter": service})
        for key, value in exported.items():
            pulumi.export(key, value)

    return record(build)


@pytest.fixture(scope="module")
def full() -> Graph:
    return in_eks()


def ingress_of(graph: Graph) -> list[Resource]:
    """The GrpcIngress, and all below it."""
    found = [graph.only("grpc-platform:index:GrpcIngress")]
    for resource in graph:
        if resource.parent in {r.urn for r in found}:
            found.append(resource)
    return found


def pods(graph: Graph) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Owner, metadata and spec of every pod of the platform."""
    for resource in graph:
        spec = resource.inputs.get("spec", {})
        spec = spec.get("jobTemplate", {}).get("spec", spec)
        if resource.type.startswith("kubernetes:") and "containers" in str(spec):
            yield resource.name, spec["template"]["metadata"], spec["template"]["spec"]


def containers(graph: Graph) -> dict[str, list[dict[str, Any]]]:
    """Every container of the platform, by its name."""
    found: dict[str, list[dict[str, Any]]] = {}
    for _, _, spec in pods(graph):
        for container in (*spec.get("initContainers", ()), *spec["containers"]):
            found.setdefault(container["name"], []).append(container)
    return found


def test_every_container_runs_the_image_of_its_own_part(full: Graph) -> None:
    """`contour bootstrap` and the shutdown manager are in Contour's image, not in Envoy's."""
    images = {name: {c["image"] for c in found} for name, found in containers(full).items()}
    contour = {f"{REGISTRY}/contour:v1"}
    assert images == {
        "contour": contour,
        "certgen": contour,
        "bootstrap": contour,
        "shutdown-manager": contour,
        "envoy": {f"{REGISTRY}/envoy:v1"},
        "external-dns": {f"{REGISTRY}/external-dns:v1"},
    }


def test_every_pod_may_pull_its_image(full: Graph) -> None:
    secrets = {owner: spec.get("imagePullSecrets") for owner, _, spec in pods(full)}
    assert len(secrets) == 5
    assert {str(found) for found in secrets.values()} == {"[{'name': 'mirror'}]"}


def test_no_pod_is_scraped_twice_where_there_are_pod_monitors(full: Graph) -> None:
    for owner, metadata, _ in pods(full):
        assert not [key for key in metadata.get("annotations", {}) if "prometheus" in key], owner


def test_pod_monitors_are_where_their_pods_are(full: Graph) -> None:
    monitors = {
        r.inputs["metadata"]["namespace"]: r.inputs["spec"]["selector"]["matchLabels"]
        for r in full.of_type("kubernetes:monitoring.coreos.com/v1:PodMonitor")
    }
    assert {
        k: v["app.kubernetes.io/name"] for k, v in monitors.items() if k != "projectcontour"
    } == {"external-dns": "external-dns"}


def test_none_but_the_scrapers_read_the_metrics_of_any_part(full: Graph) -> None:
    agent = [{"ipBlock": {"cidr": "10.8.0.0/16"}}]
    read: set[int] = set()
    for policy in full.of_type("kubernetes:networking.k8s.io/v1:NetworkPolicy"):
        for rule in policy.inputs["spec"].get("ingress", ()):
            for port in {p["port"] for p in rule["ports"]} & {8000, 8002, 7979}:
                assert rule["from"] == agent, policy.name
                read.add(port)
    rules = full.of_type("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
    opened = {r.inputs["toPort"] for r in rules if r.inputs.get("cidrIpv4") == "10.8.0.0/16"}
    assert read == opened == {8000, 8002, 7979}


def test_contour_envoy_and_callers_agree_on_the_ports_that_clients_dial(full: Graph) -> None:
    (contour,) = containers(full)["contour"]
    (envoy,) = containers(full)["envoy"]
    assert {f"--envoy-service-{p}-port={n}" for p, n in (("http", 9080), ("https", 9443))} <= set(
        contour["args"]
    )
    listening = {port["name"]: port["containerPort"] for port in envoy["ports"]}
    assert (listening["http"], listening["https"]) == (9080, 9443)
    rules = full.of_type("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
    opened = {r.inputs["toPort"] for r in rules if r.inputs.get("cidrIpv4") == "10.9.0.0/16"}
    assert opened == {9080, 9443}
    contract = full.only("grpc-platform:index:GrpcService").outputs["client_contract"]
    assert contract["target_uri"].endswith(":9080")


def test_envoys_ask_contours_service_for_their_configuration(full: Graph) -> None:
    (bootstrap,) = containers(full)["bootstrap"]
    (address,) = [
        word.partition("=")[2] for word in bootstrap["args"] if word.startswith("--xds-address=")
    ]
    services = {
        r.inputs["metadata"]["name"]
        for r in full.of_type("kubernetes:core/v1:Service")
        if r.inputs["metadata"]["namespace"] == "projectcontour"
    }
    assert address in services


def test_each_part_gets_the_section_that_is_its_own(full: Graph) -> None:
    deployments = {
        r.inputs["metadata"]["name"]: r.inputs["spec"]
        for r in full.of_type("kubernetes:apps/v1:Deployment")
    }
    assert deployments["contour"]["replicas"] == 3
    config = str([r.inputs.get("data") for r in full.of_type("kubernetes:core/v1:ConfigMap")])
    assert "accesslog-format: json" in config
    (external_dns,) = containers(full)["external-dns"]
    assert ENDPOINT in {variable.get("value") for variable in external_dns["env"]}
    # Connections of four minutes end a minute sooner than those of five: 8m57s by default.
    grace = deployments["envoy"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert grace == 8 * 60 + 57 - 60


def test_all_that_a_platform_makes_in_aws_has_its_tags(full: Graph) -> None:
    mine = [r for r in ingress_of(full) if r.type.startswith("aws:")]
    tagged = [r for r in mine if not r.type.startswith("aws:iam/rolePolicy")]
    assert len(tagged) > 4
    for resource in tagged:
        assert resource.inputs.get("tags") == {"team": "platform"}, resource.urn


def test_a_namespace_for_services_belongs_to_its_platform_and_keeps_what_it_was(
    full: Graph,
) -> None:
    (shop,) = [
        r
        for r in full.of_type("kubernetes:core/v1:Namespace")
        if r.inputs["metadata"]["name"] == "shop"
    ]
    assert shop in ingress_of(full)
    assert [urn.rpartition("::")[2] for urn in shop.aliases] == ["shop-before"]
    (service,) = [r for r in full.of_type("kubernetes:core/v1:Service") if r.name == "greeter.main"]
    assert service.inputs["metadata"]["namespace"] == "shop"
    assert shop.urn in full.needs(service)


def test_a_platform_tells_its_name_class_and_namespaces(full: Graph) -> None:
    assert full.only("grpc-platform:index:GrpcIngress").outputs == {
        "dns_name": "main.example.com",
        "ingress_class_name": "contour",
        "namespaces": {"shop": "shop"},
    }


def test_the_owner_of_records_is_named_by_the_region_that_the_platform_is_told_of() -> None:
    """Clusters of one name in two regions may write to one zone."""
    graph = in_eks(
        lambda: pulumi.ResourceOptions(providers=[aws.Provider("theirs", region="eu-north-1")])
    )
    (external_dns,) = containers(graph)["external-dns"]
    assert "--txt-owner-id=grpc-platform/eu-north-1/main" in external_dns["args"]


def test_a_component_says_which_value_of_which_section_is_wrong(recorded: Recorded) -> None:
    """The line is that of the stack file, where the section is `envoy`."""

    def build() -> None:
        zone = gp.ExistingZone("zone", gp.ExistingZoneArgs(name="example.com", zone_id="Z1"))
        cluster = gp.ExistingCluster("main", gp.ExistingClusterArgs(kubeconfig="kubeconfig"))
        args = gp.GrpcIngressArgs(
            dns_name="main.example.com",
            zone=zone,
            clusters={"main": cluster},
            envoy=EnvoySpec(cpu="1500m"),
        )
        gp.GrpcIngress("main", args)

    with pytest.raises(ValueError, match=r"^GrpcIngress main: envoy\.cpu = 1500m: "):
        recorded(build)


def test_external_dns_takes_over_the_records_that_release_0_1_wrote(full: Graph) -> None:
    """It wrote as `<project>/<stack>/<cluster>`, and no other owner may change those."""
    (external_dns,) = containers(full)["external-dns"]
    prefix = full.only("grpc-platform:index:GrpcIngress").urn.split("::")
    stack, project = prefix[0].rpartition(":")[2], prefix[1]
    assert f"--migrate-from-txt-owner={project}/{stack}/main" in external_dns["args"]


def test_no_envoy_runs_before_its_policy_and_what_enforces_it(full: Graph) -> None:
    envoy = full.only("kubernetes:apps/v1:Deployment", "main-envoy")
    needed = {full.by_urn(urn).name for urn in full.needs(envoy)}
    (policy,) = [
        r.name
        for r in full.of_type("kubernetes:networking.k8s.io/v1:NetworkPolicy")
        if r.inputs["metadata"]["name"] == "envoy-callers"
    ]
    # EKS Auto Mode enforces policies once this ConfigMap says so.
    (enforcement,) = [
        r.name
        for r in full.of_type("kubernetes:core/v1:ConfigMap")
        if r.inputs["metadata"]["name"] == "amazon-vpc-cni"
    ]
    assert {policy, enforcement} <= needed


def test_external_dns_publishes_in_the_platforms_zone_once_envoy_is_there(full: Graph) -> None:
    zone = full.only("aws:route53/zone:Zone")
    (external_dns,) = containers(full)["external-dns"]
    assert f"--zone-id-filter={zone.id}" in external_dns["args"]
    assert "--domain-filter=main.example.com" in external_dns["args"]
    (policy,) = [r for r in ingress_of(full) if r.type == "aws:iam/rolePolicy:RolePolicy"]
    statements = json.loads(policy.inputs["policy"])["Statement"]
    written = {s["Resource"] for s in statements if "route53:Change" in str(s["Action"])}
    assert written == {f"arn:aws:route53:::hostedzone/{zone.id}"}
    # Its pod is not ready before its first sync, which would find no Envoy.
    deployment = full.only("kubernetes:apps/v1:Deployment", "main-external-dns-deployment")
    assert full.only("kubernetes:apps/v1:Deployment", "main-envoy").urn in full.needs(deployment)


def test_a_service_in_the_same_program_is_what_it_asks_for_and_comes_after_the_addresses(
    full: Graph,
) -> None:
    cname = full.only("aws:route53/record:Record", "greeter.main-cname")
    assert cname.inputs["name"] == "greeter.example.com"
    assert cname.inputs["weightedRoutingPolicies"] == [{"weight": 25}]
    last = full.only("kubernetes:apps/v1:Deployment", "main-external-dns-deployment").urn
    assert last in full.needs(cname)


def test_what_a_platform_exports_is_read_by_another_stack(full: Graph) -> None:
    exported = {key: full.exports.get(key) for key in PlatformStack.model_fields}
    stack = PlatformStack.read("organization/grpc-platform/prod", exported)
    assert (stack.zone.zone_id, stack.zone.name) == ("Z-example.com", "example.com")
    main = stack.clusters[stack.serving_cluster()]
    assert main.endpoint == "https://main.eks.invalid"
    assert main.kubeconfig
    assert "get-token" in main.kubeconfig
    assert main.serving
    assert (main.serving.dns_name, main.serving.https_port) == ("main.example.com", 9443)
    assert stack.services["greeter"].target_uri == "dns:///greeter.example.com:9080"
