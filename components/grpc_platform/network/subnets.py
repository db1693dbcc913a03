"""The address blocks that each zone gets in a VPC: arithmetic only.

A VPC is cut into eighths. The first six are private subnets, one per zone, large because every pod
takes an address. The last is cut into eighths again: each zone gets one as its public subnet, which
only holds a NAT gateway. The seventh stays free for other uses. A zone's blocks depend only on its
position in the list, so that appending a zone moves no other.
"""

import ipaddress
from dataclasses import dataclass

MAX_ZONES = 6
"""No AWS region has more availability zones."""

LARGEST_BLOCK, SMALLEST_BLOCK = 16, 20
"""Prefix lengths. AWS allows no VPC larger than /16:
https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html. In a /20 a zone has 507
addresses for nodes, pods and endpoints; below that an Envoy fleet's surge would use them up."""


@dataclass(frozen=True, kw_only=True)
class ZoneSubnets:
    """The address blocks of one zone."""

    public: str
    private: str


def check_vpc_block(cidr: str) -> str:
    """Return `cidr` if the layout fits into it; otherwise ValueError names the valid sizes."""
    if not LARGEST_BLOCK <= ipaddress.IPv4Network(cidr).prefixlen <= SMALLEST_BLOCK:
        raise ValueError(f"{cidr!r} must be a /{LARGEST_BLOCK} to a /{SMALLEST_BLOCK}")
    return cidr


def zone_subnets(cidr: str, zones: int) -> tuple[ZoneSubnets, ...]:
    """The blocks of the first `zones` zones of a VPC with address block `cidr`.

    Raises ValueError for a block outside /16 to /20 and for more than MAX_ZONES zones.
    """
    check_vpc_block(cidr)
    if zones > MAX_ZONES:
        raise ValueError(f"{zones} zones are too many: the VPC has room for {MAX_ZONES}")
    eighths = list(ipaddress.IPv4Network(cidr).subnets(prefixlen_diff=3))
    public = list(eighths[-1].subnets(prefixlen_diff=3))
    return tuple(
        ZoneSubnets(public=str(public[zone]), private=str(eighths[zone])) for zone in range(zones)
    )
