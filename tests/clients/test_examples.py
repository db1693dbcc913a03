"""The example clients keep one command line, and do what the contract says and nothing else.

Each is built here, so these are not part of `make test`. One whose toolchain is missing is skipped.
"""

import json
import signal
import subprocess
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from typing import Any

import grpc
import pytest
import trustme

from testbed.clients.languages import LANGUAGES, build, execute, missing
from tests.clients.server import CALLER, POD, Relay, Server

SECONDS = 120.0
"""Nothing that is waited for takes as long, unless it never comes."""


@pytest.fixture(scope="module", params=LANGUAGES)
def client(request: pytest.FixtureRequest) -> list[str]:
    """What is executed."""
    if program := missing(request.param):
        pytest.skip(f"there is no {program}")
    build(request.param)
    return execute(request.param)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.stop()


class Client:
    """A client that runs."""

    def __init__(self, command: list[str]) -> None:
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def line(self) -> dict[str, Any]:
        """The next line that it prints."""
        assert self.process.stdout
        return json.loads(self.process.stdout.readline())

    def end(self) -> list[dict[str, Any]]:
        """Ask it to end; its other lines."""
        self.process.send_signal(signal.SIGTERM)
        return self.rest()

    def rest(self) -> list[dict[str, Any]]:
        """Wait for its end; its other lines."""
        out, err = self.process.communicate(timeout=SECONDS)
        assert self.process.returncode == 0, err
        return [json.loads(line) for line in out.splitlines()]


def contract(port: int, **fields: Any) -> dict[str, Any]:
    """A contract with nothing more than a client needs, and these fields."""
    target = f"dns:///localhost:{port}"
    return {"target_uri": target, "host": "localhost", "port": port, "tls": False, **fields}


@contextmanager
def running(command: list[str], tmp_path: Path, given: object, *options: str) -> Generator[Client]:
    file = tmp_path / "contract.json"
    file.write_text(json.dumps(given))
    client = Client([*command, str(file), *options])
    limit = threading.Timer(SECONDS, client.process.kill)
    limit.start()
    try:
        yield client
    finally:
        limit.cancel()
        client.process.kill()
        client.process.communicate()


def test_a_line_for_each_call(client: list[str], server: Server, tmp_path: Path) -> None:
    with running(client, tmp_path, contract(server.port), "--rate", "5", "--seconds", "2") as it:
        lines = it.rest()
    assert lines
    assert len(lines) == server.entered.qsize()
    for line in lines:
        assert line == {
            "at": pytest.approx(lines[0]["at"], abs=SECONDS),
            "ms": pytest.approx(0, abs=SECONDS * 1000),
            "code": "OK",
            "pod": POD,
            "envoy": CALLER,
            "message": "",
        }


def test_a_line_for_each_stream(client: list[str], server: Server, tmp_path: Path) -> None:
    with running(client, tmp_path, contract(server.port), "--stream", "0.6") as it:
        first, second = it.line(), it.line()
    assert (first["code"], first["ticks"], first["pod"], first["envoy"]) == ("OK", 3, POD, CALLER)
    assert second["at"] >= first["at"] + first["ms"] / 1000 - 0.01


def test_a_failed_call(client: list[str], tmp_path: Path) -> None:
    with running(client, tmp_path, contract(1), "--rate", "2", "--seconds", "1") as it:
        line, *_ = it.rest()
    assert (line["code"], line["pod"], line["envoy"]) == ("UNAVAILABLE", "", "")
    assert line["message"]


def test_a_failed_stream(client: list[str], tmp_path: Path) -> None:
    with running(client, tmp_path, contract(1), "--rate", "2", "--stream", "1") as it:
        line = it.line()
    assert (line["code"], line["ticks"]) == ("UNAVAILABLE", 0)


def test_calls_do_not_wait_for_each_other(
    client: list[str], server: Server, tmp_path: Path
) -> None:
    server.answer.clear()
    with running(client, tmp_path, contract(server.port)):
        for _ in range(3):
            server.entered.get(timeout=SECONDS)


def test_sigterm_waits_for_calls_in_flight(
    client: list[str], server: Server, tmp_path: Path
) -> None:
    server.answer.clear()
    with running(client, tmp_path, contract(server.port), "--rate", "0.001") as it:
        server.entered.get(timeout=SECONDS)
        it.process.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            it.process.wait(0.5)
        server.answer.set()
        assert [line["code"] for line in it.rest()] == ["OK"]


def test_sigterm_cancels_a_stream(client: list[str], server: Server, tmp_path: Path) -> None:
    with running(client, tmp_path, contract(server.port), "--stream", "600") as it:
        server.entered.get(timeout=SECONDS)
        assert it.end() == []
    assert server.ended.wait(SECONDS)


def test_messages_of_a_size(client: list[str], server: Server, tmp_path: Path) -> None:
    """gRPC's limit of 4 MiB holds unless the contract has another."""

    def code(given: object, size: int) -> str:
        size_option = ("--message-bytes", str(size))
        with running(client, tmp_path, given, "--rate", "0.001", *size_option) as it:
            return it.line()["code"]

    large = contract(server.port, max_message_bytes=8 << 20)
    assert code(contract(server.port), 3_900_000) == "OK"
    # The latter is tonic's.
    assert code(contract(server.port), 5_000_000) in ("RESOURCE_EXHAUSTED", "OUT_OF_RANGE")
    assert code(large, 5_000_000) == "OK"


def test_the_deadline_is_the_service_config(
    client: list[str], server: Server, tmp_path: Path
) -> None:
    """Without one, a call has none: `deadline_seconds` tells of Envoy's."""
    given = contract(server.port, deadline_seconds=15.0)
    with running(client, tmp_path, given, "--rate", "0.001") as it:
        it.line()
    assert server.entered.get(timeout=SECONDS) is None
    server.entered = Queue()
    server.answer.clear()
    config = '{"methodConfig": [{"name": [{}], "timeout": "2.5s"}]}'
    given = contract(server.port, service_config=config)
    with running(client, tmp_path, given) as it:
        deadline = server.entered.get(timeout=SECONDS)
        assert deadline is not None
        assert deadline <= 2.5
        assert it.line()["code"] == "DEADLINE_EXCEEDED"


def test_an_unknown_policy_leaves_the_next(
    client: list[str], server: Server, tmp_path: Path
) -> None:
    config = '{"loadBalancingConfig": [{"not_a_policy": {}}, {"round_robin": {}}]}'
    given = contract(server.port, service_config=config)
    with running(client, tmp_path, given) as it:
        assert it.line()["code"] == "OK"


def test_a_silent_peer_is_left(client: list[str], server: Server, tmp_path: Path) -> None:
    """By the contract's keepalive; no call has a deadline."""
    relay = Relay(server.port)
    given = contract(relay.port, keepalive_time_seconds=10.0, keepalive_timeout_seconds=1.0)
    with running(client, tmp_path, given, "--rate", "2") as it:
        assert it.line()["code"] == "OK"
        relay.silent.set()
        while (code := it.line()["code"]) == "OK":
            pass
        assert code == "UNAVAILABLE"
    relay.stop()


def test_a_stream_outlives_its_connection(client: list[str], tmp_path: Path) -> None:
    """Pings go on after the GOAWAY."""
    server = Server(max_age=0.5)
    keepalive = {"keepalive_time_seconds": 1.0, "keepalive_timeout_seconds": 2.5}
    given = contract(server.port, deadline_seconds=None, **keepalive)
    with running(client, tmp_path, given, "--stream", "4") as streams:
        line = streams.line()
        streams.end()
    server.stop()
    assert (line["code"], line["ticks"]) == ("OK", 20)


def test_tls(client: list[str], tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    chain = b"".join(pem.bytes() for pem in issued.cert_chain_pems)
    server = Server(grpc.ssl_server_credentials([(issued.private_key_pem.bytes(), chain)]))
    ca = tmp_path / "ca.crt"
    authority.cert_pem.write_to_path(ca)
    given = contract(server.port, tls=True)
    with running(client, tmp_path, given, "--ca", str(ca)) as it:
        assert it.line()["code"] == "OK"
    with running(client, tmp_path, given, "--rate", "1") as it:
        assert it.line()["code"] == "UNAVAILABLE"
    server.stop()


@pytest.mark.parametrize(
    "options",
    [(), ("{}", "--no-such-option", "1"), ("{}", "--rate", "often"), ("{}", "--rate", "0")],
    ids=["nothing", "unknown option", "no number", "no rate"],
)
def test_wrong_usage(client: list[str], options: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / "contract.json"
    file.write_text(json.dumps(contract(1)))
    words = [str(file) if word == "{}" else word for word in options]
    ran = subprocess.run(
        [*client, *words], capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert (ran.returncode, ran.stdout) == (2, "")
    assert len(ran.stderr.splitlines()) == 1
    assert ran.stderr.strip()
