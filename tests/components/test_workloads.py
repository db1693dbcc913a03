"""What holds of every pod of the platform, and of all that selects, reaches or names one."""

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

import pytest

import grpc_platform as gp
from grpc_platform.conventions import PLATFORM_NAMESPACES
from grpc_platform.envoy.fleet import pod_request
from grpc_platform.quantities import cpu_cores, memory_bytes
from grpc_platform.specs import EnvoySpec, ExternalDnsSpec
from grpc_platform.timing import EXTERNAL_DNS_REACTION, Timing, parse_duration
from grpc_platform_tools.graph import Graph, Resource
from grpc_platform_tools.preview.record import record

DEPLOYMENT = "kubernetes:apps/v1:Deployment"
SERVING = ("contour", "envoy", "external-dns")
"""The Deployments, each with pods that others dial or wait for."""


def program() -> None:
    """A platform in an existing cluster."""
    zone = gp.ExistingZone("zone", gp.ExistingZoneArgs(name="example.com", zone_id="Z1"))
    cluster = gp.ExistingCluster("main", gp.ExistingClusterArgs(kubeconfig="kubeconfig"))
    args = gp.GrpcIngressArgs(
        dns_name="main.example.com",
        zone=zone,
        clusters={"main": cluster},
        callers={"apps": gp.Caller(cluster="main")},
        external_dns=ExternalDnsSpec(credentials_secret="route53"),
    )
    gp.GrpcIngress("main", args)


@pytest.fixture(scope="module")
def graph() -> Graph:
    return record(program)


def of_kubernetes(graph: Graph) -> Iterator[Resource]:
    return (r for r in graph if r.type.startswith("kubernetes:"))


def named(graph: Graph, type_token: str, name: str) -> dict[str, Any]:
    (found,) = [r for r in graph.of_type(type_token) if r.inputs["metadata"]["name"] == name]
    return found.inputs


def templates(graph: Graph) -> dict[str, dict[str, Any]]:
    """The template of every pod, by its owner's name."""
    found = {r.name: r.inputs["spec"]["template"] for r in graph.of_type(DEPLOYMENT)}
    for job in graph.of_type("kubernetes:batch/v1:Job"):
        found[job.name] = job.inputs["spec"]["template"]
    for job in graph.of_type("kubernetes:batch/v1:CronJob"):
        found[job.name] = job.inputs["spec"]["jobTemplate"]["spec"]["template"]
    assert len(found) == 5
    return found


def containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return [*pod.get("initContainers", []), *pod["containers"]]


def each_container(graph: Graph) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for template in templates(graph).values():
        for container in containers(template["spec"]):
            yield template["spec"], container


def serving(graph: Graph, name: str) -> dict[str, Any]:
    """The container of this name in the Deployment of this name."""
    template = named(graph, DEPLOYMENT, name)["spec"]["template"]
    (found,) = [c for c in template["spec"]["containers"] if c["name"] == name]
    return found


def ports(container: dict[str, Any]) -> dict[str, int]:
    return {port["name"]: port["containerPort"] for port in container.get("ports", [])}


def probed(container: dict[str, Any], kind: str) -> Any:
    """The port that a probe asks, by number."""
    probe = container[kind]
    (action,) = [probe[key] for key in ("httpGet", "tcpSocket") if key in probe]
    port = action["port"]
    return ports(container)[port] if isinstance(port, str) else port


def test_no_pod_counts_before_it_can_serve(graph: Graph) -> None:
    """Contour accepts xDS connections once it has read the whole cluster. Envoy is ready when it
    has its listeners. external-dns has no better sign than that it lives."""
    asked = {name: probed(serving(graph, name), "readinessProbe") for name in SERVING}
    assert asked == {"contour": 8001, "envoy": 8002, "external-dns": 7979}
    paths = {
        name: serving(graph, name)["readinessProbe"].get("httpGet", {}).get("path")
        for name in SERVING
    }
    assert paths == {"contour": None, "envoy": "/ready", "external-dns": "/healthz"}


def test_a_pod_that_is_ready_is_noticed_as_fast_as_dns_is_changed(graph: Graph) -> None:
    """The rebalance time counts external-dns's reaction, and nothing for slow probes. A probe has
    time to be answered before the next."""
    for name in SERVING:
        probe = serving(graph, name)["readinessProbe"]
        assert probe["periodSeconds"] < EXTERNAL_DNS_REACTION.total_seconds()
        assert probe.get("timeoutSeconds", 1) < probe["periodSeconds"]


def test_an_envoy_with_much_to_do_stays_in_dns(graph: Graph) -> None:
    """With all of its cores busy it answers late; the default is one second."""
    assert serving(graph, "envoy")["readinessProbe"]["timeoutSeconds"] >= 2


def test_a_hung_contour_is_restarted_but_not_while_the_api_server_is_away(graph: Graph) -> None:
    """/healthz asks the API server. Envoys that start meanwhile need the Contours that run, so an
    API server may be away for a minute and answer slowly; a Contour that hangs longer than three
    minutes is of no use."""
    probe = serving(graph, "contour")["livenessProbe"]
    assert probed(serving(graph, "contour"), "livenessProbe") == 8000
    assert probe["httpGet"]["path"] == "/healthz"
    period = probe.get("periodSeconds", 10)
    assert 60 <= period * probe["failureThreshold"] <= 180
    assert 2 <= probe["timeoutSeconds"] < period


def test_a_dead_external_dns_is_restarted(graph: Graph) -> None:
    assert probed(serving(graph, "external-dns"), "livenessProbe") == 7979
    assert serving(graph, "external-dns")["livenessProbe"]["httpGet"]["path"] == "/healthz"


def test_every_container_names_its_program_and_needs_no_entrypoint_of_its_image(
    graph: Graph,
) -> None:
    """An image of one's own may have another; external-dns's is the same in all of its images."""
    programs = {
        container["name"]: PurePosixPath(container["command"][0]).name
        for _, container in each_container(graph)
        if container["name"] != "external-dns"
    }
    assert programs == {
        "contour": "contour",
        "certgen": "contour",
        "bootstrap": "contour",
        "shutdown-manager": "contour",
        "envoy": "envoy",
    }


def files(container: dict[str, Any]) -> set[PurePosixPath]:
    """The files that a container's command line names, but for those of its image."""
    words = [word for text in container["args"] for word in text.split("=")]
    return {PurePosixPath(word) for word in words if word.startswith("/")}


def test_every_file_of_a_command_line_is_in_a_volume_that_is_mounted_there(graph: Graph) -> None:
    for pod, container in each_container(graph):
        mounts = {m["mountPath"]: m["name"] for m in container.get("volumeMounts", [])}
        volumes = {volume["name"]: volume for volume in pod.get("volumes", [])}
        assert set(mounts.values()) <= volumes.keys()
        for file in files(container):
            (mount,) = {mounts.get(str(above)) for above in file.parents} - {None}
            if str(file).startswith("/certs/"):
                assert volumes[mount]["secret"]["secretName"].endswith("cert")


def test_every_volume_is_mounted_and_has_a_source(graph: Graph) -> None:
    for template in templates(graph).values():
        pod = template["spec"]
        mounted = {m["name"] for c in containers(pod) for m in c.get("volumeMounts", [])}
        assert mounted == {volume["name"] for volume in pod.get("volumes", [])}
        for volume in pod.get("volumes", []):
            assert len(volume) == 2, volume


def test_a_volume_is_writable_only_for_what_writes_to_it(graph: Graph) -> None:
    """`contour bootstrap` writes Envoy's configuration. Envoy's admin socket is between it and its
    shutdown manager."""
    writable = {
        (container["name"], mount["mountPath"])
        for _, container in each_container(graph)
        for mount in container.get("volumeMounts", [])
        if not mount.get("readOnly")
    }
    assert writable == {
        ("bootstrap", "/config"),
        ("shutdown-manager", "/admin"),
        ("envoy", "/admin"),
    }


def test_no_container_takes_the_room_of_others(graph: Graph) -> None:
    """The scheduler knows what each takes. One that takes more memory is ended itself, and not what
    runs beside it; one that serves has reserved all that it may take."""
    for pod, container in each_container(graph):
        requests, limits = (container["resources"][key] for key in ("requests", "limits"))
        assert cpu_cores(requests["cpu"])
        most, least = memory_bytes(limits["memory"]), memory_bytes(requests["memory"])
        assert most == least if container in pod["containers"] and "ports" in container else True
        assert least <= most <= 2 * least


def test_only_envoy_and_its_manager_have_a_limit_of_cpu(graph: Graph) -> None:
    """Envoy has as many threads as cores. A throttled Contour or external-dns would be late."""
    limited = {c["name"] for _, c in each_container(graph) if "cpu" in c["resources"]["limits"]}
    assert limited == {"envoy", "shutdown-manager"}


def test_an_envoy_pod_requests_what_the_nodes_are_counted_for(graph: Graph) -> None:
    """An init container's request counts where it is above the sum of the others'."""
    pod = named(graph, DEPLOYMENT, "envoy")["spec"]["template"]["spec"]

    def requested(each: list[dict[str, Any]]) -> tuple[int, int]:
        all_of_them = [container["resources"]["requests"] for container in each]
        cpu = sum(round(cpu_cores(requests["cpu"]) * 1000) for requests in all_of_them)
        return cpu, sum(memory_bytes(requests["memory"]) for requests in all_of_them)

    counted = pod_request(EnvoySpec())
    assert requested(pod["containers"]) == (counted.millicores, counted.memory)
    assert requested(pod["initContainers"]) < requested(pod["containers"])


def test_every_pod_has_an_account_of_its_own_that_exists(graph: Graph) -> None:
    """With the default account, whatever is bound to that would reach the pod too."""
    accounts = {
        (r.inputs["metadata"]["namespace"], r.inputs["metadata"]["name"])
        for r in graph.of_type("kubernetes:core/v1:ServiceAccount")
    }
    for resource in graph.of_type(DEPLOYMENT):
        pod = resource.inputs["spec"]["template"]["spec"]
        namespace = resource.inputs["metadata"]["namespace"]
        assert (namespace, pod["serviceAccountName"]) in accounts
    for name in ("main-contour-certgen", "main-contour-certgen-renewal"):
        assert ("projectcontour", templates(graph)[name]["spec"]["serviceAccountName"]) in accounts
    assert len({t["spec"]["serviceAccountName"] for t in templates(graph).values()}) == 4


def test_every_binding_gives_an_account_that_exists_a_role_that_exists(graph: Graph) -> None:
    """The API server takes a binding to a role or an account that is not there, and gives none."""

    def objects(*kinds: str) -> set[tuple[str, str | None, str]]:
        found = [r.inputs for r in of_kubernetes(graph) if r.inputs["kind"] in kinds]
        return {(o["kind"], o["metadata"].get("namespace"), o["metadata"]["name"]) for o in found}

    roles, accounts = objects("Role", "ClusterRole"), objects("ServiceAccount")
    bindings = [r.inputs for r in of_kubernetes(graph) if r.inputs["kind"].endswith("Binding")]
    assert len(bindings) == len(roles) == 4
    for binding in bindings:
        role, [subject] = binding["roleRef"], binding["subjects"]
        namespace = binding["metadata"].get("namespace")
        assert role["apiGroup"] == "rbac.authorization.k8s.io"
        assert (role["kind"], namespace, role["name"]) in roles
        assert (subject["kind"], subject["namespace"], subject["name"]) in accounts


def test_no_token_of_envoys_account_gets_into_a_pod(graph: Graph) -> None:
    """Envoy never asks the API server; another pod with its account would get no token either."""
    account = named(graph, "kubernetes:core/v1:ServiceAccount", "envoy")
    pod = named(graph, DEPLOYMENT, "envoy")["spec"]["template"]["spec"]
    assert account["automountServiceAccountToken"] is False
    assert pod["automountServiceAccountToken"] is False


def test_every_pod_runs_as_nobody(graph: Graph) -> None:
    for template in templates(graph).values():
        security = template["spec"]["securityContext"]
        assert security["runAsNonRoot"] is True
        assert security["runAsUser"] == security["runAsGroup"] == 65534
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in containers(template["spec"]):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }


def test_every_object_is_in_a_namespace_of_the_platform_that_takes_hardened_pods_only(
    graph: Graph,
) -> None:
    spaces = {
        r.inputs["metadata"]["name"]: r.inputs["metadata"]["labels"]
        for r in graph.of_type("kubernetes:core/v1:Namespace")
    }
    assert spaces.keys() == set(PLATFORM_NAMESPACES)
    for labels in spaces.values():
        assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    of_the_cluster = {
        r.inputs["kind"] for r in of_kubernetes(graph) if "namespace" not in r.inputs["metadata"]
    }
    assert of_the_cluster == {
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "IngressClass",
        "Namespace",
    }
    for resource in of_kubernetes(graph):
        assert resource.inputs["metadata"].get("namespace", "projectcontour") in spaces


def test_every_object_belongs_to_a_component_and_is_made_in_its_cluster(graph: Graph) -> None:
    """Without the component as its parent it would get the ambient kubeconfig's cluster, and would
    not wait for what the component waits for."""
    provider = graph.only("pulumi:providers:kubernetes", "main-kubernetes").urn
    for resource in of_kubernetes(graph):
        assert resource.provider == provider, resource.urn
        assert resource.parent, resource.urn
        assert graph.by_urn(resource.parent).type.startswith("grpc-platform:"), resource.urn


def test_what_the_platform_made_is_found_by_its_labels(graph: Graph) -> None:
    """`kubectl get all -A -l app.kubernetes.io/managed-by=grpc-platform`. A CRD may be upstream's
    the next day."""
    for resource in of_kubernetes(graph):
        metadata = resource.inputs["metadata"]
        if resource.inputs["kind"] != "CustomResourceDefinition":
            assert metadata["labels"]["app.kubernetes.io/managed-by"] == "grpc-platform"
            assert metadata["labels"]["app.kubernetes.io/name"]
    for template in templates(graph).values():
        assert template["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "grpc-platform"


def selectors(resource: Resource) -> Iterator[dict[str, str]]:
    """The labels that an object selects the pods of its own namespace by."""
    spec = resource.inputs.get("spec", {})
    match resource.inputs["kind"]:
        case "Service":
            yield spec["selector"]
        case "Deployment":
            yield spec["selector"]["matchLabels"]
            for spread in spec["template"]["spec"].get("topologySpreadConstraints", []):
                yield spread["labelSelector"]["matchLabels"]
        case "PodDisruptionBudget":
            yield spec["selector"]["matchLabels"]
        case "NetworkPolicy":
            yield spec["podSelector"]["matchLabels"]
        case _:
            pass


def test_every_selector_selects_the_pods_of_one_application(graph: Graph) -> None:
    """certgen's are those of its Job and of the renewals."""
    pods = [template["metadata"]["labels"] for template in templates(graph).values()]
    count = 0
    for resource in of_kubernetes(graph):
        for selector in selectors(resource):
            chosen = [labels for labels in pods if selector.items() <= labels.items()]
            (application,) = {labels["app.kubernetes.io/name"] for labels in chosen}
            assert resource.inputs["metadata"]["name"].startswith(application), resource.name
            count += 1
    assert count >= 13


def test_metrics_are_scraped_where_they_are_served(graph: Graph) -> None:
    served = {"contour": "/metrics", "envoy": "/stats/prometheus", "external-dns": "/metrics"}
    for name, path in served.items():
        template = named(graph, DEPLOYMENT, name)["spec"]["template"]
        annotations = template["metadata"]["annotations"]
        assert annotations["prometheus.io/scrape"] == "true"
        assert annotations["prometheus.io/path"] == path
        listening = ports(serving(graph, name))
        metrics = listening.get("metrics", listening.get("http"))
        assert annotations["prometheus.io/port"] == str(metrics)


def test_a_service_and_a_policy_name_ports_that_their_pods_listen_on(graph: Graph) -> None:
    for resource in of_kubernetes(graph):
        kind, spec = resource.inputs["kind"], resource.inputs.get("spec", {})
        named_ports: list[int] = []
        if kind == "Service":
            named_ports = [port["port"] for port in spec["ports"]]
        elif kind == "NetworkPolicy":
            rules = spec.get("ingress", [])
            named_ports = [port["port"] for rule in rules for port in rule["ports"]]
            assert all(port["protocol"] == "TCP" for rule in rules for port in rule["ports"])
            assert spec["policyTypes"] == ["Ingress"]
        if named_ports:
            name = resource.inputs["metadata"]["labels"]["app.kubernetes.io/name"]
            assert set(named_ports) <= set(ports(serving(graph, name)).values()), resource.name


def test_a_node_drain_takes_one_pod_at_a_time_and_is_not_held_up_by_one_that_fails(
    graph: Graph,
) -> None:
    budgets = {
        r.inputs["metadata"]["name"]: r.inputs["spec"]
        for r in graph.of_type("kubernetes:policy/v1:PodDisruptionBudget")
    }
    assert budgets.keys() == {"contour", "envoy"}
    for spec in budgets.values():
        assert spec["maxUnavailable"] == 1
        assert spec["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


def test_pods_of_one_rollout_spread_and_never_wait_for_a_node(graph: Graph) -> None:
    """Pods of the rollout before do not count: those drain, and would push the new ones aside."""
    for name in ("contour", "envoy"):
        pod = named(graph, DEPLOYMENT, name)["spec"]["template"]["spec"]
        assert len(pod["topologySpreadConstraints"]) == 2
        for constraint in pod["topologySpreadConstraints"]:
            assert constraint["maxSkew"] == 1
            assert constraint["whenUnsatisfiable"] == "ScheduleAnyway"
            assert constraint["matchLabelKeys"] == ["pod-template-hash"]


def test_a_rollout_takes_no_pod_away_before_another_is_ready(graph: Graph) -> None:
    for name in ("contour", "envoy"):
        strategy = named(graph, DEPLOYMENT, name)["spec"]["strategy"]["rollingUpdate"]
        assert strategy["maxUnavailable"] == 0
        assert strategy["maxSurge"] in (1, "25%")


def test_there_is_one_external_dns_and_never_two(graph: Graph) -> None:
    """It has no leader election, so two would write against each other in a rollout."""
    spec = named(graph, DEPLOYMENT, "external-dns")["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    # Its first sync begins at once, and is done within 15 seconds: only then is its name there.
    assert spec["minReadySeconds"] == 15


def test_pulumi_waits_for_a_rollout_as_long_as_it_takes(graph: Graph) -> None:
    """A new Envoy may wait for the room of one that drains; Pulumi gives up after ten minutes."""
    (envoy,) = [r for r in graph.of_type(DEPLOYMENT) if r.inputs["metadata"]["name"] == "envoy"]
    longest = Timing().termination_grace_period + Timing.pod_startup_time
    for operation in ("create", "update", "delete"):
        wait = parse_duration(envoy.options["custom_timeouts"][operation])
        assert wait > longest + parse_duration("9m")
        assert wait.total_seconds() == envoy.inputs["spec"]["progressDeadlineSeconds"]
