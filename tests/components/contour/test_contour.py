"""Contour's resources on the recorded graph."""

from collections.abc import Callable
from typing import Any

import pulumi
import pytest

from grpc_platform.contour.contour import Contour, ContourArgs
from grpc_platform.contour.rbac import LEASE
from grpc_platform.specs import ContourSpec, EnvoySpec
from grpc_platform_tools.graph import Graph, Resource
from grpc_platform_tools.preview.record import record

Recorded = Callable[[Callable[[], object]], Graph]
NAME = "serving.grpc.example.com"
NETWORK_POLICY = "kubernetes:networking.k8s.io/v1:NetworkPolicy"


def contour(recorded: Recorded, envoy: EnvoySpec | None = None, **spec: Any) -> Graph:
    args = ContourArgs(
        dns_name=NAME, spec=ContourSpec.model_validate(spec), envoy=envoy or EnvoySpec()
    )
    return recorded(lambda: Contour("contour", args))


@pytest.fixture(scope="module")
def graph() -> Graph:
    return contour(record)


def deployment(graph: Graph) -> Resource:
    return graph.only("kubernetes:apps/v1:Deployment")


def pod(graph: Graph) -> dict[str, Any]:
    return deployment(graph).inputs["spec"]["template"]["spec"]


def test_contour_starts_after_its_certificates_permissions_and_crds(graph: Graph) -> None:
    needed = {graph.by_urn(urn).name for urn in graph.needs(deployment(graph))}
    assert needed >= {
        "contour-certgen",
        "contour-certgen-binding",
        "contour-cluster-binding",
        "contour-binding",
        "contour-config",
        "contour-httpproxies",
        "contour-tlscertificatedelegations",
    }


def test_the_certificates_wait_for_the_right_to_write_them(graph: Graph) -> None:
    for type_token in ("kubernetes:batch/v1:Job", "kubernetes:batch/v1:CronJob"):
        needs = graph.needs(graph.only(type_token))
        binding = graph.only(
            "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding", "contour-certgen-binding"
        )
        assert binding.urn in needs


def test_the_first_certificates_never_replace_existing_ones(graph: Graph) -> None:
    job = graph.only("kubernetes:batch/v1:Job").inputs
    [container] = job["spec"]["template"]["spec"]["containers"]
    assert container["args"][:3] == ["certgen", "--kube", "--incluster"]
    assert "--overwrite" not in container["args"]
    assert "ttlSecondsAfterFinished" not in job["spec"]


def test_the_next_update_recreates_a_failed_certgen_job(graph: Graph) -> None:
    annotations = graph.only("kubernetes:batch/v1:Job").inputs["metadata"]["annotations"]
    assert annotations == {"pulumi.com/replaceUnready": "true"}


CONFIG_MAP = "kubernetes:core/v1:ConfigMap"
JOB = "kubernetes:batch/v1:Job"


def name_of(graph: Graph, type_token: str) -> str:
    return graph.only(type_token).inputs["metadata"]["name"]


@pytest.mark.parametrize(
    ("spec", "changes"),
    [
        ({"accesslog_format": "json"}, {CONFIG_MAP}),
        ({"cluster": {"max_requests": 1}}, {CONFIG_MAP}),
        ({"version": "1.33.6"}, {JOB}),
        ({"image": "registry.example.com/contour:v1.33.8"}, {JOB}),
        ({"replicas": 3, "memory": "1Gi", "crds": "none"}, set[str]()),
    ],
)
def test_what_cannot_be_changed_has_a_name_for_each_content(
    recorded: Recorded, graph: Graph, spec: dict[str, Any], changes: set[str]
) -> None:
    """Under one name the old object would be deleted before the new one exists."""
    other = contour(recorded, **spec)
    assert {t for t in (CONFIG_MAP, JOB) if name_of(graph, t) != name_of(other, t)} == changes
    for type_token in (CONFIG_MAP, JOB):
        assert graph.only(type_token).urn == other.only(type_token).urn


def test_certificates_are_renewed_each_quarter_by_one_run_at_a_time(graph: Graph) -> None:
    spec = graph.only("kubernetes:batch/v1:CronJob").inputs["spec"]
    [container] = spec["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert spec["schedule"] == "0 3 1 */3 *"
    assert spec["concurrencyPolicy"] == "Forbid"
    assert "--overwrite" in container["args"]


def certgens(graph: Graph) -> list[dict[str, Any]]:
    """The specs of the Job and of the renewals."""
    renewal = graph.only("kubernetes:batch/v1:CronJob").inputs["spec"]["jobTemplate"]["spec"]
    return [graph.only(JOB).inputs["spec"], renewal]


def test_certificates_are_written_where_and_as_contour_and_envoy_read_them(graph: Graph) -> None:
    """The compact Secrets have the keys ca.crt, tls.crt and tls.key, which both read as files."""
    mounted_in = deployment(graph).inputs["metadata"]["namespace"]
    for spec in certgens(graph):
        [container] = spec["template"]["spec"]["containers"]
        assert container["command"] == ["contour"]
        assert {"--kube", "--incluster", "--secrets-format=compact"} <= set(container["args"])
        assert f"--namespace={mounted_in}" in container["args"]


def test_certgen_is_tried_again_in_a_new_pod_whose_log_stays(graph: Graph) -> None:
    """A first try may come before the right to write the Secrets has reached the API server."""
    for spec in certgens(graph):
        assert spec["template"]["spec"]["restartPolicy"] == "Never"
        assert spec["backoffLimit"] >= 3


def test_certgen_can_change_two_secrets_and_read_none(graph: Graph) -> None:
    role = graph.only("kubernetes:rbac.authorization.k8s.io/v1:Role", "contour-certgen-role")
    assert role.inputs["rules"] == [
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create"]},
        {
            "apiGroups": [""],
            "resources": ["secrets"],
            "resourceNames": ["contourcert", "envoycert"],
            "verbs": ["update"],
        },
    ]


def test_certgen_pods_are_not_taken_for_contour(graph: Graph) -> None:
    selected = graph.only("kubernetes:core/v1:Service").inputs["spec"]["selector"]
    template = graph.only("kubernetes:batch/v1:Job").inputs["spec"]["template"]
    assert not selected.items() <= template["metadata"]["labels"].items()
    assert (
        selected.items()
        <= deployment(graph).inputs["spec"]["template"]["metadata"]["labels"].items()
    )


def test_contour_may_do_what_a_real_one_was_seen_to_do_and_no_more(graph: Graph) -> None:
    """From the audit log of kube-apiserver 1.35.4 with Contour 1.33.8: all used, none refused."""
    cluster_role = graph.only("kubernetes:rbac.authorization.k8s.io/v1:ClusterRole")
    role = graph.only("kubernetes:rbac.authorization.k8s.io/v1:Role", "contour-role")
    allowed = {
        (resource, verb, *rule.get("resourceNames", []))
        for rule in (*cluster_role.inputs["rules"], *role.inputs["rules"])
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    watched = (
        "services",
        "secrets",
        "endpointslices",
        "ingresses",
        "httpproxies",
        "tlscertificatedelegations",
    )
    assert allowed == {
        *((resource, verb) for resource in watched for verb in ("list", "watch")),
        ("ingresses/status", "update"),
        ("leases", "create"),
        ("leases", "get", LEASE),
        ("leases", "update", LEASE),
        ("events", "create"),
    }


def test_every_rule_names_the_api_group_that_its_resources_are_of(recorded: Recorded) -> None:
    """The API server takes a rule for another group, or for none, and gives nothing by it."""
    groups = {
        **dict.fromkeys(("services", "secrets", "events"), ""),
        "endpointslices": "discovery.k8s.io",
        **dict.fromkeys(("ingresses", "ingresses/status"), "networking.k8s.io"),
        **dict.fromkeys(("httpproxies", "httpproxies/status"), "projectcontour.io"),
        "tlscertificatedelegations": "projectcontour.io",
        "leases": "coordination.k8s.io",
    }
    graph, rbac = contour(recorded, crds="none"), "kubernetes:rbac.authorization.k8s.io/v1"
    for role in (*graph.of_type(f"{rbac}:Role"), *graph.of_type(f"{rbac}:ClusterRole")):
        for rule in role.inputs["rules"]:
            assert rule["apiGroups"] == list({groups[name] for name in rule["resources"]})


def test_each_binding_binds_a_role_of_this_component_to_its_own_account(graph: Graph) -> None:
    accounts = {
        r.inputs["metadata"]["name"] for r in graph.of_type("kubernetes:core/v1:ServiceAccount")
    }
    rbac = "kubernetes:rbac.authorization.k8s.io/v1"
    for kind in ("Role", "ClusterRole"):
        roles = {r.inputs["metadata"]["name"] for r in graph.of_type(f"{rbac}:{kind}")}
        for binding in graph.of_type(f"{rbac}:{kind}Binding"):
            [subject] = binding.inputs["subjects"]
            assert binding.inputs["roleRef"]["name"] in roles
            assert subject["name"] in accounts
            assert subject["namespace"] == "projectcontour"


def test_contour_is_told_its_file_its_certificates_and_whom_it_serves(graph: Graph) -> None:
    [container] = pod(graph)["containers"]
    assert container["args"] == [
        "serve",
        "--incluster",
        "--config-path=/config/contour.yaml",
        "--xds-address=0.0.0.0",
        "--xds-port=8001",
        "--contour-cafile=/certs/ca.crt",
        "--contour-cert-file=/certs/tls.crt",
        "--contour-key-file=/certs/tls.key",
        "--ingress-class-name=contour",
        f"--ingress-status-address={NAME}",
        "--envoy-service-http-port=8080",
        "--envoy-service-https-port=8443",
        "--disable-feature=extensionservices",
    ]
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod(graph)["volumes"]}
    assert volumes[mounts["/config"]]["configMap"]["name"] == name_of(graph, CONFIG_MAP)
    assert volumes[mounts["/certs"]]["secret"]["secretName"] == "contourcert"


def test_contours_file_is_in_the_config_map_that_is_mounted(graph: Graph) -> None:
    [container] = pod(graph)["containers"]
    (path,) = [flag.split("=")[1] for flag in container["args"] if "--config-path=" in flag]
    data = graph.only(CONFIG_MAP).inputs["data"]
    assert data.keys() == {path.removeprefix("/config/")}
    assert "max-connection-duration" in data["contour.yaml"]


def test_contours_service_has_the_port_that_envoys_dial(graph: Graph) -> None:
    [container] = pod(graph)["containers"]
    [port] = graph.only("kubernetes:core/v1:Service").inputs["spec"]["ports"]
    assert f"--xds-port={port['port']}" in container["args"]


def test_no_other_controller_takes_the_class_for_its_own(graph: Graph) -> None:
    ingress_class = graph.only("kubernetes:networking.k8s.io/v1:IngressClass").inputs
    assert ingress_class["spec"]["controller"] == "projectcontour.io/ingress-controller"
    [container] = pod(graph)["containers"]
    assert f"--ingress-class-name={ingress_class['metadata']['name']}" in container["args"]


def test_envoys_ports_reach_contour(recorded: Recorded) -> None:
    graph = contour(recorded, envoy=EnvoySpec(http_port=80, https_port=443))
    [container] = pod(graph)["containers"]
    assert "--envoy-service-http-port=80" in container["args"]
    assert "--envoy-service-https-port=443" in container["args"]


def test_a_change_of_contour_yaml_replaces_the_pods(recorded: Recorded, graph: Graph) -> None:
    changed = contour(recorded, accesslog_format="json")
    before, after = (deployment(g).inputs["spec"]["template"] for g in (graph, changed))
    assert before != after
    assert graph.only(CONFIG_MAP).urn in graph.needs(deployment(graph))


def test_the_same_contour_yaml_leaves_the_pods_alone(recorded: Recorded, graph: Graph) -> None:
    again = contour(recorded, replicas=3)
    templates = [deployment(g).inputs["spec"]["template"] for g in (graph, again)]
    assert templates[0] == templates[1]


def test_configuration_is_for_envoy_and_metrics_are_for_the_cluster(graph: Graph) -> None:
    spec = graph.only(NETWORK_POLICY, "contour-network-policy").inputs["spec"]
    assert spec["policyTypes"] == ["Ingress"]
    assert spec["podSelector"] == {"matchLabels": {"app.kubernetes.io/name": "contour"}}
    assert spec["ingress"] == [
        {
            "from": [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "envoy"}}}],
            "ports": [{"port": 8001, "protocol": "TCP"}],
        },
        {"from": [{"namespaceSelector": {}}], "ports": [{"port": 8000, "protocol": "TCP"}]},
    ]


def test_nobody_may_connect_to_the_pods_that_write_certificates(graph: Graph) -> None:
    policy = graph.only(NETWORK_POLICY, "contour-certgen-network-policy").inputs["spec"]
    assert policy["policyTypes"] == ["Ingress"]
    assert "ingress" not in policy


def test_the_crds_have_upstreams_names_and_keep_every_field(graph: Graph) -> None:
    crds = {
        r.inputs["metadata"]["name"]: r.inputs["spec"]
        for r in graph.of_type("kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition")
    }
    assert set(crds) == {
        "httpproxies.projectcontour.io",
        "tlscertificatedelegations.projectcontour.io",
    }
    for spec in crds.values():
        [version] = spec["versions"]
        properties = version["schema"]["openAPIV3Schema"]["properties"]
        assert (version["name"], spec["scope"]) == ("v1", "Namespaced")
        assert version["subresources"] == {"status": {}}
        assert all(p["x_kubernetes_preserve_unknown_fields"] for p in properties.values())


def test_contours_informers_find_the_kinds_that_it_watches(graph: Graph) -> None:
    """It starts only when each of its informers has listed its kind."""
    for resource in graph.of_type("kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition"):
        spec, name = resource.inputs["spec"], resource.inputs["metadata"]["name"]
        names = spec["names"]
        assert name == f"{names['plural']}.{spec['group']}"
        assert names["plural"] in (f"{names['singular']}s", "httpproxies")
        assert names["singular"] == names["kind"].lower()
        assert names["listKind"] == f"{names['kind']}List"
        [version] = spec["versions"]
        assert version["served"], "no informer can list what is not served"
        assert version["storage"], "an API server refuses a CRD that stores no version"
        schema = version["schema"]["openAPIV3Schema"]
        assert {schema["type"], *(p["type"] for p in schema["properties"].values())} == {"object"}
        assert schema["properties"].keys() == {"spec", "status"}


def test_no_crd_is_ever_deleted_with_the_objects_of_its_kind(
    recorded: Recorded, graph: Graph
) -> None:
    crd = "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition"
    assert all(r.options["retain_on_delete"] for r in graph.of_type(crd))
    assert not contour(recorded, crds="none").of_type(crd)


def test_contour_may_write_the_status_of_httpproxies_that_upstreams_crds_allow(
    recorded: Recorded, graph: Graph
) -> None:
    role = "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole"
    rules, minimal = (g.only(role).inputs["rules"] for g in (contour(recorded, crds="none"), graph))
    assert [rule for rule in rules if rule not in minimal] == [
        {
            "apiGroups": ["projectcontour.io"],
            "resources": ["httpproxies/status"],
            "verbs": ["update"],
        }
    ]


def pod_specs(graph: Graph) -> list[dict[str, Any]]:
    renewal = graph.only("kubernetes:batch/v1:CronJob").inputs["spec"]["jobTemplate"]
    job = graph.only(JOB).inputs
    return [pod(graph), *(each["spec"]["template"]["spec"] for each in (job, renewal))]


def images(graph: Graph) -> set[str]:
    return {c["image"] for spec in pod_specs(graph) for c in spec["containers"]}


def test_an_image_of_ones_own_is_used_for_certificates_too(recorded: Recorded) -> None:
    own = "registry.example.com/contour:v1.33.8"
    assert images(contour(recorded, image=own)) == {own}


def program(**args: Any) -> Callable[[], object]:
    return lambda: Contour("contour", ContourArgs(dns_name=NAME, **args))


def test_the_same_program_may_make_the_image(recorded: Recorded) -> None:
    own = "registry.example.com/contour:v1.33.8"

    def with_image(image: str) -> Graph:
        return recorded(lambda: program(image=pulumi.Output.from_input(image))())

    assert images(with_image(own)) == {own}
    assert name_of(with_image(own), JOB) == name_of(contour(recorded, image=own), JOB)
    untagged = r"contour.image = .*: 'registry.example.com/contour' is not a repository with a tag"
    with pytest.raises(ValueError, match=untagged):
        with_image("registry.example.com/contour")
    with pytest.raises(ValueError, match=untagged):
        recorded(program(image="registry.example.com/contour"))
    with pytest.raises(ValueError, match=r"contour.image: is given twice"):
        recorded(program(image=own, spec=ContourSpec(image=own)))


def test_every_pod_is_pulled_with_the_secrets(recorded: Recorded, graph: Graph) -> None:
    with_secrets = recorded(program(image_pull_secrets=["mirror"]))
    for spec in pod_specs(with_secrets):
        assert spec["imagePullSecrets"] == [{"name": "mirror"}]
    assert not any("imagePullSecrets" in spec for spec in pod_specs(graph))


def test_node_drains_and_rollouts_leave_a_contour_serving(graph: Graph) -> None:
    spec = deployment(graph).inputs["spec"]
    budget = graph.only("kubernetes:policy/v1:PodDisruptionBudget").inputs["spec"]
    assert spec["replicas"] == 2
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert budget["maxUnavailable"] == 1
    assert budget["selector"] == spec["selector"]
    assert {c["topologyKey"] for c in pod(graph)["topologySpreadConstraints"]} == {
        "topology.kubernetes.io/zone",
        "kubernetes.io/hostname",
    }


def test_envoy_finds_every_contour_by_itself_once_they_serve(graph: Graph) -> None:
    outputs = graph.only("grpc-platform:index:Contour").outputs
    service = graph.only("kubernetes:core/v1:Service").inputs
    assert outputs == {
        "namespace": "projectcontour",
        "ingress_class_name": "contour",
        "xds_address": service["metadata"]["name"],
    }
    assert service["spec"]["clusterIP"] == "None"


def test_the_namespace_and_every_pod_in_it_keep_to_the_restricted_level(graph: Graph) -> None:
    labels = graph.only("kubernetes:core/v1:Namespace").inputs["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    renewal = graph.only("kubernetes:batch/v1:CronJob").inputs["spec"]["jobTemplate"]
    for template in (
        deployment(graph).inputs["spec"]["template"],
        graph.only("kubernetes:batch/v1:Job").inputs["spec"]["template"],
        renewal["spec"]["template"],
    ):
        spec = template["spec"]
        assert spec["securityContext"]["runAsNonRoot"]
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        [container] = spec["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


def test_without_monitors_a_prometheus_finds_the_pods_by_their_annotations(graph: Graph) -> None:
    assert (
        deployment(graph).inputs["spec"]["template"]["metadata"]["annotations"][
            "prometheus.io/scrape"
        ]
        == "true"
    )
