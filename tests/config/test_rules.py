"""Every refusal by its exact line, and the committed stack files by the same check."""

import copy
from typing import Any

import pytest

from config.check import check, warnings
from config.mistakes import ConfigError

NEW_CLUSTER = {
    "access": {"deployer_role": "deployer"},
    "public_access_cidrs": ["203.0.113.0/24"],
    "node_groups": {"default": {"instance_types": ["m7g.4xlarge"], "size": 6}},
}
EXISTING = {"existing": {"context": "there", "kubeconfig": "file", "eks_cluster_name": "there"}}
SUBNETS = ["subnet-0a", "subnet-0b"]
LONG_ZONE = ".".join(["z" * 54] * 4)  # 219 characters
GOOD: dict[str, Any] = {
    "environment": "production",
    "network": {"zones": ["eu-west-1a", "eu-west-1b"]},
    "zone": {"name": "grpc.example.com"},
    "clusters": {"serving": NEW_CLUSTER},
    "services": {"greeter": {}},
    "callers": {"office": {"cidr": "10.90.0.0/16"}},
}


def changed(changes: dict[str, Any]) -> dict[str, Any]:
    """GOOD with dotted paths set, or removed where the value is None."""
    raw = copy.deepcopy(GOOD)
    for path, value in changes.items():
        *parents, last = path.split(".")
        holder = raw
        for part in parents:
            holder = holder.setdefault(part, {})
        if value is None:
            holder.pop(last)
        else:
            holder[last] = value
    return raw


def refusals(changes: dict[str, Any], **surroundings: Any) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        check(changed(changes), **surroundings)
    return refused.value.problems


def test_the_file_every_case_here_changes_is_right() -> None:
    assert check(GOOD).host_of("greeter") == "greeter.grpc.example.com"


CASES: list[tuple[dict[str, Any], str]] = [
    # Values that must agree.
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
    ({"envoy.https_port": 8080}, "envoy.https_port = 8080: must differ from http_port"),
    (
        {"envoy.version": "1.38.3"},
        "envoy.version = 1.38.3: Contour 1.33.8 was released with Envoy 1.38.9",
    ),
    (
        {"clusters.serving.kubernetes_version": "1.36"},
        "clusters.serving.kubernetes_version = 1.36: must be '1.32', '1.33', '1.34' or '1.35'",
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
    # Shapes.
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
    # Names.
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
        {"zone.name": LONG_ZONE, "clusters.serving": None, "clusters." + "s" * 20: NEW_CLUSTER},
        f"clusters.{'s' * 20}: external-dns's name for it has 256 characters, but DNS allows 253; "
        "shorten it or zone.name",
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
    # More than one cluster.
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
        {
            "clusters.there": EXISTING,
            "clusters.twin": {
                "existing": {"context": "t", "kubeconfig": "f", "eks_cluster_name": "there"}
            },
            "services.greeter.cluster": "there",
        },
        "clusters.twin.existing.eks_cluster_name = there: is cluster there too; one cluster "
        "cannot have two names",
    ),
    (
        {
            "clusters.twin": {
                "existing": {"context": "t", "kubeconfig": "f", "eks_cluster_name": "serving"}
            },
            "services.greeter.cluster": "serving",
        },
        "clusters.twin.existing.eks_cluster_name = serving: is cluster serving too; one cluster "
        "cannot have two names",
    ),
    (
        {
            "clusters.second": NEW_CLUSTER,
            "services.greeter.cluster": "serving",
            "callers.shop": {"cluster": "serving", "namespaces": ["shop"]},
        },
        "callers.shop.namespaces = ['shop']: namespaces of serving cannot be distinguished from "
        "second; remove it",
    ),
    (
        {
            "clusters.there": EXISTING,
            "services.greeter.cluster": "serving",
            "callers.batch": {"cluster": "there"},
        },
        "callers.batch.cluster = there: has an unknown security group or unknown pod addresses, "
        "as existing clusters do; give cidr, with or without security_group_id",
    ),
    # Peered networks.
    (
        {"callers.gateway": {"cidr": "10.0.128.0/20", "vpc_id": "vpc-0a"}},
        "callers.gateway.cidr = 10.0.128.0/20: overlaps network.cidr (10.0.0.0/16), and vpc-0a is "
        "another VPC: they cannot be peered",
    ),
    (
        {
            "callers.a": {"cidr": "10.30.0.0/16", "vpc_id": "vpc-0a"},
            "callers.b": {"cidr": "10.30.4.0/24", "vpc_id": "vpc-0b", "account_id": "210987654321"},
        },
        "callers.b.cidr = 10.30.4.0/24: overlaps callers.a.cidr (10.30.0.0/16), and vpc-0b is "
        "another VPC: they cannot be peered",
    ),
    (
        {
            "callers.a": {"cidr": "10.30.0.0/24", "vpc_id": "vpc-0a"},
            "callers.b": {"cidr": "10.30.4.0/24", "vpc_id": "vpc-0a", "account_id": "210987654321"},
        },
        "callers.b.account_id = 210987654321: differs from that of callers.a, which has the same "
        "vpc_id",
    ),
    (
        {"callers.office.account_id": "210987654321"},
        "callers.office.account_id = 210987654321: applies with vpc_id or security_group_id only; "
        "remove it",
    ),
    (
        {"callers.batch": {"cluster": "serving", "account_id": "210987654321"}},
        "callers.batch.account_id = 210987654321: cannot be combined with cluster; make it a "
        "separate caller",
    ),
    (
        {"callers.office": {"cidr": "10.90.0.0/16", "vpc_id": "vpc-0a", "account_id": "12"}},
        "callers.office.account_id = 12: must match ^\\d{12}$",
    ),
    # Network, clusters, callers.
    ({"network": None}, "network: is required by the new cluster serving"),
    (
        {"network.zones": ["eu-west-1a"]},
        "network.zones = ['eu-west-1a']: EKS needs at least 2 availability zones",
    ),
    (
        {"network.zones": ["eu-west-1a", "eu-west-1a"]},
        "network.zones = ['eu-west-1a', 'eu-west-1a']: eu-west-1a is listed twice; list it once",
    ),
    (
        {
            "network": {
                "nat": "none",
                "existing": {"vpc_id": "vpc-1", "private_subnet_ids": SUBNETS},
            }
        },
        "network.nat = none: does not apply to an existing VPC; remove it",
    ),
    (
        {"clusters.serving.serves": False, "services": {}},
        "clusters: no cluster serves; leave serves: true on one",
    ),
    (
        {"clusters.serving.access": None},
        "clusters.serving.access: is required: deployer_role names the role that runs pulumi up",
    ),
    (
        {"clusters.serving.node_groups": None},
        "clusters.serving.node_groups: is required, or auto_mode: true",
    ),
    (
        {"clusters.serving.auto_mode": True},
        "clusters.serving.node_groups = ['default']: cannot be combined with auto_mode, which "
        "runs the "
        "nodes; remove one",
    ),
    (
        {"clusters.serving.public_access_cidrs": []},
        "clusters.serving.public_access_cidrs = []: leaves only a private endpoint in a new VPC, "
        "which pulumi up cannot reach; list CIDRs here, or those of a runner or VPN in "
        "private_access_cidrs",
    ),
    (
        {"clusters.there": {**EXISTING, "serves": False, "zonal_shift": True}},
        "clusters.there.zonal_shift: does not apply to an existing cluster; remove it",
    ),
    (
        {"clusters.there": {"existing": {"context": "c", "kubeconfig": "f"}, "serves": False}}
        | {"clusters.twin": {"existing": {"context": "c", "kubeconfig": "f"}, "serves": False}},
        "clusters.twin.existing.context = c: is cluster there too; one cluster cannot have two "
        "names",
    ),
    (
        {"clusters": {"there": {"existing": {"context": "c", "kubeconfig": "f"}}}},
        "clusters.there.existing.eks_cluster_name: is required, or external_dns.credentials_secret "
        "outside EKS: external-dns needs credentials for Route53",
    ),
    (
        {"callers.batch": {"cluster": "elsewhere"}},
        "callers.batch.cluster = elsewhere: is not a cluster of this stack: serving",
    ),
    (
        {"callers.batch": {"security_group_id": "sg-1"}},
        "callers.batch.cidr: is required, or cluster: NetworkPolicy knows outside callers by "
        "address only",
    ),
    (
        {"callers.batch": {"cluster": "serving", "cidr": "10.0.0.0/8"}},
        "callers.batch.cidr = 10.0.0.0/8: cannot be combined with cluster; make it a separate "
        "caller",
    ),
    (
        {"callers.batch": {"cidr": "10.0.0.0/8", "namespaces": ["a"]}},
        "callers.batch.namespaces = ['a']: applies with cluster only; remove it",
    ),
    (
        {"clusters.there": {**EXISTING, "serves": False}, "callers.batch": {"cluster": "there"}},
        "callers.batch.cluster = there: has an unknown security group or unknown pod addresses, "
        "as existing clusters do; give cidr, with or without security_group_id",
    ),
    (
        {"callers.twin": {"cidr": "10.90.0.0/16"}},
        "callers.twin: is the same source as office",
    ),
    (
        {"clusters.serving.private_access_cidrs": ["10.90.0.0/16"], "envoy.https_port": 443},
        "clusters.serving.private_access_cidrs.0 = 10.90.0.0/16: has port 443 already opened by "
        "callers.office; remove it here",
    ),
    (
        {
            "network": {"existing": {"vpc_id": "vpc-0a", "private_subnet_ids": SUBNETS}},
            "callers.office.vpc_id": "vpc-0a",
        },
        "callers.office.vpc_id = vpc-0a: is this stack's own VPC; remove it",
    ),
    (
        {
            "zone": {"name": "a.example", "public": True, "acknowledge_public_addresses": True},
            "callers.office.vpc_id": "vpc-0a",
        },
        "callers.office.vpc_id = vpc-0a: is for a private zone; a public one resolves everywhere",
    ),
    (
        {"envoy.max_replicas": 41},
        "clusters.serving.node_groups = ['default']: hold 90 Envoys, but a rollout of "
        "envoy.max_replicas (41) may run 93 at once, draining ones included; add more or larger "
        "nodes, lower envoy.max_replicas, or use auto_mode",
    ),
    (
        {"envoy.max_deadline": "10s"},
        "services.greeter.deadline = 15s: exceeds envoy.max_deadline (10s), which Envoy's drain "
        "waits for; shorten it, or raise max_deadline in the platform's stack",
    ),
    # Each once.
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
    # Clusters.
    (
        {
            "clusters.calling": {
                **NEW_CLUSTER,
                "serves": False,
                "node_groups": {"batch": {"taints": [{"key": "batch"}]}},
            }
        },
        "clusters.calling.node_groups = ['batch']: are all tainted, so CoreDNS and metrics-server "
        "find no node and EKS gives up after 20 minutes; add a group without taints",
    ),
    (
        {"clusters.serving.node_groups.old": {"release_version": "1.34.2-20260210"}},
        "clusters.serving.node_groups.old.release_version = 1.34.2-20260210: is not a release for "
        "Kubernetes 1.35 (kubernetes_version)",
    ),
    # Single values.
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


def test_networks_that_are_not_peered_may_lie_within_each_other() -> None:
    check(
        changed(
            {
                "callers.everybody": {"cidr": "10.0.0.0/8"},
                "callers.beside": {"cidr": "10.0.64.0/20", "security_group_id": "sg-1"},
                "callers.a": {"cidr": "10.30.0.0/16", "vpc_id": "vpc-0a"},
                "callers.b": {"cidr": "10.31.0.0/16", "vpc_id": "vpc-0b"},
                "callers.within": {
                    "cidr": "10.30.4.0/24", "vpc_id": "vpc-0a", "security_group_id": "sg-2"
                },
            }
        )
    )  # fmt: skip


def test_callers_and_operators_of_one_block_differ_in_their_port() -> None:
    check(changed({"clusters.serving.private_access_cidrs": ["10.90.0.0/16"]}))


def test_a_security_group_may_have_callers_in_two_blocks() -> None:
    group = {"security_group_id": "sg-1"}
    check(
        changed(
            {
                "callers.a": {**group, "cidr": "10.30.0.0/16"},
                "callers.b": {**group, "cidr": "10.31.0.0/16"},
            }
        )
    )


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


def test_a_zone_of_another_region_is_refused() -> None:
    assert refusals({}, region="eu-central-1") == [
        "network.zones.0 = eu-west-1a: is not in aws:region (eu-central-1)",
        "network.zones.1 = eu-west-1b: is not in aws:region (eu-central-1)",
    ]


def test_zones_lie_in_one_whole_region() -> None:
    assert refusals({}, region="eu-west")[0] == (
        "network.zones.0 = eu-west-1a: is not in aws:region (eu-west)"
    )
    assert refusals({"network.zones": ["eu-west-1a", "eu-west-2b"]}) == [
        "network.zones.1 = eu-west-2b: is not in one region with eu-west-1a"
    ]


def test_an_existing_cluster_needs_a_kubeconfig_and_an_encrypted_one_needs_a_cluster() -> None:
    existing = {"existing": {"context": "c", "eks_cluster_name": "c"}, "serves": False}
    assert refusals({"clusters.there": existing}, kubeconfigs=["their"]) == [
        "clusters.there.existing.kubeconfig: is required, or pulumi config set --secret "
        "kubeconfig-there < FILE",
        "kubeconfig-their: is not the kubeconfig of an existing cluster here",
    ]
    check(changed({"clusters.there": existing}), kubeconfigs=["there"])


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


def test_a_long_termination_is_allowed_and_warned_of() -> None:
    settings = check(changed({"contour.timeouts.max_connection_duration": "10m"}))
    assert warnings(settings) == [
        "a terminating Envoy may take 13m57s: above 10m rollouts and node upgrades are slow"
    ]
    assert warnings(check(GOOD)) == []


def test_a_private_endpoint_that_admits_nobody_is_warned_of() -> None:
    existing = {"existing": {"vpc_id": "vpc-0a", "private_subnet_ids": SUBNETS}}
    private = {"network": existing, "clusters.serving.public_access_cidrs": None}
    assert warnings(check(changed(private))) == [
        "clusters.serving: only its own nodes and pods reach its API; "
        "list the runner of pulumi up in private_access_cidrs"
    ]
    admitted = {**private, "clusters.serving.private_access_cidrs": ["10.40.0.0/24"]}
    assert warnings(check(changed(admitted))) == []


def test_a_fleet_that_nobody_may_dial_is_warned_of() -> None:
    assert warnings(check(changed({"callers": None}))) == [
        "callers is empty: nobody may dial Envoy"
    ]


def test_two_wrong_items_of_one_list_are_both_reported() -> None:
    assert refusals({"network.interface_endpoints": [1, 2]}) == [
        "network.interface_endpoints.0 = 1: must be a string",
        "network.interface_endpoints.1 = 2: must be a string",
    ]


def test_without_nat_the_nodes_need_endpoints_and_images_of_their_own() -> None:
    lines = refusals({"network.nat": "none", "network.interface_endpoints": ["ec2", "sts"]})
    assert lines == [
        "contour.image: is required without NAT: a copy in ECR (network.nat)",
        "envoy.image: is required without NAT: a copy in ECR (network.nat)",
        "external_dns.image: is required without NAT: a copy in ECR (network.nat)",
        "network.interface_endpoints = ['ec2', 'sts']: without NAT the nodes also need ecr.api, "
        "ecr.dkr, eks-auth, route53",
    ]


def test_a_region_of_another_partition_is_refused() -> None:
    existing = {"existing": {"vpc_id": "vpc-0a", "private_subnet_ids": SUBNETS}}
    assert refusals({"network": existing}, region="cn-north-1") == [
        "aws:region = cn-north-1: is in an AWS partition that is not supported: Route53 and "
        "endpoint names differ there; choose a commercial or GovCloud region"
    ]
