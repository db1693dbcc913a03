"""What must hold of the network and the callers."""

from typing import Any

import pytest

from config.check import check, warnings
from tests.config.stack import EXISTING, NEW_CLUSTER, SUBNETS, TODAY, changed, refusals

CASES: list[tuple[dict[str, Any], str]] = [
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
        "callers.office.account_id = 12: must match ^[0-9]{12}$",
    ),
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
]


@pytest.mark.parametrize(("changes", "line"), CASES, ids=[line.split(":")[0] for _, line in CASES])
def test_a_mistake_is_refused_by_one_line(changes: dict[str, Any], line: str) -> None:
    assert refusals(changes) == [line]


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


def test_a_zone_of_another_region_is_refused() -> None:
    assert refusals({}, region="eu-central-1") == [
        "network.zones.0 = eu-west-1a: is not in aws:region (eu-central-1)",
        "network.zones.1 = eu-west-1b: is not in aws:region (eu-central-1)",
    ]


def test_zones_lie_in_one_whole_region() -> None:
    assert refusals({}, region="eu-west-2")[0] == (
        "network.zones.0 = eu-west-1a: is not in aws:region (eu-west-2)"
    )
    assert refusals({}, region="eu-west") == [
        "aws:region = eu-west: is not the name of a region such as eu-west-1"
    ]
    assert refusals({"network.zones": ["eu-west-1a", "eu-west-2b"]}) == [
        "network.zones.1 = eu-west-2b: is not in one region with eu-west-1a"
    ]


def test_a_fleet_that_nobody_may_dial_is_warned_of() -> None:
    assert warnings(check(changed({"callers": None})), TODAY) == [
        "callers is empty: nobody may dial Envoy"
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


def test_without_nat_only_the_parts_without_an_image_of_their_own_are_named() -> None:
    for part, others in (("contour", "envoy"), ("envoy", "contour")):
        lines = refusals({"network.nat": "none", f"{part}.image": "registry.example.com/own:v1"})
        named = {line.partition(".image: is required")[0] for line in lines if ".image" in line}
        assert named == {others, "external_dns"}


def test_a_region_of_another_partition_is_refused() -> None:
    existing = {"existing": {"vpc_id": "vpc-0a", "private_subnet_ids": SUBNETS}}
    assert refusals({"network": existing}, region="cn-north-1") == [
        "aws:region = cn-north-1: is in an AWS partition that is not supported: Route53 and "
        "endpoint names differ there; choose a commercial or GovCloud region"
    ]
