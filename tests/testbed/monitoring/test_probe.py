"""The probe's metrics, asked of a name server here."""

import pytest

pytest.importorskip("dnslib", reason="needs the local group")

from testbed.cluster.name_server import server
from testbed.monitoring.probe import probe

RECORDS = [
    {
        "Name": "local.grpc.test.",
        "Type": "A",
        "TTL": 3,
        "ResourceRecords": [{"Value": f"10.0.0.{number}"} for number in range(1, 4)],
    }
]


def metrics(name: str, port: int) -> dict[str, float]:
    lines = probe(name, f"127.0.0.1:{port}").splitlines()
    return {
        key: float(value)
        for key, value in (line.split() for line in lines if not line.startswith("#"))
    }


def test_answers_are_counted() -> None:
    answering = server(lambda: {"grpc.test": RECORDS}, "127.0.0.1", 0, tcp=True)
    port = answering.server.server_address[1]
    answering.start_thread()
    try:
        found = metrics("local.grpc.test", port)
        missing = metrics("other.grpc.test", port)
    finally:
        answering.stop()
        answering.server.server_close()
    assert (found["probe_success"], found["probe_dns_answer_rrs"]) == (1, 3)
    assert (missing["probe_success"], missing["probe_dns_answer_rrs"]) == (0, 0)
    assert missing["probe_dns_query_succeeded"] == 1


def test_silence_is_no_success() -> None:
    closed = server(dict, "127.0.0.1", 0, tcp=True)
    port = closed.server.server_address[1]
    closed.server.server_close()
    found = metrics("local.grpc.test", port)
    assert (found["probe_success"], found["probe_dns_query_succeeded"]) == (0, 0)
