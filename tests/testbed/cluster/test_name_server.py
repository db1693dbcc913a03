"""The sandbox's name server answers as Route53 would."""

import struct
from collections import Counter
from typing import Any

import pytest

pytest.importorskip("dnslib", reason="needs the local group")

from testbed.cluster.name_server import Propagation, Zones, answer, dnslib, respond, server

ZONE = "grpc.test"
SOA = {
    "Name": "grpc.test.",
    "Type": "SOA",
    "TTL": 30,
    "ResourceRecords": [{"Value": "ns.example. admin.example. 1 2 3 4 30"}],
}


def record(name: str, kind: str, *values: str, **others: Any) -> dict[str, Any]:
    listed = [{"Value": value} for value in values]
    return {"Name": f"{name}.", "Type": kind, "TTL": 30, "ResourceRecords": listed, **others}


def moving(old: int, new: int) -> list[dict[str, Any]]:
    return [
        SOA,
        record("greeter.grpc.test", "CNAME", "old.grpc.test", SetIdentifier="old", Weight=old),
        record("greeter.grpc.test", "CNAME", "new.grpc.test", SetIdentifier="new", Weight=new),
        record("old.grpc.test", "A", "10.0.0.1", "10.0.0.2"),
        record("new.grpc.test", "A", "10.1.0.1"),
    ]


def led_to(records: list[dict[str, Any]], times: int = 4000) -> Counter[str]:
    """Which cluster's name each of many look-ups led to."""
    found: Counter[str] = Counter()
    for _ in range(times):
        alias, addresses = answer(records, ZONE, "greeter.grpc.test", "A")[0]
        assert alias["ResourceRecords"][0]["Value"] == addresses["Name"].rstrip(".")
        found[addresses["Name"].partition(".")[0]] += 1
    return found


def test_a_look_up_gets_one_of_the_weighted_records_by_weight() -> None:
    found = led_to(moving(25, 75))
    assert 0.70 < found["new"] / found.total() < 0.80
    assert led_to(moving(100, 0)).keys() == {"old"}


def test_weights_that_are_all_0_are_equal() -> None:
    found = led_to(moving(0, 0))
    assert 0.45 < found["new"] / found.total() < 0.55


def test_nxdomain_is_told_from_a_name_without_such_a_record() -> None:
    assert answer(moving(1, 1), ZONE, "nobody.grpc.test", "A") == ([], [SOA], 3)
    assert answer(moving(1, 1), ZONE, "old.grpc.test", "AAAA") == ([], [SOA], 0)
    assert answer(moving(1, 1), ZONE, ZONE, "A") == ([], [SOA], 0)


def test_a_circle_of_names_ends() -> None:
    circle = [record("a.grpc.test", "CNAME", "a.grpc.test")]
    assert len(answer(circle, ZONE, "a.grpc.test", "A")[0]) == 8


def test_a_response_has_the_question_and_its_answers_on_the_wire() -> None:
    asked = b"\7greeter\4grpc\4test\0" + struct.pack(">2H", 1, 1)
    options = b"\0" + struct.pack(">2HIH", 41, 1232, 0, 0)
    question = struct.pack(">6H", 7, 0x0100, 1, 0, 0, 1) + asked + options
    response = respond(dnslib.DNSRecord.parse(question), {ZONE: moving(0, 1)}).pack()
    assert struct.unpack(">6H", response[:12]) == (7, 0x8500, 1, 2, 0, 0)
    assert response[12 : 12 + len(asked)] == asked
    assert response.endswith(struct.pack(">2HIH", 1, 1, 30, 4) + bytes([10, 1, 0, 1]))


def test_nxdomain_comes_with_the_zones_soa_on_the_wire() -> None:
    response = respond(dnslib.DNSRecord.question("nobody.grpc.test"), {ZONE: moving(0, 1)})
    (soa,) = dnslib.DNSRecord.parse(response.pack()).auth
    assert response.header.rcode == dnslib.RCODE.NXDOMAIN
    assert str(soa.rdata) == "ns.example. admin.example. 1 2 3 4 30"


def test_other_zones_are_refused() -> None:
    question = struct.pack(">6H", 7, 0, 1, 0, 0, 0) + b"\3org\0" + struct.pack(">2H", 1, 1)
    response = respond(dnslib.DNSRecord.parse(question), {ZONE: []}).pack()
    assert struct.unpack(">6H", response[:12]) == (7, 0x8405, 1, 0, 0, 0)


def ask(zones: Any, *, tcp: bool, udp_size: int = 0) -> Any:
    """What a name server over loopback answers."""
    asked = server(zones, "127.0.0.1", 0, tcp=tcp)
    asked.start_thread()
    question = dnslib.DNSRecord.question("fleet.grpc.test")
    if udp_size:
        question.add_ar(dnslib.EDNS0(udp_len=udp_size))
    try:
        port = asked.server.server_address[1]
        return dnslib.DNSRecord.parse(question.send("127.0.0.1", port, tcp=tcp, timeout=10))
    finally:
        asked.stop()
        asked.server.server_close()


@pytest.mark.parametrize(
    ("how", "fits"),
    [
        ({"tcp": False}, False),
        ({"tcp": False, "udp_size": 1232}, True),
        ({"tcp": True}, True),
    ],
)
def test_a_fleet_too_large_for_a_datagram_is_told_over_tcp(how: Any, fits: bool) -> None:
    fleet = [f"10.0.0.{number}" for number in range(1, 61)]
    zones: Zones = {ZONE: [SOA, record("fleet.grpc.test", "A", *fleet)]}
    said = ask(lambda: zones, **how)
    assert said.header.tc == (not fits), "truncated"
    assert {str(one.rdata) for one in said.rr} == (set(fleet) if fits else set())


def test_an_emulator_that_does_not_answer_is_a_failure_of_the_server() -> None:
    def unread() -> Zones:
        raise OSError("no emulator")

    assert ask(unread, tcp=False).header.rcode == dnslib.RCODE.SERVFAIL


def test_a_change_shows_only_when_it_has_propagated() -> None:
    propagation = Propagation(60)
    propagation.see({ZONE: [SOA]}, at=0)
    assert propagation.shown(at=59) == {}, "a zone takes as long to show"
    assert propagation.shown(at=60) == {ZONE: [SOA]}
    propagation.see({ZONE: moving(1, 0)}, at=70)
    propagation.see({ZONE: moving(1, 0)}, at=90)  # no change: dated by when it was first seen
    propagation.see({ZONE: moving(0, 1)}, at=125)
    assert propagation.shown(at=129) == {ZONE: [SOA]}
    assert propagation.shown(at=130) == {ZONE: moving(1, 0)}
    propagation.see({ZONE: moving(5, 1)}, at=140)
    assert propagation.shown(at=184) == {ZONE: moving(1, 0)}
    assert propagation.shown(at=185) == {ZONE: moving(0, 1)}
    assert propagation.shown(at=1000) == {ZONE: moving(5, 1)}
