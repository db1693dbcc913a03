"""What must hold of zone, Contour, Envoy, services and namespaces."""

from typing import Any

import pytest

from config.check import check, warnings
from tests.config.stack import EXISTING, GOOD, LONG_ZONE, NEW_CLUSTER, TODAY, changed, refusals

CASES: list[tuple[dict[str, Any], str]] = [
    (
        {"contour.timeouts.max_connection_duration": "13m"},
        "contour.timeouts.max_connection_duration = 13m: lets Envoy take 16m57s to terminate; a "
        "node drain allows 15m; shorten it, zone.record_ttl or envoy.max_deadline",
    ),
    (
        {"contour.timeouts.max_connection_duration": "20s", "zone.record_ttl": "10s"},
        "contour.timeouts.max_connection_duration = 20s: clients look names up at most every 30s; "
        "a shorter duration only redials the same Envoy",
    ),
    (
        {"zone.record_ttl": "5m"},
        "zone.record_ttl = 5m: must be shorter than contour.timeouts.max_connection_duration (5m), "
        "or clients reconnect to addresses they still have",
    ),
    ({"envoy.min_replicas": 1}, "envoy.min_replicas = 1: production needs at least 2"),
    ({"contour.replicas": 1}, "contour.replicas = 1: production needs at least 2"),
    (
        {"envoy.max_replicas": 3, "envoy.min_replicas": 4},
        "envoy.min_replicas = 4: must not exceed max_replicas (3)",
    ),
    (
        {"envoy.cpu": "1500m"},
        "envoy.cpu = 1500m: must be whole cores, or give concurrency",
    ),
    ({"envoy.http_port": 8002}, "envoy.http_port = 8002: is taken by metrics and readiness"),
    ({"envoy.https_port": 8090}, "envoy.https_port = 8090: is taken by the shutdown manager"),
    ({"envoy.https_port": 9001}, "envoy.https_port = 9001: is taken by Envoy's own administration"),
    ({"envoy.https_port": 8080}, "envoy.https_port = 8080: must differ from http_port"),
    (
        {"envoy.version": "1.38.3"},
        "envoy.version = 1.38.3: Contour 1.33.8 was released with Envoy 1.38.9",
    ),
    (
        {"zone.public": True},
        "zone.public = True: publishes the private addresses of Envoy's pods to anyone; set "
        "acknowledge_public_addresses: true, or leave the zone private",
    ),
    (
        {"services.events": {"streaming": True, "deadline": "15s"}},
        "services.events.deadline = 15s: ends every stream; a streaming service needs infinity",
    ),
    (
        {"services.reports": {"try_timeout": "2s"}},
        "services.reports.try_timeout = 2s: runs calls again; say idempotent: true if each may run "
        "twice",
    ),
    (
        {"services.reports": {"deadline": "2m"}},
        "services.reports.deadline = 2m: exceeds envoy.max_deadline (1m), which Envoy's drain "
        "waits for; shorten it, or raise max_deadline in the platform's stack",
    ),
    (
        {"services.greeter.deadline": "0.0001s"},
        "services.greeter.deadline = 0.0001s: a duration must be at least a millisecond",
    ),
    (
        {"zone.min_resolution_interval": "6m"},
        "contour.timeouts.max_connection_duration = 5m: clients look names up at most every 6m; a "
        "shorter duration only redials the same Envoy",
    ),
    (
        {"contour.timeouts.stream_idle_timeout": "9" * 400 + "h"},
        f"contour.timeouts.stream_idle_timeout = {'9' * 59}…: is longer than a year",
    ),
    (
        {"services.3d": {}},
        "services.3d = {}: must begin with a letter, as a Kubernetes Service does",
    ),
    (
        {"services.greeter.tls_secret": "My TLS"},
        "services.greeter.tls_secret = My TLS: is not the name of a Kubernetes object",
    ),
    (
        {"services.greeter.selector": {"app name": "greeter"}},
        "services.greeter.selector.app name = greeter: is not the key of a Kubernetes label",
    ),
    (
        {"services.greeter.selector": {"app": "the greeter"}},
        "services.greeter.selector.app = the greeter: is not the value of a Kubernetes label",
    ),
    (
        {"services.greeter.namespace": "projectcontour"},
        "services.greeter.namespace = projectcontour: is the platform's own; choose another",
    ),
    (
        {"zone.name": LONG_ZONE, "services": {"g" * 40: {}}},
        f"services.{'g' * 40}.host = {'g' * 40}.{'z' * 18}…: has 260 characters; DNS allows 253",
    ),
    (
        {"namespaces.kube-system": {}},
        "namespaces.kube-system: already exists in every cluster; remove it",
    ),
    ({"namespaces.default": {}}, "namespaces.default: already exists in every cluster; remove it"),
    (
        {"namespaces.projectcontour": {}},
        "namespaces.projectcontour: is made by the platform itself; remove it",
    ),
    (
        {"namespaces.shop.clusters": ["serving", "calling"]},
        "namespaces.shop.clusters.1 = calling: must be a serving cluster: serving",
    ),
    (
        {"services.greeter": {"namespace": "shop", "create_namespace": True}},
        "services.greeter.create_namespace = True: is no longer a key; remove it, and list the "
        "namespace in a section of its own: `grpc-platform:namespaces: {<namespace>: {}}`",
    ),
    (
        {"services.greeter.host": "greeter.example.org"},
        "services.greeter.host = greeter.example.org: must be in the zone: <name>.grpc.example.com",
    ),
    (
        {"services.greeter.host": "serving.grpc.example.com"},
        "services.greeter.host = serving.grpc.example.com: holds the Envoy addresses of cluster "
        "serving; choose another host",
    ),
    *(
        (
            {"zone.teams": {"shop": {"role": "shop", "hosts": hosts}}},
            f"zone.teams.shop.hosts.{len(hosts) - 1} = {hosts[-1]}: {why}",
        )
        for hosts, why in (
            (["cart.example.org"], "must be in the zone: <name>.grpc.example.com"),
            (
                ["cart.grpc.example.com", "greeter.grpc.example.com"],
                "is the name of service greeter of this stack; a name has one owner",
            ),
            (
                ["serving.grpc.example.com"],
                "is the name of cluster serving; a name has one owner",
            ),
        )
    ),
    (
        {
            "zone.teams": {
                "shop": {"role": "shop", "hosts": ["cart.grpc.example.com"]},
                "till": {"role": "till", "hosts": ["cart.grpc.example.com"]},
            }
        },
        "zone.teams.till.hosts.0 = cart.grpc.example.com: is the name of team shop; a name has one "
        "owner",
    ),
    (
        {"services.greeter.cluster": "elsewhere"},
        "services.greeter.cluster = elsewhere: must be a serving cluster: serving",
    ),
    (
        {"clusters.second": NEW_CLUSTER},
        "services.greeter.cluster: is required: one of serving, second",
    ),
    (
        {"clusters.second": NEW_CLUSTER, "services.greeter.weights": {"serving": 0, "second": 0}},
        "services.greeter.weights = {'serving': 0, 'second': 0}: sum to 0, which Route53 reads as "
        "equal shares; give a serving cluster more",
    ),
    (
        {"services.greeter.weights": {"serving": 100, "elsewhere": 0}},
        "services.greeter.weights.elsewhere = 0: must be a serving cluster: serving",
    ),
    (
        {
            "clusters.second": {**NEW_CLUSTER, "serves": False},
            "services.greeter.weights": {"serving": 50, "second": 50},
        },
        "services.greeter.weights.second = 50: must be a serving cluster: serving",
    ),
    (
        {"services.greeter": {"cluster": "serving", "weights": {"serving": 100}}},
        "services.greeter.weights = {'serving': 100}: cannot be combined with cluster; remove one",
    ),
    (
        {"services.greeter.weights": {}},
        "services.greeter.weights = {}: sum to 0, which Route53 reads as equal shares; give a "
        "serving cluster more",
    ),
    (
        {"services.greeter.weights": {"serving": 256}},
        "services.greeter.weights.serving = 256: must be less than or equal to 255",
    ),
    (
        {"envoy.max_deadline": "10s"},
        "services.greeter.deadline = 15s: exceeds envoy.max_deadline (10s), which Envoy's drain "
        "waits for; shorten it, or raise max_deadline in the platform's stack",
    ),
]


@pytest.mark.parametrize(("changes", "line"), CASES, ids=[line.split(":")[0] for _, line in CASES])
def test_a_mistake_is_refused_by_one_line(changes: dict[str, Any], line: str) -> None:
    assert refusals(changes) == [line]


def test_two_services_of_one_host_are_both_named() -> None:
    host = "one.grpc.example.com"
    assert refusals({"services": {"a": {"host": host}, "b": {"host": host}}}) == [
        f"services.a.host = {host}: is also the host of b",
        f"services.b.host = {host}: is also the host of a",
    ]


def test_one_host_in_two_clusters_needs_weights() -> None:
    host = "one.grpc.example.com"
    services = {"a": {"host": host, "cluster": "serving"}, "b": {"host": host, "cluster": "second"}}
    advice = "for one service in two clusters, set weights"
    assert refusals({"clusters.second": NEW_CLUSTER, "services": services}) == [
        f"services.a.host = {host}: is also the host of b; {advice}",
        f"services.b.host = {host}: is also the host of a; {advice}",
    ]


def test_a_namespace_is_in_every_serving_cluster_or_in_those_it_names() -> None:
    settings = check(
        changed(
            {
                "clusters.second": NEW_CLUSTER,
                "services.greeter.cluster": "serving",
                "namespaces": {"shop": {}, "bank": {"clusters": ["second"]}},
            }
        )
    )
    assert settings.namespaces_of("serving") == ["shop"]
    assert settings.namespaces_of("second") == ["shop", "bank"]


def test_a_private_zone_needs_a_vpc() -> None:
    lines = refusals({"network": None, "clusters": {"there": EXISTING}})
    assert lines == [
        "zone.name = grpc.example.com: a new private zone needs a VPC; give a network, "
        "or an existing zone"
    ]


def test_a_long_termination_is_allowed_and_warned_of() -> None:
    settings = check(changed({"contour.timeouts.max_connection_duration": "10m"}))
    assert warnings(settings, TODAY) == [
        "a terminating Envoy may take 13m57s: above 10m rollouts and node upgrades are slow"
    ]
    assert warnings(check(GOOD), TODAY) == []
