"""Follows a name to its addresses, as a resolver does, and keeps what it met on the way."""

import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.resolver

from grpc_platform_tools.call.clock import ms_since, now
from grpc_platform_tools.call.steps import Kind, Lookup, Record
from grpc_platform_tools.errors import UserError

_MOST_ALIASES = 8


def look_up(host: str, resolver: tuple[str, int] | None, timeout: float) -> Lookup:
    """The addresses of `host`, asked of `resolver` or of the name servers that this machine uses.

    Raises UserError if there is no name server to ask, or `host` cannot be a name.
    """
    started = now()
    if is_address(host):
        return Lookup(outcome="given", addresses=(host,))
    # gRPC asks the C library, which also reads /etc/hosts and appends search domains. DNS alone
    # tells more, so a name with a dot goes there first.
    found = None if resolver or "." in host else _by_this_machine(host)
    if found is None:
        servers = [resolver] if resolver else _own_servers()
        found = _ask_in_turn(_name(host), servers, timeout)
        if found.outcome in ("unknown", "empty") and not resolver:
            found = _by_this_machine(host) or found
    return replace(found, ms=ms_since(started))


def is_address(host: str) -> bool:
    """Whether it is an IPv4 address."""
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return True


def _name(host: str) -> dns.name.Name:
    try:
        return dns.name.from_text(host)
    except dns.exception.DNSException as error:
        raise UserError(f"{host} is no DNS name: {error}") from error


def _own_servers() -> list[tuple[str, int]]:
    try:
        own = dns.resolver.Resolver()
    except dns.resolver.NoResolverConfiguration as error:
        raise UserError("this machine has no name server; give --resolver ADDRESS") from error
    return [(str(server), own.port) for server in own.nameservers]


def _by_this_machine(host: str) -> Lookup | None:
    try:
        infos = socket.getaddrinfo(host, None, socket.AF_INET, socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # no such name; none that can be one
        return None
    addresses = tuple(dict.fromkeys(str(info[4][0]) for info in infos))
    return Lookup(outcome="found", addresses=addresses)


def _ask_in_turn(name: dns.name.Name, servers: Sequence[tuple[str, int]], timeout: float) -> Lookup:
    for address, port in servers:
        try:
            return _follow(name, address, port, timeout / len(servers))
        except (dns.exception.DNSException, OSError):
            continue  # silent, or what it says is no DNS: the next
    return Lookup(outcome="silent", server=", ".join(f"{a}:{p}" for a, p in servers))


def _follow(name: dns.name.Name, address: str, port: int, timeout: float) -> Lookup:
    """Follow the aliases from `name`. A resolver answers with all of them; a name server only with
    those of its zones, and is asked again for the last."""
    until = now() + timeout
    server = f"{address}:{port}"
    records: list[Record] = []
    while True:
        query = dns.message.make_query(name, dns.rdatatype.A)
        left = max(until - now(), 0.0)
        reply, _ = dns.query.udp_with_fallback(query, address, left, port)
        before = name
        while len(records) <= _MOST_ALIASES and (alias := _found(reply, name, "CNAME")):
            target: dns.name.Name = alias[0].target
            records.append(_record(name, "CNAME", target.to_text(omit_final_dot=True), alias.ttl))
            name = target
        if hosts := _found(reply, name, "A"):
            addresses = tuple(sorted(map(str, hosts), key=ipaddress.IPv4Address))
            records += [_record(name, "A", one, hosts.ttl) for one in addresses]
            return Lookup(
                outcome="found", server=server, records=tuple(records), addresses=addresses
            )
        if name == before or len(records) > _MOST_ALIASES:
            return _without_addresses(reply, server, tuple(records))


def _without_addresses(
    reply: dns.message.Message, server: str, records: tuple[Record, ...]
) -> Lookup:
    code = reply.rcode()
    if code not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        outcome = "failed"
    elif records:
        outcome = "dangling"
    else:
        outcome = "unknown" if code == dns.rcode.NXDOMAIN else "empty"
    # How long a "no" may be remembered: RFC 2308, section 5.
    authority: list[Any] = reply.authority
    kept = [min(one.ttl, one[0].minimum) for one in authority if one.rdtype == dns.rdatatype.SOA]
    return Lookup(
        outcome=outcome,
        server=server,
        code=dns.rcode.to_text(code),
        records=records,
        cached_seconds=kept[0] if kept else None,
    )


def _found(reply: dns.message.Message, name: dns.name.Name, kind: Kind) -> Any:
    """The name's records of one type in the answer, or None; their content is not typed."""
    wanted = dns.rdatatype.from_text(kind)
    return reply.get_rrset(dns.message.ANSWER, name, dns.rdataclass.IN, wanted)


def _record(name: dns.name.Name, kind: Kind, value: str, ttl: int) -> Record:
    return Record(name=name.to_text(omit_final_dot=True), type=kind, value=value, ttl=ttl)
