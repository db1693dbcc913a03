"""The hosted zone that contains every name."""

from typing import Annotated

from pydantic import Field

from ..timing import DnsTiming
from .base import DnsName, Duration, Label, RoleName, Spec


class ZoneTeamSpec(Spec):
    """A role that may write the CNAMEs of some names."""

    role: RoleName
    """IAM role by name (with its path, if it has one). It gets an inline policy, which roles of IAM
    Identity Center do not take."""
    hosts: Annotated[tuple[DnsName, ...], Field(min_length=1)]
    """Full names of the team's own services."""


class ZoneSpec(Spec):
    """A Route53 zone, private unless `public`, new or existing."""

    name: DnsName
    """The zone's domain; every service's host is directly in it or below."""
    zone_id: Annotated[str, Field(pattern=r"^Z[A-Z0-9]+$")] | None = None
    """Use this existing zone; its SOA, and so its negative caching, stays as it is. If unset, the
    stack makes a new zone, which is deleted with every record in it, those of other stacks
    included."""
    public: bool = False
    """Publish the names to the internet. The addresses stay private: clients need a route."""
    acknowledge_public_addresses: bool = False
    """Required with `public`: anyone may then read the private addresses of Envoy's pods."""
    record_ttl: Duration = DnsTiming.record_ttl
    """TTL of Envoy's A records and of the services' CNAMEs. Every drain waits at least this
    long."""
    propagation_delay: Duration = DnsTiming.propagation_delay
    """From a change of a record until every name server answers with it. The default is Route53's;
    change it for another DNS service. Every drain waits at least this long."""
    min_resolution_interval: Duration = DnsTiming.min_resolution_interval
    """The minimum interval between a client's look-ups of a name. The default is gRPC's; raise it
    if clients cache names longer (Java: `networkaddress.cache.ttl`). Every drain waits at least
    this long."""
    teams: dict[Label, ZoneTeamSpec] = {}
    """Roles of the stacks that put their own services on this platform, by team."""

    @property
    def timing(self) -> DnsTiming:
        """The times of the zone's names."""
        return DnsTiming(
            record_ttl=self.record_ttl,
            propagation_delay=self.propagation_delay,
            min_resolution_interval=self.min_resolution_interval,
        )
