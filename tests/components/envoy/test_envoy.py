"""The Envoy fleet's resources on the recorded graph."""

import itertools
import math
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pulumi
import pytest

from grpc_platform.contour.contour import Contour, ContourArgs
from grpc_platform.conventions import EXTERNAL_DNS_ANNOTATION_PREFIX
from grpc_platform.eks.capacity import OFF_SPOT_TERMS
from grpc_platform.envoy.envoy import Envoy, EnvoyArgs
from grpc_platform.specs import ContourSpec, EnvoySpec, ZoneSpec
from grpc_platform.timing import DnsTiming
from grpc_platform_tools.graph import Graph
from grpc_platform_tools.preview.record import record

Recorded = Callable[[Callable[[], object]], Graph]

ARGS = EnvoyArgs(
    namespace="projectcontour",
    xds_address="contour",
    dns_name="serving.grpc.example.com",
)


def envoy(recorded: Recorded, args: EnvoyArgs = ARGS, **spec: Any) -> Graph:
    given = replace(args, spec=EnvoySpec.model_validate(spec))
    return recorded(lambda: Envoy("envoy", given))


@pytest.fixture(scope="module")
def graph() -> Graph:
    return envoy(record)


def deployment(graph: Graph) -> dict[str, Any]:
    return graph.only("kubernetes:apps/v1:Deployment").inputs["spec"]


def pod(graph: Graph) -> dict[str, Any]:
    return deployment(graph)["template"]["spec"]


def container(graph: Graph, name: str) -> dict[str, Any]:
    spec = pod(graph)
    [found] = [c for c in (*spec["containers"], *spec["initContainers"]) if c["name"] == name]
    return found


def autoscaler(graph: Graph) -> dict[str, Any]:
    return graph.only("kubernetes:autoscaling/v2:HorizontalPodAutoscaler").inputs["spec"]


def test_the_size_of_the_fleet_is_the_autoscalers_alone(recorded: Recorded) -> None:
    graph = envoy(recorded, min_replicas=3, max_replicas=12)
    spec = autoscaler(graph)
    assert "replicas" not in deployment(graph)
    assert (spec["minReplicas"], spec["maxReplicas"]) == (3, 12)
    assert spec["scaleTargetRef"] == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": "envoy",
    }


def test_the_autoscaler_looks_at_envoys_own_cpu(recorded: Recorded) -> None:
    graph = envoy(recorded, target_cpu_utilization=70)
    [metric] = autoscaler(graph)["metrics"]
    assert metric == {
        "type": "ContainerResource",
        "containerResource": {
            "container": container(graph, "envoy")["name"],
            "name": "cpu",
            "target": {"type": "Utilization", "averageUtilization": 70},
        },
    }


def change(rules: dict[str, Any], replicas: int, seconds: int = 60) -> int:
    """How many pods the autoscaler may add or remove in so many seconds, as it counts them: a
    policy's percent of the fleet, rounded up, in each of its periods."""
    allowed = [
        (
            policy["value"]
            if policy["type"] == "Pods"
            else math.ceil(replicas * policy["value"] / 100)
        )
        * (seconds // policy["periodSeconds"])
        for policy in rules["policies"]
    ]
    return {"Max": max, "Min": min}[rules.get("selectPolicy", "Max")](allowed)


def test_the_fleet_may_double_every_15_seconds_and_waits_for_nothing(graph: Graph) -> None:
    """Before load is shared anew, an Envoy that is overloaded says nothing of twice its load."""
    rules = autoscaler(graph)["behavior"]["scaleUp"]
    assert rules["stabilizationWindowSeconds"] == 0
    assert [change(rules, replicas, 15) for replicas in (1, 2, 20)] == [1, 2, 20]


def test_the_fleet_shrinks_after_it_is_rebalanced_and_a_tenth_at_a_time(graph: Graph) -> None:
    """The connections of those that leave move to the others; a small fleet shrinks too."""
    rules = autoscaler(graph)["behavior"]["scaleDown"]
    # 30 + 7 + 60 + 30 + 315
    assert rules["stabilizationWindowSeconds"] == 442
    assert [change(rules, replicas) for replicas in (2, 5, 10, 50)] == [1, 1, 1, 5]


def test_the_stabilisation_stops_at_the_hour_the_api_allows(recorded: Recorded) -> None:
    contour = ContourSpec.model_validate({"timeouts": {"max_connection_duration": "2h"}})
    graph = envoy(recorded, replace(ARGS, contour=contour))
    assert autoscaler(graph)["behavior"]["scaleDown"]["stabilizationWindowSeconds"] == 3600


def test_a_pod_told_to_end_drains_by_the_derived_times(graph: Graph) -> None:
    hook = container(graph, "shutdown-manager")["lifecycle"]["preStop"]["exec"]["command"]
    assert hook == [
        "/bin/contour",
        "envoy",
        "shutdown",
        "--drain-delay=2m7s",
        "--check-interval=5s",
    ]
    # 127 + 300 + 15 + 60 + 5 + 30
    assert pod(graph)["terminationGracePeriodSeconds"] == 537


@pytest.mark.parametrize(
    ("section", "values"),
    [
        ("zone", {"record_ttl": "1m"}),
        ("zone", {"propagation_delay": "90s"}),
        ("zone", {"min_resolution_interval": "1m"}),
        ("contour", {"timeouts": {"max_connection_duration": "5m30s"}}),
        ("contour", {"timeouts": {"connection_shutdown_grace_period": "45s"}}),
        ("envoy", {"max_deadline": "90s"}),
    ],
)
def test_a_drain_waits_for_every_time_that_is_given(
    recorded: Recorded, section: str, values: dict[str, Any]
) -> None:
    """Each value is 30 s above its default."""
    args, spec = ARGS, {}
    if section == "zone":
        zone = ZoneSpec.model_validate({"name": "grpc.example.com", **values})
        args = replace(ARGS, dns_timing=zone.timing)
    elif section == "contour":
        args = replace(ARGS, contour=ContourSpec.model_validate(values))
    else:
        spec = values
    assert pod(envoy(recorded, args, **spec))["terminationGracePeriodSeconds"] == 537 + 30


def test_the_fleet_shrinks_later_where_pods_start_slowly(recorded: Recorded) -> None:
    graph = envoy(recorded, pod_startup_time="1m")
    assert autoscaler(graph)["behavior"]["scaleDown"]["stabilizationWindowSeconds"] == 442 + 30


def test_envoy_ends_only_when_the_shutdown_manager_says_so(graph: Graph) -> None:
    manager = container(graph, "shutdown-manager")
    hook = container(graph, "envoy")["lifecycle"]["preStop"]["httpGet"]
    assert hook == {"path": "/shutdown", "port": 8090}
    assert f"--serve-port={hook['port']}" in manager["args"]
    mounts = [
        {m["mountPath"]: m["name"] for m in c["volumeMounts"]}["/admin"]
        for c in (manager, container(graph, "envoy"))
    ]
    assert mounts[0] == mounts[1]


@pytest.mark.parametrize("name", ["envoy", "shutdown-manager"])
def test_nothing_restarts_a_container_that_may_be_draining(graph: Graph, name: str) -> None:
    assert "livenessProbe" not in container(graph, name)


def test_an_envoy_is_published_when_it_is_ready_and_only_then(graph: Graph) -> None:
    probe = container(graph, "envoy")["readinessProbe"]["httpGet"]
    ports = {p["name"]: p["containerPort"] for p in container(graph, "envoy")["ports"]}
    service = graph.only("kubernetes:core/v1:Service").inputs["spec"]
    assert (probe["path"], ports[probe["port"]]) == ("/ready", 8002)
    assert service["publishNotReadyAddresses"] is False


def test_envoy_reads_its_certificates_where_the_bootstrap_says(graph: Graph) -> None:
    """The bootstrap writes paths down; Envoy opens the files, and watches them for renewed ones."""
    (path,) = {
        flag.split("=")[1].rpartition("/")[0]
        for flag in container(graph, "bootstrap")["args"]
        if flag.startswith(("--envoy-cafile=", "--envoy-cert-file=", "--envoy-key-file="))
    }
    mounts = {m["mountPath"]: m["name"] for m in container(graph, "envoy")["volumeMounts"]}
    assert mounts[path] == "certs"


def test_the_component_tells_the_service_that_is_published(graph: Graph) -> None:
    service = graph.only("kubernetes:core/v1:Service").inputs["metadata"]["name"]
    assert graph.only("grpc-platform:index:Envoy").outputs == {"service_name": service}


def test_external_dns_is_told_the_name_and_the_ttl(recorded: Recorded) -> None:
    args = replace(ARGS, dns_timing=DnsTiming(record_ttl=timedelta(seconds=45)))
    service = envoy(recorded, args).only("kubernetes:core/v1:Service").inputs
    assert service["metadata"]["annotations"] == {
        f"{EXTERNAL_DNS_ANNOTATION_PREFIX}hostname": "serving.grpc.example.com",
        f"{EXTERNAL_DNS_ANNOTATION_PREFIX}ttl": "45",
    }
    assert service["spec"]["clusterIP"] == "None"


def test_the_annotations_change_after_a_rollout(graph: Graph) -> None:
    """external-dns, which reads them, follows them at once: names are not kept in between."""
    service = graph.only("kubernetes:core/v1:Service")
    assert graph.only("kubernetes:apps/v1:Deployment").urn in graph.needs(service)


def test_the_same_program_may_make_the_images_and_their_secrets(recorded: Recorded) -> None:
    def program() -> None:
        given = {
            key: pulumi.Output.from_input(f"registry.example.com/{key}:v1")
            for key in ("image", "contour_image")
        }
        Envoy("envoy", replace(ARGS, image_pull_secrets=["mirror"], **given))

    graph = recorded(program)
    names = ("envoy", "shutdown-manager", "bootstrap")
    images = [container(graph, name)["image"] for name in names]
    contour = "registry.example.com/contour_image:v1"
    assert images == ["registry.example.com/image:v1", contour, contour]
    assert pod(graph)["imagePullSecrets"] == [{"name": "mirror"}]


def test_the_ports_clients_dial_are_those_of_the_container(recorded: Recorded) -> None:
    graph = envoy(recorded, http_port=80, https_port=443)
    service = graph.only("kubernetes:core/v1:Service").inputs["spec"]
    ports = {p["name"]: p for p in container(graph, "envoy")["ports"]}
    assert [(p["name"], p["port"]) for p in service["ports"]] == [("http", 80), ("https", 443)]
    assert (ports["http"]["containerPort"], ports["https"]["containerPort"]) == (80, 443)
    assert not any("hostPort" in p for p in ports.values())


@pytest.mark.parametrize(
    ("ports", "sysctls"),
    [
        ({}, None),
        ({"http_port": 1024}, None),
        ({"http_port": 1023}, [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]),
        ({"https_port": 443}, [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]),
    ],
)
def test_a_low_port_needs_a_sysctl_and_no_privilege(
    recorded: Recorded, ports: dict[str, Any], sysctls: Any
) -> None:
    graph = envoy(recorded, **ports)
    assert pod(graph)["securityContext"].get("sysctls") == sysctls
    assert container(graph, "envoy")["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_every_container_is_hardened_and_none_gets_a_token(graph: Graph) -> None:
    spec = pod(graph)
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsUser"] == 65534
    assert spec["securityContext"]["runAsNonRoot"]
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for each in (*spec["containers"], *spec["initContainers"]):
        assert each["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert each["resources"]["limits"]["memory"]


def test_envoy_is_told_its_file_and_who_it_is(graph: Graph) -> None:
    """Contour and Envoy's own statistics know an Envoy by its node and cluster. Hot restart needs
    a writable /dev/shm, which a read-only root does not give."""
    envoy = container(graph, "envoy")
    arguments = dict(itertools.pairwise(envoy["args"]))
    assert arguments["--config-path"] == container(graph, "bootstrap")["args"][1]
    assert arguments["--service-cluster"] == "projectcontour"
    assert arguments["--service-node"] == "$(POD_NAME)"
    assert envoy["env"] == [
        {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    ]
    assert "--disable-hot-restart" in envoy["args"]


def test_the_manager_that_drains_envoy_runs_as_one(graph: Graph) -> None:
    assert container(graph, "shutdown-manager")["args"][:2] == ["envoy", "shutdown-manager"]


def test_envoy_gets_its_size_and_a_thread_per_core(recorded: Recorded) -> None:
    envoy_container = container(envoy(recorded, cpu="2", memory="2Gi"), "envoy")
    size = {"cpu": "2", "memory": "2Gi"}
    arguments = envoy_container["args"]
    assert envoy_container["resources"] == {"requests": size, "limits": size}
    assert arguments[arguments.index("--concurrency") + 1] == "2"


def test_the_bootstrap_limits_heap_and_connections_and_follows_renewed_certificates(
    recorded: Recorded,
) -> None:
    graph = envoy(recorded, memory="1000Mi", max_connections=2000)
    assert container(graph, "bootstrap")["args"] == [
        "bootstrap",
        "/config/envoy.json",
        "--namespace=projectcontour",
        "--xds-address=contour",
        "--xds-port=8001",
        "--dns-lookup-family=v4",
        "--resources-dir=/config/resources",
        "--envoy-cafile=/certs/ca.crt",
        "--envoy-cert-file=/certs/tls.crt",
        "--envoy-key-file=/certs/tls.key",
        f"--overload-max-heap={900 * 2**20}",
        "--overload-downstream-max-conn=2000",
    ]
    volumes = {v["name"]: v for v in pod(graph)["volumes"]}
    assert volumes["certs"]["secret"]["secretName"] == "envoycert"


def test_a_rollout_adds_before_it_takes_away_and_may_wait_out_a_drain(graph: Graph) -> None:
    spec = deployment(graph)
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": "25%"}
    assert spec["progressDeadlineSeconds"] > pod(graph)["terminationGracePeriodSeconds"]


def test_one_envoy_at_a_time_leaves_for_a_node_drain(graph: Graph) -> None:
    budget = graph.only("kubernetes:policy/v1:PodDisruptionBudget").inputs["spec"]
    assert budget["maxUnavailable"] == 1
    assert budget["selector"] == deployment(graph)["selector"]


def test_envoys_spread_over_zones_and_hosts_but_always_find_a_place(graph: Graph) -> None:
    constraints = pod(graph)["topologySpreadConstraints"]
    assert [c["topologyKey"] for c in constraints] == [
        "topology.kubernetes.io/zone",
        "kubernetes.io/hostname",
    ]
    for constraint in constraints:
        assert constraint["whenUnsatisfiable"] == "ScheduleAnyway"
        assert constraint["matchLabelKeys"] == ["pod-template-hash"]
        assert constraint["labelSelector"] == deployment(graph)["selector"]


def test_envoy_keeps_off_spot(graph: Graph) -> None:
    affinity = pod(graph)["affinity"]["nodeAffinity"]
    [term] = affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert term["matchExpressions"] == [
        {**expression, "values": list(expression["values"])} for expression in OFF_SPOT_TERMS
    ]


def test_the_fleet_starts_after_contour_serves(recorded: Recorded) -> None:
    def program() -> None:
        contour = Contour("contour", ContourArgs(dns_name="serving.grpc.example.com"))
        args = replace(ARGS, namespace=contour.namespace, xds_address=contour.xds_address)
        Envoy("envoy", args)

    graph = recorded(program)
    fleet = graph.only("kubernetes:apps/v1:Deployment", "envoy")
    control_plane = graph.only("kubernetes:apps/v1:Deployment", "contour-deployment")
    assert control_plane.urn in graph.needs(fleet)


def test_half_a_core_without_a_concurrency_is_refused(recorded: Recorded) -> None:
    with pytest.raises(ValueError, match=r"^Envoy envoy: cpu = 500m: must be whole cores"):
        envoy(recorded, cpu="500m")


def test_without_monitors_a_prometheus_finds_the_pods_by_their_annotations(graph: Graph) -> None:
    assert (
        deployment(graph)["template"]["metadata"]["annotations"]["prometheus.io/scrape"] == "true"
    )
