"""The name server of the emulated Route53's zones, over UDP and TCP; runs inside the sandbox.

For weighted records of one name it picks one by weight, as Route53 does. CoreDNS's route53 plugin
puts them all into one answer
(https://github.com/coredns/coredns/blob/master/plugin/route53/route53.go). A change shows
``--propagation`` seconds after it was made; with 0, each question reads the emulator. Resolvers do
the caching.
"""

import argparse
import functools
import importlib
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from testbed.cluster.control_plane import NAME_SERVER_PORT
from testbed.cluster.place import FIRST

# Neither is typed.
dnslib: Any = importlib.import_module("dnslib")
dnslib_server: Any = importlib.import_module("dnslib.server")

_MAX_STEPS = 8
_LOOK_AGAIN = 0.5  # seconds between reads of the emulator when changes show with a delay
_UDP_SIZE = 512  # bytes that a client takes over UDP unless it asks for more (RFC 1035, 2.3.4)

_DATA: dict[str, Callable[[str], Any]] = {
    "A": dnslib.A,
    "CNAME": dnslib.CNAME,
    "SOA": lambda value: dnslib.SOA(*value.split()[:2], [int(one) for one in value.split()[2:]]),
}
"""The parser of Route53's text for each record type that is answered."""

Record = dict[str, Any]  # a ResourceRecordSet of Route53's
Zones = dict[str, list[Record]]
"""Record sets by zone."""
Answer = tuple[list[Record], list[Record], int]
"""Record sets that answer, record sets of the authority section, and the response code."""


def answer(records: list[Record], zone: str, name: str, kind: str) -> Answer:
    """Route53's answer for ``name`` in ``zone``, whose record sets are ``records``."""
    found: list[Record] = []
    soa = [r for r in records if r["Type"] == "SOA"]
    for _ in range(_MAX_STEPS):
        here = [r for r in records if _bare(r["Name"]) == name]
        wanted = [r for r in here if r["Type"] == kind]
        aliases = [r for r in here if r["Type"] == "CNAME"]
        if wanted or not aliases:
            if wanted:
                return [*found, _by_weight(wanted)], [], dnslib.RCODE.NOERROR
            known = here or found or name == zone
            return found, soa, dnslib.RCODE.NOERROR if known else dnslib.RCODE.NXDOMAIN
        alias = _by_weight(aliases)
        found.append(alias)
        name = _bare(alias["ResourceRecords"][0]["Value"])
    return found, soa, dnslib.RCODE.NOERROR


def _by_weight(several: list[Record]) -> Record:
    weights = [record.get("Weight", 0) for record in several]
    # Weights that are all 0 count as equal.
    return random.choices(several, weights if sum(weights) else None)[0]


class Propagation:
    """The history of Route53's content, each state with the time it was first seen, in seconds."""

    def __init__(self, delay: float) -> None:
        self._delay = delay
        # Replaced, never mutated: one thread reads the emulator while another answers.
        self._seen: tuple[tuple[float, Zones], ...] = ((float("-inf"), {}),)

    def see(self, zones: Zones, at: float) -> None:
        """Record the content at the time ``at``."""
        if zones != self._seen[-1][1]:
            later = [one for one in self._seen if one[0] > at - self._delay]
            self._seen = ((float("-inf"), self.shown(at)), *later, (at, zones))

    def shown(self, at: float) -> Zones:
        """The content that answers show at the time ``at``: the newest that is old enough."""
        return [zones for seen, zones in self._seen if seen <= at - self._delay][-1]


def respond(request: Any, zones: Zones) -> Any:
    """The response to a question; both are ``dnslib.DNSRecord``."""
    response = request.reply(ra=0)
    name = _bare(str(request.q.qname))
    held = [zone for zone in zones if f".{name}".endswith(f".{zone}")]
    if not held:
        response.header.rcode = dnslib.RCODE.REFUSED
        return response
    zone = max(held, key=len)
    kind = dnslib.QTYPE.get(request.q.qtype)
    found, authority, response.header.rcode = answer(zones[zone], zone, name, kind)
    response.add_answer(*_records(found))
    response.add_auth(*_records(authority))
    return response


def _records(sets: Iterable[Record]) -> Iterator[Any]:
    for one in sets:
        kind = one["Type"]
        # Rotated, as Route53 does: clients often take the first.
        for value in random.sample(one["ResourceRecords"], len(one["ResourceRecords"])):
            data = _DATA[kind](value["Value"])
            yield dnslib.RR(one["Name"], getattr(dnslib.QTYPE, kind), rdata=data, ttl=one["TTL"])


def _bare(name: str) -> str:
    return name.rstrip(".").lower()


def _zones(client: Any) -> Zones:
    return {
        _bare(zone["Name"]): [
            record
            for page in client.get_paginator("list_resource_record_sets").paginate(
                HostedZoneId=zone["Id"]
            )
            for record in page["ResourceRecordSets"]
            if record["Type"] in _DATA
        ]
        for zone in client.list_hosted_zones()["HostedZones"]
    }


def _delayed(read: Callable[[], Zones], delay: float) -> Callable[[], Zones]:
    """The result of ``read`` as it was ``delay`` seconds ago; a background thread calls
    ``read``."""
    propagation = Propagation(delay)

    def watch() -> None:
        while True:
            try:
                zones = read()
            except Exception as error:
                print(f"Route53 not read: {error!r}", flush=True)
            else:
                # Dated by the end of the read, so that a change never shows too early.
                propagation.see(zones, time.monotonic())
            time.sleep(_LOOK_AGAIN)

    threading.Thread(target=watch, daemon=True).start()
    return lambda: propagation.shown(time.monotonic())


class Resolver:
    """Answers each question from ``zones()``; SERVFAIL when that raises."""

    def __init__(self, zones: Callable[[], Zones]) -> None:
        self._zones = zones

    def resolve(self, request: Any, handler: Any) -> Any:
        sizes = (one.rclass for one in request.ar if one.rtype == dnslib.QTYPE.OPT)
        handler.udplen = max(_UDP_SIZE, *sizes, 0)
        try:
            return respond(request, self._zones())
        except Exception as error:
            print(f"no answer: {error!r}", flush=True)
            response = request.reply(ra=0)
            response.header.rcode = dnslib.RCODE.SERVFAIL
            return response


def server(zones: Callable[[], Zones], address: str, port: int, *, tcp: bool) -> Any:
    """A ``dnslib.server.DNSServer`` that listens but is not started."""
    quiet = dnslib_server.DNSLogger("error")
    return dnslib_server.DNSServer(Resolver(zones), address, port, tcp=tcp, logger=quiet)


def main() -> None:
    """Answer until the sandbox ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--propagation", type=float, default=0.0, metavar="SECONDS")
    delay: float = parser.parse_args().propagation
    # Not typed, and only installed with the local cluster.
    boto3: Any = importlib.import_module("boto3")
    zones: Callable[[], Zones] = functools.partial(_zones, boto3.client("route53"))
    if delay:
        zones = _delayed(zones, delay)
    server(zones, FIRST.dns_address, NAME_SERVER_PORT, tcp=False).start_thread()
    server(zones, FIRST.dns_address, NAME_SERVER_PORT, tcp=True).start()


if __name__ == "__main__":
    main()
