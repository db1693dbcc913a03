"""Operations on a platform in use: renewal, change, growth, loss."""

from pathlib import Path
from typing import Any

from grpc_platform.dns.external_dns import ownership_record
from testbed.cluster import apps, deploy
from testbed.disruptions import losses, operations, pods
from testbed.load.certificate import provide_certificate
from testbed.program import changed_program, preview
from tests.local.stack import Platform

NAMESPACE = "projectcontour"


def test_certificates_are_renewed_while_calls_flow(platform: Platform) -> None:
    calling = platform.start(
        platform.services["greeter"].target, "--channels=4", "--seconds=15", "--pause=0.01"
    )
    operations.renew_certificates(platform.cluster)
    report = platform.report(calling)
    assert set(report["codes"]) == {"OK"}
    assert report["codes"]["OK"] > 500


def test_envoy_still_learns_of_changes_after_a_renewal(platform: Platform) -> None:
    service = platform.services["greeter"]
    ingress = platform.cluster.get("ingress", "greeter")
    host = "renewed.grpc.test"
    rule = {**ingress["spec"]["rules"][0], "host": host}
    deploy.apply(
        platform.cluster,
        [
            {
                "apiVersion": "networking.k8s.io/v1",
                "kind": "Ingress",
                "metadata": {"name": "renewed", "namespace": "default"},
                "spec": {**ingress["spec"], "rules": [rule]},
            }
        ],
    )
    platform.cluster.wait(
        "the new host to be served",
        lambda: "OK" in platform.call(service.target, f"--authority={host}", "--calls=1")["codes"],
    )
    platform.cluster.kubectl("delete", "ingress", "renewed")


def test_a_changed_contour_configuration_rolls_out_and_no_call_fails(
    platform: Platform, tmp_path: Path
) -> None:
    old = {pod["metadata"]["name"] for pod in contours(platform)}
    assert '"max_connection_duration":"300s"' in squeezed(platform.config_dump())
    calling = platform.start(
        platform.services["greeter"].target, "--channels=4", "--seconds=20", "--pause=0.01"
    )
    changed = changed_program(
        tmp_path, "local", contour={"timeouts": {"max_connection_duration": "4m"}}
    )
    platform.bring_to(preview("local", tmp_path / "preview", changed))
    assert not old & {pod["metadata"]["name"] for pod in contours(platform)}
    platform.cluster.wait(
        "Envoy to have the new duration",
        lambda: '"max_connection_duration":"240s"' in squeezed(platform.config_dump()),
    )
    assert set(platform.report(calling)["codes"]) == {"OK"}


def test_what_a_later_graph_lacks_is_pruned(platform: Platform, tmp_path: Path) -> None:
    program = changed_program(tmp_path, "local", services={"brief": {}})
    platform.bring_to(preview("local", tmp_path / "with", program))
    assert platform.cluster.kubectl("get", "ingress,service", "brief", "-o", "name")
    assert platform.cluster.published("brief.grpc.test", "CNAME")
    platform.bring_to(preview("local", tmp_path / "without"))
    listed = ("get", "ingress,service", "brief", "--ignore-not-found", "-o", "name")
    platform.cluster.wait("the bundle to go", lambda: not platform.cluster.kubectl(*listed))
    platform.cluster.wait(
        "its name to go", lambda: not platform.cluster.published("brief.grpc.test", "CNAME")
    )


def test_the_name_follows_the_envoy_pods(platform: Platform) -> None:
    host = platform.services["greeter"].target.rpartition(":")[0]
    lost = platform.envoys()[0]
    platform.cluster.kubectl(
        "delete", "pod", "-n", NAMESPACE, lost["metadata"]["name"], "--grace-period=0", "--force"
    )
    platform.cluster.wait(
        "the name to lead to the new pod and not to the lost one",
        lambda: (
            ready_addresses(platform) == sorted(platform.cluster.addresses(host))
            and lost["status"]["podIP"] not in platform.cluster.addresses(host)
        ),
        timeout=120,
    )


def test_a_fleet_without_a_ready_pod_keeps_its_names(platform: Platform) -> None:
    host = platform.services["greeter"].target.rpartition(":")[0]
    before = sorted(platform.cluster.addresses(host))
    scale = ("scale", "deployment/envoy", "-n", NAMESPACE)
    syncs = external_dns_syncs(platform)
    platform.cluster.kubectl(*scale, "--replicas=0")
    try:
        platform.cluster.wait("no Envoy to be ready", lambda: not ready_addresses(platform))
        platform.cluster.wait(
            "external-dns to have seen it",
            lambda: external_dns_syncs(platform) >= syncs + 2,
            timeout=150,
        )
        assert sorted(platform.cluster.addresses(host)) == before
    finally:
        platform.cluster.kubectl(*scale, "--replicas=2")
        selector = ("-n", NAMESPACE, "-l", "app.kubernetes.io/name=envoy")
        leaving = [
            pod["metadata"]["name"]
            for pod in platform.cluster.get("pods", *selector)["items"]
            if "deletionTimestamp" in pod["metadata"]
        ]
        force = ("--grace-period=0", "--force", "--ignore-not-found")
        if leaving:
            platform.cluster.kubectl("delete", "pod", "-n", NAMESPACE, *leaving, *force)
    platform.cluster.wait(
        "the name to lead to the new fleet",
        lambda: (
            len(ready_addresses(platform)) == 2
            and ready_addresses(platform) == sorted(platform.cluster.addresses(host))
        ),
        timeout=120,
    )
    assert platform.call(platform.services["greeter"].target)["codes"] == {"OK": 100}


def test_a_tls_service_answers_on_the_tls_port_only(platform: Platform, tmp_path: Path) -> None:
    """The greeter's pods stand behind a second bundle, which names a certificate."""
    ca = f"--ca={provide_certificate(platform.cluster, 'secure-tls', 'secure.grpc.test')}"
    spec = {"tls_secret": "secure-tls", "selector": {"app.kubernetes.io/name": "greeter"}}
    program = changed_program(tmp_path, "local", services={"secure": spec})
    graph = preview("local", tmp_path / "preview", program)
    platform.bring_to(graph)
    contract = graph.only("grpc-platform:index:GrpcService", "secure.local").outputs[
        "client_contract"
    ]
    target = contract["target_uri"].removeprefix("dns:///")
    assert contract["tls"]
    platform.cluster.wait(
        "the TLS host to be served",
        lambda: (
            platform.served_by_each(target, ca)
            and "OK" in platform.call(target, ca, "--calls=1")["codes"]
        ),
    )
    assert platform.call(target, ca, "--calls=20")["codes"] == {"OK": 20}
    plain_port = platform.services["greeter"].target.rpartition(":")[2]
    refused = platform.call(f"secure.grpc.test:{plain_port}", "--calls=2")
    assert refused["codes"] == {"UNIMPLEMENTED": 2}, "the plain port knows no such host"
    assert platform.call(target, "--calls=2")["codes"] == {"UNAVAILABLE": 2}, "h2c to a TLS port"


def contours(platform: Platform) -> list[dict[str, Any]]:
    selector = ("-n", NAMESPACE, "-l", "app.kubernetes.io/name=contour")
    pods = platform.cluster.get("pods", *selector)["items"]
    return [pod for pod in pods if pod["status"]["phase"] == "Running"]


def test_the_record_that_release_0_1_owned_is_taken_over(platform: Platform) -> None:
    """external-dns leaves a record of any other owner as it is, without an error."""
    name = "local.grpc.test"
    before = sorted(platform.cluster.addresses(name))
    former = (
        "heritage=external-dns,external-dns/owner=grpc-platform/local/local,"
        "external-dns/resource=service/projectcontour/envoy"
    )
    with losses.without_external_dns(platform.cluster):
        deploy.write_records(
            platform.cluster,
            ["grpc.test"],
            [
                record(name, "A", "192.0.2.1"),
                record(ownership_record(name), "TXT", f'"{former}"'),
            ],
        )
        platform.cluster.wait(
            "the record to be a former fleet's",
            lambda: platform.cluster.addresses(name) == ["192.0.2.1"],
        )
    platform.cluster.wait(
        "the name to lead to the fleet again",
        lambda: sorted(platform.cluster.addresses(name)) == before,
        timeout=120,
    )


def record(name: str, kind: str, value: str) -> dict[str, Any]:
    return {"Name": name, "Type": kind, "TTL": 30, "ResourceRecords": [{"Value": value}]}


def squeezed(text: str) -> str:
    return "".join(text.split())


def ready_addresses(platform: Platform) -> list[str]:
    return sorted(pod["status"]["podIP"] for pod in platform.envoys() if pods.ready(pod))


def external_dns_syncs(platform: Platform) -> int:
    """How often external-dns has compared Route53 with the cluster."""
    pod = platform.cluster.get("pods", "-n", "external-dns")["items"][0]
    log = platform.cluster.pod_log("external-dns", pod["metadata"]["name"], "external-dns")
    assert log is not None
    return log.read_text().count("All records are already up to date")


def test_the_sample_apps_are_the_graphs_services(platform: Platform) -> None:
    assert set(platform.services) == set(apps.SERVERS)
