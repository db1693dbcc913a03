"""What a value may be, which keys there are, and how mistakes are reported together."""

from typing import Any

import pytest

from config.check import check
from tests.config.stack import GOOD, refusals

CASES: list[tuple[dict[str, Any], str]] = [
    (
        {"envoy.cpu": "1" * 400},
        f"envoy.cpu = {'1' * 59}…: is not a CPU quantity such as 2 or 500m",
    ),
    (
        {"services.greeter.selector": {"a\nb": "c\nd"}},
        "services.greeter.selector.a\\nb = 'c\\nd': is not the key of a Kubernetes label",
    ),
    ({"envoy": ["x"]}, "envoy = ['x']: must be a mapping, {} for the defaults"),
    ({"services": ["greeter"]}, "services = ['greeter']: must be a mapping, {} for the defaults"),
    (
        {"envoy.image": "mirror:5000/envoy"},
        "envoy.image = mirror:5000/envoy: is not a repository with a tag or digest",
    ),
    (
        {"clusters.serving.node_groups.default.size": 1.5},
        "clusters.serving.node_groups.default.size = 1.5: must be an integer, got a number with a "
        "fractional part",
    ),
    ({"envoy.min_replicas": "three"}, "envoy.min_replicas = three: must be an integer"),
    (
        {"network": {"existing": {"vpc_id": "vpc-0a", "private_subnet_ids": ["subnet-0a"]}}},
        "network.existing.private_subnet_ids = ['subnet-0a']: must have at least 2 items",
    ),
    (
        {"zone.name": "a\nb"},
        "zone.name = 'a\\nb': is not a DNS name in lower case such as grpc.example.com",
    ),
    (
        {"tags": {"aws:owner": "me"}},
        "tags.aws:owner = me: is not a tag's key: up to 128 letters, digits, spaces and _.:/=+-@, "
        "not aws:",
    ),
    (
        {"tags": {"owner": "<me>"}},
        "tags.owner = <me>: is not a tag's value: up to 256 letters, digits, spaces and _.:/=+-@",
    ),
    (
        {"clusters.serving.public_access_cidrs": ["10.0.0.0/8", "10.0.0.0/8"]},
        "clusters.serving.public_access_cidrs = ['10.0.0.0/8', '10.0.0.0/8']: "
        "10.0.0.0/8 is listed twice; list it once",
    ),
    (
        {"clusters.serving.private_access_cidrs": ["10.0.0.0/8", "10.0.0.0/8"]},
        "clusters.serving.private_access_cidrs = ['10.0.0.0/8', '10.0.0.0/8']: "
        "10.0.0.0/8 is listed twice; list it once",
    ),
    (
        {"clusters.serving.control_plane_logs": ["api", "api"]},
        "clusters.serving.control_plane_logs = ['api', 'api']: api is listed twice; list it once",
    ),
    (
        {"clusters.serving.node_groups.more": {"instance_types": ["m7g.large", "m7g.large"]}},
        "clusters.serving.node_groups.more.instance_types = ['m7g.large', 'm7g.large']: "
        "m7g.large is listed twice; list it once",
    ),
    (
        {
            "clusters.serving.node_groups.more": {
                "taints": [{"key": "a", "value": "b"}, {"key": "a"}]
            }
        },
        "clusters.serving.node_groups.more.taints = [{'key': 'a', 'value': 'b'}, {'key': 'a'}]: "
        "a:NoSchedule is listed twice; list it once",
    ),
    (
        {
            "clusters.serving.access.teams": {
                "a": {"role": "a", "namespaces": ["default", "default"]}
            }
        },
        "clusters.serving.access.teams.a.namespaces = ['default', 'default']: default is listed "
        "twice; list it once",
    ),
    ({"environment": "staging"}, "environment = staging: must be 'development' or 'production'"),
    ({"zone": {}}, "zone.name: is required"),
    ({"zone.nmae": "x"}, "zone.nmae = x: unknown key; did you mean name?"),
    (
        {"clusters.serving.node_groups.default.sise": 3},
        "clusters.serving.node_groups.default.sise = 3: unknown key; did you mean size?",
    ),
    ({"envoys": {}}, "envoys = {}: unknown key; did you mean envoy?"),
    (
        {"zone.record_ttl": 30},
        "zone.record_ttl = 30: is not a duration such as 15s, 5m, 1h30m or 250ms",
    ),
    (
        {"network.cidr": "10.0.0.1/16"},
        "network.cidr = 10.0.0.1/16: has host bits set; the block is 10.0.0.0/16",
    ),
    (
        {"envoy.memory": "1GB"},
        "envoy.memory = 1GB: is not a memory quantity such as 512Mi or 2Gi",
    ),
    (
        {"services.greeter.port": 70000},
        "services.greeter.port = 70000: must be less than or equal to 65535",
    ),
]


def test_the_file_every_case_here_changes_is_right() -> None:
    assert check(GOOD).host_of("greeter") == "greeter.grpc.example.com"


@pytest.mark.parametrize(("changes", "line"), CASES, ids=[line.split(":")[0] for _, line in CASES])
def test_a_mistake_is_refused_by_one_line(changes: dict[str, Any], line: str) -> None:
    assert refusals(changes) == [line]


def test_ten_mistakes_of_every_kind_are_reported_together() -> None:
    lines = refusals(
        {
            "environment": "prod",
            "network.natt": "none",
            "network.cidr": "10.0.0.0/33",
            "clusters.serving.node_groups.default.size": 0,
            "envoy.cpu": "half",
            "envoy.version": "1.38.3",
            "envoy.http_port": 8002,
            "services.greeter.host": "elsewhere.org",
            "services.events": {"streaming": True, "deadline": "1s"},
            "callers.batch": {"cluster": "elsewhere"},
        }
    )
    assert len(lines) == 10
    assert [line.split(" ")[0].rstrip(":") for line in lines] == [
        "callers.batch.cluster",
        "clusters.serving.node_groups.default.size",
        "environment",
        "envoy.cpu",
        "envoy.http_port",
        "envoy.version",
        "network.cidr",
        "network.natt",
        "services.events.deadline",
        "services.greeter.host",
    ]


def test_a_rule_says_nothing_about_values_that_are_wrong_already() -> None:
    lines = refusals({"contour.timeouts.max_connection_duration": "ever", "zone.record_ttl": "1m"})
    assert [line.split(" ")[0] for line in lines] == ["contour.timeouts.max_connection_duration"]


def test_a_rule_says_nothing_about_values_that_only_disagree_with_a_wrong_one() -> None:
    lines = refusals({"envoy.max_deadline": "90 s", "services.reports": {"deadline": "80s"}})
    assert [line.split(" ")[0] for line in lines] == ["envoy.max_deadline"]


def test_a_rule_says_nothing_about_the_default_of_a_mistyped_key() -> None:
    lines = refusals({"network.zones": None, "network.zoness": ["eu-west-1a", "eu-west-1b"]})
    assert [line.split(" ")[0] for line in lines] == ["network.zoness"]


def test_two_wrong_items_of_one_list_are_both_reported() -> None:
    assert refusals({"network.interface_endpoints": [1, 2]}) == [
        "network.interface_endpoints.0 = 1: must be a string",
        "network.interface_endpoints.1 = 2: must be a string",
    ]
