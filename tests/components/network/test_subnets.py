import ipaddress
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grpc_platform.network.subnets import MAX_ZONES, zone_subnets


@st.composite
def vpc_blocks(draw: st.DrawFn) -> str:
    prefix = draw(st.integers(16, 20))
    address = draw(st.integers(0, 2**32 - 1)) >> (32 - prefix) << (32 - prefix)
    return str(ipaddress.IPv4Network((address, prefix)))


def blocks(cidr: str, zones: int) -> list[ipaddress.IPv4Network]:
    layout = zone_subnets(cidr, zones)
    return [ipaddress.IPv4Network(b) for zone in layout for b in (zone.public, zone.private)]


@given(vpc_blocks())
def test_no_two_subnets_share_an_address(cidr: str) -> None:
    assert not any(a.overlaps(b) for a, b in combinations(blocks(cidr, MAX_ZONES), 2))


@given(vpc_blocks())
def test_every_subnet_lies_inside_the_vpc(cidr: str) -> None:
    vpc = ipaddress.IPv4Network(cidr)
    assert all(block.subnet_of(vpc) for block in blocks(cidr, MAX_ZONES))


@given(vpc_blocks(), st.integers(1, MAX_ZONES - 1))
def test_appending_a_zone_moves_no_other(cidr: str, zones: int) -> None:
    assert zone_subnets(cidr, zones + 1)[:zones] == zone_subnets(cidr, zones)


@given(vpc_blocks())
def test_aws_accepts_every_subnet_and_pods_get_most_addresses(cidr: str) -> None:
    vpc = ipaddress.IPv4Network(cidr)
    layout = zone_subnets(cidr, MAX_ZONES)
    private = [ipaddress.IPv4Network(zone.private) for zone in layout]
    # https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html
    assert all(16 <= block.prefixlen <= 28 for block in blocks(cidr, MAX_ZONES))
    assert sum(block.num_addresses for block in private) * 4 == vpc.num_addresses * 3


def test_the_layout_of_deployed_networks_stays_as_it_is() -> None:
    """Another layout would replace the subnets of every deployed VPC, nodes included."""
    layout = zone_subnets("10.20.0.0/16", 3)
    assert [(zone.private, zone.public) for zone in layout] == [
        ("10.20.0.0/19", "10.20.224.0/22"),
        ("10.20.32.0/19", "10.20.228.0/22"),
        ("10.20.64.0/19", "10.20.232.0/22"),
    ]


@pytest.mark.parametrize("cidr", ["10.0.0.0/15", "10.0.0.0/21", "10.0.0.0/28"])
def test_a_block_without_room_for_the_layout_is_refused(cidr: str) -> None:
    with pytest.raises(ValueError, match=f"'{cidr}' must be a /16 to a /20"):
        zone_subnets(cidr, 2)


def test_more_zones_than_the_layout_has_room_for_are_refused() -> None:
    with pytest.raises(ValueError, match="7 zones are too many: the VPC has room for 6"):
        zone_subnets("10.0.0.0/16", 7)
