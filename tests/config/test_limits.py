"""Where a rule begins: what is just allowed, and what is just refused."""

from typing import Any

import pytest

from config.check import check
from tests.config.stack import LONG_ZONE, NEW_CLUSTER, changed, refusals

GROUP = {"instance_types": ["m7g.4xlarge"], "size": 6}


@pytest.mark.parametrize(
    "changes",
    [
        {"envoy.min_replicas": 2, "envoy.max_replicas": 2},
        {"envoy.min_replicas": 2, "contour.replicas": 2},
        {"envoy.cpu": "1500m", "envoy.concurrency": 2},
        # An Envoy then takes 15 minutes to terminate, as long as a node drain waits.
        {"contour.timeouts.max_connection_duration": "11m3s"},
        {"zone.min_resolution_interval": "5m"},
        {"zone.record_ttl": "4m59s", "contour.timeouts.max_connection_duration": "5m"},
        {"services.greeter.deadline": "1m"},
        {"services.greeter": {"idempotent": True, "try_timeout": "14s"}},
        {"services.greeter": {"idempotent": True, "try_timeout": "1h", "deadline": "infinity"}},
        {"services.greeter": {"idempotent": True, "try_timeout": "1h", "streaming": True}},
        # Names of 253 characters: the service's, and external-dns's own for the cluster's.
        {"zone.name": LONG_ZONE, "services": {"g" * 33: {}}},
        {
            "zone.name": LONG_ZONE,
            "clusters": {"s" * 17: NEW_CLUSTER},
            "services": {},
        },
        # Pods without a toleration run there, if nowhere else.
        {
            "clusters.serving.node_groups.default": {
                **GROUP,
                "taints": [{"key": "batch", "effect": "PreferNoSchedule"}],
            }
        },
        {
            "clusters.serving.node_groups.more": {
                "ami": "bottlerocket",
                "release_version": "1.50.0-cafe1234",
            }
        },
        {"clusters.serving.node_groups.more": {"release_version": "1.35.2-20260210"}},
        {
            "clusters.serving.public_access_cidrs": None,
            "clusters.serving.private_access_cidrs": ["10.40.0.0/24"],
        },
        {"clusters.serving.node_groups": None, "clusters.serving.auto_mode": True},
        {"network.zones": ["us-gov-west-1a", "us-gov-west-1b"]},
        {"network.interface_endpoints": ["route53"]},
        {
            "clusters": {"there": {"existing": {"context": "c", "kubeconfig": "f"}}},
            "zone": {"name": "grpc.example.com", "zone_id": "Z0123456789"},
            "network": None,
            "external_dns.credentials_secret": "route53",
        },
    ],
    ids=str,
)
def test_what_is_just_allowed(changes: dict[str, Any]) -> None:
    check(changed(changes))


def test_a_try_that_lasts_until_the_deadline_leaves_no_other() -> None:
    for deadline, given in (("15s", {}), ("20s", {"deadline": "20s"})):
        service = {"idempotent": True, "try_timeout": deadline, **given}
        [line] = refusals({"services.greeter": service})
        assert f"try_timeout = {deadline}: leaves no time for another try" in line


@pytest.mark.parametrize(
    "region",
    ["cn-north-1", "eusc-de-east-1", "us-iso-east-1", "us-isob-east-1", "eu-isoe-west-1"],
)
def test_a_partition_where_nothing_was_tried_is_refused_by_region_and_by_zone(region: str) -> None:
    lines = refusals({"network.zones": [f"{region}a", f"{region}b"]}, region=region)
    places = [line.partition(": is in an AWS partition")[0] for line in lines]
    assert places == [
        f"aws:region = {region}",
        f"network.zones.0 = {region}a",
        f"network.zones.1 = {region}b",
    ]


def test_govcloud_cannot_reach_route53_by_an_endpoint() -> None:
    zones = {"network.zones": ["us-gov-west-1a", "us-gov-west-1b"]}
    [line] = refusals(zones | {"network.interface_endpoints": ["route53", "ec2"]})
    assert line.startswith("network.interface_endpoints = ['ec2', 'route53']: route53's API is in")


DISAGREE: list[tuple[dict[str, Any], str, str]] = [
    ({"envoy.min_replicas": 11}, "envoy.max_replicas", "envoy.cpu"),
    ({"envoy.version": "1.38.3"}, "contour.version", "contour.cpu"),
    ({"envoy.max_replicas": 41}, "envoy.memory", "contour.memory"),
    ({"services.reports": {"deadline": "2m"}}, "envoy.max_deadline", "envoy.memory"),
    (
        {"contour.timeouts.max_connection_duration": "20s", "zone.record_ttl": "10s"},
        "zone.min_resolution_interval",
        "zone.propagation_delay",
    ),
    (
        {"zone.record_ttl": "6m"},
        "contour.timeouts.max_connection_duration",
        "contour.timeouts.connect_timeout",
    ),
    (
        {"clusters": {"there": {"existing": {"context": "c", "kubeconfig": "f"}}}},
        "external_dns.credentials_secret",
        "external_dns.image",
    ),
]


@pytest.mark.parametrize(("changes", "other", "beside"), DISAGREE, ids=str)
def test_two_values_disagree_only_once_both_are_right_by_themselves(
    changes: dict[str, Any], other: str, beside: str
) -> None:
    """A rule would blame a value for another's default, which the file does not want. A mistake
    beside that other value hides nothing."""
    [line] = refusals(changes | {other: "wrong value"})
    assert line.startswith(f"{other} = ")
    lines = refusals(changes | {beside: "wrong value"})
    assert len(lines) == 2


def test_contour_and_external_dns_take_room_that_envoy_then_has_not() -> None:
    """Seven Envoys of 1,020m, two Contours and external-dns's 50m beside the add-ons."""
    one_node = {
        "clusters.serving.node_groups.default": {"instance_types": ["m7g.2xlarge"], "size": 1},
        "envoy.max_replicas": 3,
    }
    check(changed(one_node | {"contour.cpu": "80m"}))
    [line] = refusals(one_node | {"contour.cpu": "100m"})
    assert "hold 6 Envoys, but a rollout of envoy.max_replicas (3) may run 7 at once" in line


def test_a_mistake_is_one_line_of_500_characters_at_most_and_shows_60_of_its_value() -> None:
    """A comment on a pull request has room for no more, and a stack file may have any text."""
    [line] = refusals({"envoy.image": "i" * 60})
    assert line.startswith(f"envoy.image = {'i' * 60}: ")
    [line] = refusals({"envoy.image": "i" * 61})
    assert line.startswith(f"envoy.image = {'i' * 59}…: ")
    teams = {f"cluster-{index:05}": NEW_CLUSTER for index in range(40)}
    lines = refusals({"clusters": teams})
    assert max(map(len, lines)) == 500
