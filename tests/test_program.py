"""What must hold of the whole program, for every committed stack."""

import ast
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from grpc_platform.conventions import PLATFORM_NAMESPACES
from grpc_platform_tools.graph import STACK_TYPE, Graph, Resource
from grpc_platform_tools.preview.manifests import manifests
from grpc_platform_tools.preview.program import run_program
from grpc_platform_tools.preview.stack_file import read_stack_file
from tests.iam import findings

ROOT = Path(__file__).parents[1]
STACKS = sorted(path.name.split(".")[1] for path in ROOT.glob("Pulumi.*.yaml"))

COMPONENTS = {
    "Callers",
    "Cluster",
    "Contour",
    "Envoy",
    "ExistingCluster",
    "ExistingZone",
    "ExternalDns",
    "GrpcIngress",
    "GrpcService",
    "Monitoring",
    "Network",
    "Zone",
}

ELSEWHERE = {"ExistingZone", "Monitoring"}
"""Components that no committed stack has."""

# AWS has no tags for these.
UNTAGGED = {
    "aws:ec2/route:Route",
    "aws:ec2/routeTableAssociation:RouteTableAssociation",
    "aws:eks/accessPolicyAssociation:AccessPolicyAssociation",
    "aws:iam/rolePolicy:RolePolicy",
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
    "aws:route53/record:Record",
    "aws:route53/zoneAssociation:ZoneAssociation",
}


@pytest.fixture(scope="module")
def graphs() -> dict[str, Graph]:
    """Every committed stack, recorded (which itself refuses duplicate URNs and unresolved
    values)."""
    return {stack: run_program(ROOT, stack, read_stack_file(ROOT, stack)) for stack in STACKS}


@pytest.fixture
def prod(graphs: dict[str, Graph]) -> Graph:
    return graphs["prod"]


@pytest.fixture(params=STACKS)
def graph(request: pytest.FixtureRequest, graphs: dict[str, Graph]) -> Graph:
    return graphs[request.param]


def kubernetes(graph: Graph) -> Iterator[Resource]:
    return (r for r in graph if r.type.startswith("kubernetes:"))


def names(graph: Graph, urns: set[str]) -> set[tuple[str, str]]:
    return {(graph.by_urn(urn).type.rsplit(":", 1)[-1], graph.by_urn(urn).name) for urn in urns}


def test_the_type_tokens_of_components_stay_as_they_are(graphs: dict[str, Graph]) -> None:
    """A renamed token replaces everything below it, unless it gets an alias."""
    found = {r.type for g in graphs.values() for r in g if r.is_component and r.type != STACK_TYPE}
    assert found == {f"grpc-platform:index:{name}" for name in COMPONENTS - ELSEWHERE}


def test_every_resource_belongs_to_a_component(graph: Graph) -> None:
    for resource in graph:
        if resource.type != STACK_TYPE and not resource.is_component:
            assert resource.parent, resource.urn
            assert graph.by_urn(resource.parent).type != STACK_TYPE, resource.urn


def test_a_component_registers_the_outputs_its_class_declares(graphs: dict[str, Graph]) -> None:
    declared: dict[str, set[str]] = {}
    for path in (ROOT / "components").rglob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and node.name in COMPONENTS:
                declared[node.name] = {
                    statement.target.id
                    for statement in node.body
                    if isinstance(statement, ast.AnnAssign)
                    and isinstance(statement.target, ast.Name)
                    and "pulumi.Output" in ast.unparse(statement.annotation)
                }
    assert declared.keys() == COMPONENTS
    for graph in graphs.values():
        for resource in graph:
            name = resource.type.rsplit(":", 1)[-1]
            if name in declared and resource.is_component:
                assert resource.outputs.keys() == declared[name], resource.name


def test_every_aws_resource_carries_the_stacks_tags(prod: Graph) -> None:
    for resource in prod:
        if resource.type.startswith("aws:") and resource.type not in UNTAGGED:
            tags = resource.inputs.get("tags", {})
            assert tags.get("team") == "platform", resource.urn
            assert tags.get("cost-centre") == "grpc", resource.urn


def test_no_security_group_admits_the_world(graph: Graph) -> None:
    for resource in graph:
        if resource.type.endswith("SecurityGroupIngressRule"):
            assert resource.inputs.get("cidrIpv4") != "0.0.0.0/0", resource.urn
            assert "cidrIpv6" not in resource.inputs, resource.urn
        assert not resource.inputs.get("ingress") or resource.type.startswith("kubernetes:")


def test_every_iam_policy_passes_the_linter(graph: Graph) -> None:
    assert findings(graph) == []


def test_production_protects_what_must_not_be_lost_and_no_component(
    graphs: dict[str, Graph],
) -> None:
    def protected(stack: str) -> set[tuple[str, str]]:
        return names(graphs[stack], {r.urn for r in graphs[stack] if r.options.get("protect")})

    found = protected("prod")
    assert {
        ("Vpc", "network"),
        ("Cluster", "serving"),
        ("Cluster", "calling"),
        ("Key", "serving"),
        ("Key", "calling"),
    } <= found
    assert not [r.urn for r in graphs["prod"] if r.is_component and r.options.get("protect")]
    assert protected("dev") == protected("local") == set()


def test_every_kubernetes_resource_uses_its_clusters_own_provider(graph: Graph) -> None:
    providers = {r.urn for r in graph.of_type("pulumi:providers:kubernetes")}
    for resource in kubernetes(graph):
        assert resource.provider in providers, resource.urn


def test_every_kubernetes_resource_has_a_name_of_its_own(graph: Graph) -> None:
    seen: set[tuple[Any, ...]] = set()
    for resource in kubernetes(graph):
        metadata = resource.inputs["metadata"]
        assert metadata.get("name"), resource.urn
        namespace = metadata.get("namespace")
        key = (resource.provider, resource.type, namespace, metadata["name"])
        assert key not in seen, key
        seen.add(key)


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_a_cluster_is_entered_after_access_nodes_and_addons(
    stack: str, graphs: dict[str, Graph]
) -> None:
    graph = graphs[stack]
    for resource in kubernetes(graph):
        assert resource.provider is not None
        cluster = graph.by_urn(graph.by_urn(resource.provider).parent or "").name
        needed = names(graph, graph.needs(resource))
        assert ("Addon", f"{cluster}-metrics-server") in needed, resource.urn
        assert any(k == "AccessPolicyAssociation" and "deployer" in n for k, n in needed)
        groups = {g.name for g in graph.of_type("aws:eks/nodeGroup:NodeGroup")}
        mine = {("NodeGroup", g) for g in groups if g.startswith(f"{cluster}.")}
        assert mine <= needed, resource.urn


def test_a_name_is_made_last(prod: Graph) -> None:
    for name in ("greeter", "events", "accounts", "telemetry", "payments", "reports"):
        cname = prod.only("aws:route53/record:Record", f"{name}.serving-cname")
        needed = names(prod, prod.needs(cname))
        assert ("Deployment", "serving-envoy") in needed
        assert ("Deployment", "serving-external-dns-deployment") in needed
        assert ("Record", "zone-soa") in needed
        assert ("Ingress", f"{name}.serving-ingress") in needed


def test_services_come_after_their_namespace_which_belongs_to_none(prod: Graph) -> None:
    namespace = prod.only("kubernetes:core/v1:Namespace", "payments.serving")
    assert namespace.parent == prod.only("grpc-platform:index:GrpcIngress", "serving").urn
    inside = [r for r in kubernetes(prod) if r.inputs["metadata"].get("namespace") == "payments"]
    assert {r.inputs["kind"] for r in inside} == {"Service", "Ingress"}
    assert all(namespace.urn in prod.needs(r) for r in inside)
    order = [manifest.resource.urn for manifest in manifests(prod)]
    assert all(order.index(namespace.urn) < order.index(r.urn) for r in inside)


def test_production_protects_the_zone_and_development_does_not(graphs: dict[str, Graph]) -> None:
    for stack in ("prod", "dev"):
        zone = graphs[stack].only("aws:route53/zone:Zone")
        assert bool(zone.options.get("protect")) == (stack == "prod")


# Pulumi replaces an object of these kinds when its content changes. If its name stays, Pulumi
# deletes it first, together with resources that take an input from it.
UNCHANGEABLE = {"ConfigMap": "data", "Job": "spec", "Secret": "data"}
# EKS Auto Mode looks for the first name; its content never changes. Nothing that runs needs the
# second.
FIXED = {("ConfigMap", "amazon-vpc-cni"), ("ConfigMap", "grpc-platform-dashboards")}

VARIATIONS: dict[str, dict[str, Any]] = {
    "as committed": {},
    "contour.yaml": {
        "contour": {"accesslog_format": "json", "timeouts": {"connect_timeout": "3s"}}
    },
    "images": {"contour": {"image": "registry.example.com/contour:v1"}},
    "secrets": {"image_pull_secrets": ["mirror"]},
    "another release": {"contour": {"version": "1.33.6"}, "envoy": {"version": "1.38.3"}},
    "dashboards": {"monitoring": {"dashboards": True}},
    "sizes": {"contour": {"replicas": 3, "cpu": "500m", "memory": "1Gi"}},
}


def variation(stack: str, changes: dict[str, Any]) -> Graph:
    """A committed stack with other values in some of its sections."""
    file = read_stack_file(ROOT, stack)
    config = dict(file.config)
    for section, value in changes.items():
        key = f"grpc-platform:{section}"
        before = json.loads(config.get(key, "{}"))
        config[key] = json.dumps(value if isinstance(value, list) else before | value)
    return run_program(ROOT, stack, replace(file, config=config))


@pytest.mark.parametrize("stack", STACKS)
def test_what_cannot_be_changed_is_named_after_its_content(stack: str) -> None:
    contents: dict[tuple[Any, ...], set[str]] = {}
    named: dict[str, set[str]] = {}
    for changes in VARIATIONS.values():
        for resource in kubernetes(variation(stack, changes)):
            kind, metadata = resource.inputs["kind"], resource.inputs["metadata"]
            if kind in UNCHANGEABLE and (kind, metadata["name"]) not in FIXED:
                content = json.dumps(resource.inputs.get(UNCHANGEABLE[kind]), sort_keys=True)
                place = (resource.provider, kind, metadata.get("namespace"), metadata["name"])
                contents.setdefault(place, set()).add(content)
                named.setdefault(resource.urn, set()).add(metadata["name"])
    assert not {place for place, found in contents.items() if len(found) > 1}
    # Each must change its name at least once: one that never does may have a fixed name.
    assert not {urn for urn, names in named.items() if len(names) == 1}
    assert named


def test_no_envoy_runs_before_contour_and_its_network_policy(prod: Graph) -> None:
    envoy = prod.only("kubernetes:apps/v1:Deployment", "serving-envoy")
    needed = names(prod, prod.needs(envoy))
    assert ("Deployment", "serving-contour-deployment") in needed
    assert ("NetworkPolicy", "serving-callers") in needed


def test_a_network_policy_selects_every_pod(prod: Graph) -> None:
    policies = [
        (each.provider, each.inputs["metadata"]["namespace"], each.inputs["spec"])
        for each in prod.of_type("kubernetes:networking.k8s.io/v1:NetworkPolicy")
    ]
    assert all(spec["policyTypes"] == ["Ingress"] for _, _, spec in policies)
    for resource in kubernetes(prod):
        for template in templates(resource.inputs.get("spec", {})):
            labels = template["metadata"]["labels"]
            assert any(
                spec["podSelector"]["matchLabels"].items() <= labels.items()
                for provider, namespace, spec in policies
                if provider == resource.provider
                and namespace == resource.inputs["metadata"]["namespace"]
            ), resource.urn


def templates(spec: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The pods that an object's spec describes."""
    if "template" in spec:
        yield spec["template"]
    if "jobTemplate" in spec:
        yield from templates(spec["jobTemplate"]["spec"])


def test_the_scrapers_of_a_stack_are_the_only_ones_at_every_metrics_port() -> None:
    prometheus = {"namespaces": ["monitoring"]}
    graph = variation("local", {"monitoring": {"scrapers": {"prometheus": prometheus}}})
    named = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["monitoring"]}
    metrics = {
        rule["ports"][0]["port"]: rule["from"]
        for policy in graph.of_type("kubernetes:networking.k8s.io/v1:NetworkPolicy")
        for rule in policy.inputs["spec"].get("ingress", ())
        if rule["ports"][0]["port"] in {7979, 8000, 8002}
    }
    peers = [{"namespaceSelector": {"matchExpressions": [named]}}]
    assert metrics == {7979: peers, 8000: peers, 8002: peers}


def test_pods_keep_their_address_until_nobody_dials_it(prod: Graph) -> None:
    addon = prod.only("aws:eks/addon:Addon", "serving-vpc-cni").inputs
    cooldown = int(json.loads(addon["configurationValues"])["env"]["IP_COOLDOWN_PERIOD"])
    envoy = prod.only("kubernetes:apps/v1:Deployment", "serving-envoy").inputs
    hooks = [
        container["lifecycle"]["preStop"].get("exec", {}).get("command", [])
        for container in envoy["spec"]["template"]["spec"]["containers"]
    ]
    assert cooldown == 127
    assert any("--drain-delay=2m7s" in hook for hook in hooks)


def test_the_namespaces_closed_to_services_are_those_the_platform_makes(
    graphs: dict[str, Graph],
) -> None:
    made = graphs["local"].of_type("kubernetes:core/v1:Namespace")
    assert {r.inputs["metadata"]["name"] for r in made} == set(PLATFORM_NAMESPACES)


def test_the_local_stack_differs_from_prod_in_nothing_that_matters_to_a_call(
    graphs: dict[str, Graph],
) -> None:
    """The same Contour, Envoy and service objects but for size, names and credentials."""

    def kinds(graph: Graph, ingress: str) -> set[str]:
        below = [r for r in kubernetes(graph) if "GrpcIngress" in r.urn]
        below = [r for r in below if r.name != f"payments.{ingress}"]
        return {f"{r.type} {r.name.removeprefix(ingress)}" for r in below}

    assert kinds(graphs["local"], "local") == kinds(graphs["prod"], "serving")
    contour = [
        g.only("kubernetes:core/v1:ConfigMap", f"{name}-contour-config").inputs["data"]
        for g, name in ((graphs["local"], "local"), (graphs["prod"], "serving"))
    ]
    assert contour[0] == contour[1]


def test_what_prod_tells_its_clients(prod: Graph) -> None:
    services = prod.exports["services"]
    assert len(services) == 6
    assert services["accounts"]["target_uri"] == "dns:///accounts.grpc.prod.example.com:8443"
    assert services["events"].get("deadline_seconds") is None
    assert services["reports"]["deadline_seconds"] == 90
    assert {s["reconnect_interval_seconds"] for s in services.values()} == {315}


def test_the_program_is_short_enough_to_read_as_the_data_flow() -> None:
    assert len((ROOT / "__main__.py").read_text().splitlines()) < 60
