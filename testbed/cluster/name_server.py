"""The name server of the emulated Route53's zones; runs inside the sandbox.

Of several weighted records of one name it answers with one, by weight, as Route53 does. CoreDNS's
route53 plugin does not: it puts them all into one answer
(https://github.com/coredns/coredns/blob/master/plugin/route53/route53.go). A change shows
``--propagation`` seconds after it was made: 0 unless given, and then each question reads the
emulator anew. Whoever asks caches.
"""

import argparse
import functools
import importlib
import random
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from testbed.cluster.control_plane import NAME_SERVER_PORT
from testbed.cluster.place import FIRST

TYPES = {"A": 1, "CNAME": 5, "SOA": 6}
_REFUSED, _NO_SUCH_NAME, _FAILED = 5, 3, 2
_MAX_STEPS = 8
_LOOK_AGAIN = 0.5  # seconds between looks at the emulator, where changes take time to show

Record = dict[str, Any]  # a ResourceRecordSet of Route53's
Zones = dict[str, list[Record]]
"""Record sets by zone."""
Answer = tuple[list[Record], list[Record], int]
"""Record sets that answer, record sets of the authority section, and the response code."""


def answer(records: list[Record], zone: str, name: str, kind: int) -> Answer:
    """What Route53 answers for ``name`` of ``zone``, whose record sets are ``records``."""
    found: list[Record] = []
    soa = [r for r in records if r["Type"] == "SOA"]
    for _ in range(_MAX_STEPS):
        here = [r for r in records if _bare(r["Name"]) == name]
        wanted = [r for r in here if TYPES.get(r["Type"]) == kind]
        aliases = [r for r in here if r["Type"] == "CNAME"]
        if wanted or not aliases:
            if wanted:
                return [*found, _by_weight(wanted)], [], 0
            return found, soa, 0 if here or found or name == zone else _NO_SUCH_NAME
        alias = _by_weight(aliases)
        found.append(alias)
        name = _bare(alias["ResourceRecords"][0]["Value"])
    return found, soa, 0


def _by_weight(several: list[Record]) -> Record:
    weights = [record.get("Weight", 0) for record in several]
    # Weights that are all 0 are equal ones.
    return random.choices(several, weights if sum(weights) else None)[0]


class Propagation:
    """What Route53 held, each content dated by when it was first seen; times are in seconds."""

    def __init__(self, delay: float) -> None:
        self._delay = delay
        # Replaced and never changed: one thread looks while another answers.
        self._seen: tuple[tuple[float, Zones], ...] = ((float("-inf"), {}),)

    def see(self, zones: Zones, at: float) -> None:
        """Note what is held ``at`` this moment."""
        if zones != self._seen[-1][1]:
            later = [one for one in self._seen if one[0] > at - self._delay]
            self._seen = ((float("-inf"), self.shown(at)), *later, (at, zones))

    def shown(self, at: float) -> Zones:
        """What answers show ``at`` this moment: the newest content that is old enough."""
        return [zones for seen, zones in self._seen if seen <= at - self._delay][-1]


def respond(question: bytes, zones: Zones) -> bytes:
    """The response to a question (RFC 1035, section 4)."""
    number, flags = struct.unpack(">2H", question[:4])
    name, end = _read_name(question)
    kind = struct.unpack(">H", question[end : end + 2])[0]
    held = [zone for zone in zones if f".{name}".endswith(f".{zone}")]
    if held:
        zone = max(held, key=len)
        found, authority, code = answer(zones[zone], zone, name, kind)
    else:
        found, authority, code = [], [], _REFUSED
    answers, authorities = _records(found), _records(authority)
    counts = (1, len(answers), len(authorities), 0)
    # It is a response (QR), and authoritative (AA); RD is given back.
    header = struct.pack(">6H", number, 0x8400 | flags & 0x0100 | code, *counts)
    return header + question[12 : end + 4] + b"".join((*answers, *authorities))


def _records(sets: Iterable[Record]) -> list[bytes]:
    records: list[bytes] = []
    for one in sets:
        # Rotated, as Route53 does: clients often take the first.
        values = random.sample(one["ResourceRecords"], len(one["ResourceRecords"]))
        for value in values:
            data = _data(one["Type"], value["Value"])
            head = struct.pack(">2HIH", TYPES[one["Type"]], 1, int(one["TTL"]), len(data))
            records.append(_name(one["Name"]) + head + data)
    return records


def _data(kind: str, value: str) -> bytes:
    if kind == "A":
        return socket.inet_aton(value)
    if kind == "CNAME":
        return _name(value)
    server, contact, *times = value.split()
    return _name(server) + _name(contact) + struct.pack(">5I", *map(int, times))


def _name(name: str) -> bytes:
    labels = _bare(name).split(".")
    return b"".join(bytes([len(label)]) + label.encode() for label in labels) + b"\0"


def _read_name(message: bytes) -> tuple[str, int]:
    """The name asked for, and where it ends."""
    labels: list[str] = []
    at = 12
    while length := message[at]:
        labels.append(message[at + 1 : at + 1 + length].decode("ascii", "replace").lower())
        at += 1 + length
    return ".".join(labels), at + 1


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
            if record["Type"] in TYPES
        ]
        for zone in client.list_hosted_zones()["HostedZones"]
    }


def _delayed(read: Callable[[], Zones], delay: float) -> Callable[[], Zones]:
    """What ``read`` gave ``delay`` seconds ago; it is called in the background from now on."""
    propagation = Propagation(delay)

    def watch() -> None:
        while True:
            try:
                zones = read()
            except Exception as error:
                print(f"Route53 not read: {error!r}", flush=True)  # noqa: T201 (its log)
            else:
                # Dated by the end of the look: a change never shows too early.
                propagation.see(zones, time.monotonic())
            time.sleep(_LOOK_AGAIN)

    threading.Thread(target=watch, daemon=True).start()
    return lambda: propagation.shown(time.monotonic())


def main() -> None:
    """Answer until the sandbox ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--propagation", type=float, default=0.0, metavar="SECONDS")
    delay: float = parser.parse_args().propagation
    # Not typed, nor installed where the local cluster is not used.
    boto3: Any = importlib.import_module("boto3")
    zones: Callable[[], Zones] = functools.partial(_zones, boto3.client("route53"))
    if delay:
        zones = _delayed(zones, delay)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((FIRST.dns_address, NAME_SERVER_PORT))
        while True:
            question, asker = server.recvfrom(4096)
            try:
                server.sendto(respond(question, zones()), asker)
            except Exception as error:
                print(f"no answer: {error!r}", flush=True)  # noqa: T201 (its log)
                server.sendto(
                    question[:2] + struct.pack(">5H", 0x8000 | _FAILED, 0, 0, 0, 0), asker
                )


if __name__ == "__main__":
    main()
