"""The rules for a zone and the names in it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from ..conventions import OWNERSHIP_PREFIX
from .mistake import Mistake, Path

MAX_NAME = 253
"""The maximum length of a DNS name, in characters."""


class Team(Protocol):
    """A team in plain values, or with a program's Inputs."""

    @property
    def hosts(self) -> Sequence[object]: ...


class Zone(Protocol):
    """A zone in plain values, or with a program's Inputs."""

    @property
    def name(self) -> object: ...
    @property
    def public(self) -> bool: ...
    @property
    def acknowledge_public_addresses(self) -> bool: ...


class ZoneOfTeams(Protocol):
    """A zone in plain values, new or existing."""

    @property
    def name(self) -> object: ...
    @property
    def teams(self) -> Mapping[str, Team]: ...


def zone_is_answered(spec: Zone, *, has_vpc: bool, path: Path = ()) -> Iterator[Mistake]:
    """Where a zone resolves; an existing one already does."""
    if spec.public and not spec.acknowledge_public_addresses:
        yield Mistake(
            (*path, "public"),
            spec.public,
            "publishes the private addresses of Envoy's pods to anyone; "
            "set acknowledge_public_addresses: true, or leave the zone private",
        )
    if not spec.public and not has_vpc:
        # Route53 would make it public.
        yield Mistake(
            (*path, "name"),
            spec.name,
            "a new private zone needs a VPC; give a network, or an existing zone",
        )


def host_in_zone(host: str, zone_name: str, path: Path) -> Iterator[Mistake]:
    """A host that clients dial."""
    if len(host) > MAX_NAME:
        yield Mistake(path, host, f"has {len(host)} characters; DNS allows {MAX_NAME}")
    if not host.endswith(f".{zone_name}"):
        yield Mistake(path, host, f"must be in the zone: <name>.{zone_name}")


def envoy_name(dns_name: str, path: Path) -> Iterator[Mistake]:
    """The DNS name with the addresses of a cluster's Envoys."""
    length = len(OWNERSHIP_PREFIX + dns_name)
    if length > MAX_NAME:
        yield Mistake(
            path,
            None,
            f"external-dns's name for it has {length} characters, but DNS allows {MAX_NAME}; "
            "shorten it or zone.name",
        )


def names_have_one_owner(
    spec: ZoneOfTeams, owners: Mapping[str, str], path: Path = ()
) -> Iterator[Mistake]:
    """The hosts of the zone's teams; `owners` has the other owners of names, by name."""
    known = dict(owners)
    for name, team in spec.teams.items():
        for index, host in enumerate(team.hosts):
            if not isinstance(host, str) or not isinstance(spec.name, str):
                continue  # not known yet
            where = (*path, "teams", name, "hosts", index)
            outside = list(host_in_zone(host, spec.name, where))
            yield from outside
            if not outside and host in known:
                yield Mistake(where, host, f"is the name of {known[host]}; a name has one owner")
            known.setdefault(host, f"team {name}")
