"""Connections that are refused, dropped or misunderstood."""

import socket
from pathlib import Path

import pytest

from grpc_platform_tools.call import connect
from tests.tools.call.certificates import make_certificate
from tests.tools.call.greeter import grpc_server
from tests.tools.call.name_server import name_server
from tests.tools.call.running import call
from tests.tools.call.servers import closes, free_port, http1, mute, server, silent_port


@pytest.fixture(autouse=True)
def other_ports(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The ports that are looked at where one cannot be reached: those of the test, not those that
    something else on this machine may use."""
    ports: list[int] = []
    monkeypatch.setattr(connect, "OTHER_PORTS", ports)
    return ports


def test_addresses_that_refuse_mean_that_no_envoy_is_ready(other_ports: list[int]) -> None:
    port = free_port("127.0.0.2")
    other_ports.append(free_port("127.0.0.2"))
    with name_server("greeter.test 30 A 127.0.0.2 127.0.0.3") as resolver:
        said = call(f"greeter.test:{port}", "--resolver", resolver)
    assert said.diagnosis == "no-ready-envoy"
    assert "127.0.0.2, 127.0.0.3" in said.problem
    assert [one["reached"] for one in said.found["endpoints"]] == ["refused", "refused"]


def test_a_refusing_and_a_silent_address_mean_the_same() -> None:
    with (
        silent_port("127.0.0.2") as port,
        name_server("greeter.test 30 A 127.0.0.2 127.0.0.3") as resolver,
    ):
        said = call(f"greeter.test:{port}", "--resolver", resolver, timeout=0.3)
    assert said.diagnosis == "no-ready-envoy"


def test_a_closed_port_beside_an_open_one(other_ports: list[int]) -> None:
    with socket.create_server(("127.0.0.2", 0)) as other:
        other_ports.append(other.getsockname()[1])
        said = call(f"127.0.0.2:{free_port('127.0.0.2')}")
    assert said.diagnosis == "port-closed"
    assert str(other_ports[0]) in said.problem


@pytest.mark.parametrize("open_one", [True, False])
def test_a_silent_port_beside_one_that_answers_is_blocked(
    other_ports: list[int], open_one: bool
) -> None:
    with silent_port("127.0.0.2") as port, socket.socket() as other:
        other.bind(("127.0.0.2", 0))
        if open_one:
            other.listen()
        other_ports.append(other.getsockname()[1])
        said = call(f"127.0.0.2:{port}", timeout=0.3)
    assert said.diagnosis == "port-blocked"
    assert said.found["endpoints"][0]["reached"] == "silent"
    assert "callers" in said.found["diagnosis"]["remedy"]


def test_an_address_that_is_silent_on_every_port(other_ports: list[int]) -> None:
    with silent_port("127.0.0.2") as port, silent_port("127.0.0.2") as other:
        other_ports.append(other)
        said = call(f"127.0.0.2:{port}", timeout=0.3)
    assert said.diagnosis == "silent"


def test_an_address_without_a_route() -> None:
    """The broadcast address: the kernel itself refuses it."""
    said = call("255.255.255.255:8080")
    assert said.diagnosis == "no-route"


def test_one_bad_address_of_two_is_a_warning() -> None:
    with (
        grpc_server() as port,
        name_server("greeter.test 30 A 127.0.0.2 127.0.0.1") as resolver,
    ):
        said = call(f"greeter.test:{port}", "--resolver", resolver)
    assert said.status == 0
    assert said.found["warning"]["code"] == "some-addresses-fail"
    assert "1 of 2 addresses cannot serve: 127.0.0.2" in said.text
    assert said.found["call"]["address"] == "127.0.0.1"


def test_a_port_of_http1() -> None:
    with server(http1) as port:
        assert call(f"127.0.0.1:{port}").diagnosis == "http1-port"


def test_a_port_that_says_nothing() -> None:
    with server(mute) as port:
        said = call(f"127.0.0.1:{port}", timeout=0.3)
    assert said.diagnosis == "not-http2"
    assert "says nothing" in said.problem


def test_plaintext_on_a_tls_port(tmp_path: Path) -> None:
    with grpc_server(pair=make_certificate(tmp_path, "greeter.test")) as port:
        assert call(f"127.0.0.1:{port}").diagnosis == "plaintext-on-tls-port"


def test_tls_on_a_plain_port() -> None:
    with grpc_server() as port:
        assert call(f"127.0.0.1:{port}", "--tls").diagnosis == "tls-on-plain-port"


@pytest.mark.parametrize("tls", [True, False])
def test_a_connection_that_breaks_before_the_first_word(tls: bool) -> None:
    with server(closes) as port:
        said = call(f"127.0.0.1:{port}", *(["--tls"] if tls else []))
    assert said.diagnosis == ("no-certificate" if tls else "not-http2")
