"""What a real Envoy says of what is behind it, and what `grpc-platform call` makes of that."""

import socket
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.clients.call.envoy import Envoy, Upstreams, envoy
from tests.tools.call.certificates import Pair, make_certificate
from tests.tools.call.greeter import grpc_server
from tests.tools.call.name_server import name_server
from tests.tools.call.running import call
from tests.tools.call.servers import free_port, silent_port


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return make_certificate(tmp_path_factory.mktemp("certificate"), "good.test")


@pytest.fixture(scope="module")
def running(pair: Pair, tmp_path_factory: pytest.TempPathFactory) -> Generator[Envoy]:
    """One Envoy for all tests; none changes it."""
    with (
        grpc_server() as good,
        socket.create_server(("127.0.0.1", 0)) as mute,
        silent_port("127.0.0.1") as silent,
    ):
        upstreams = Upstreams(
            good=good, mute=mute.getsockname()[1], silent=silent, closed=free_port()
        )
        with envoy(tmp_path_factory.mktemp("envoy"), upstreams, pair) as started:
            yield started


def test_the_envoy_that_answered_and_the_server_behind_it_are_told(running: Envoy) -> None:
    zone = "good.test 30 CNAME local.test.\nlocal.test 30 A 127.0.0.2 127.0.0.1"
    with name_server(zone) as resolver:
        said = call(f"good.test:{running.plain}", "test.v1.Greeter/Greet", "--resolver", resolver)
    assert said.status == 0
    assert "by Envoy 127.0.0.1 and the server behind it" in said.text
    assert said.found["call"]["pod"] == "greeter-0"
    assert (said.found["call"]["by_envoy"], said.found["call"]["by_upstream"]) == (True, True)


@pytest.mark.parametrize(
    ("authority", "diagnosis"),
    [
        ("nowhere", "wrong-authority"),
        ("empty", "no-endpoints"),
        ("http1", "http1-upstream"),
        ("full", "circuit-breaker"),
        ("slow", "envoy-deadline"),
        ("gone", "server-refused"),
        ("lost", "server-silent"),
        ("forbidden", "envoy-error"),
    ],
)
@pytest.mark.parametrize("arguments", [(), ("test.v1.Greeter/Greet",), ("--list",)])
def test_an_answer_of_envoy_itself(
    running: Envoy, authority: str, diagnosis: str, arguments: tuple[str, ...]
) -> None:
    said = call(f"127.0.0.1:{running.plain}", *arguments, "--authority", f"{authority}.test")
    assert said.diagnosis == diagnosis
    assert "by Envoy 127.0.0.1 itself" in said.text
    assert (said.found["call"]["by_envoy"], said.found["call"]["by_upstream"]) == (True, False)


def test_the_address_as_authority_has_no_route(running: Envoy) -> None:
    said = call(f"127.0.0.1:{running.plain}")
    assert said.diagnosis == "wrong-authority"
    assert f"127.0.0.1:{running.plain}" in said.problem


def test_a_method_that_the_server_does_not_know_is_told_from_a_wrong_authority(
    running: Envoy,
) -> None:
    said = call(f"127.0.0.1:{running.plain}", "test.v1.Greeter/Great", "--authority", "good.test")
    assert said.diagnosis == "method-unknown"


def test_a_server_without_health_is_told_from_a_wrong_authority(pair: Pair, tmp_path: Path) -> None:
    with grpc_server(health_status=None) as good:
        closed = free_port()
        upstreams = Upstreams(good=good, mute=closed, silent=closed, closed=closed)
        with envoy(tmp_path, upstreams, pair) as started:
            said = call(f"127.0.0.1:{started.plain}", "--authority", "good.test")
    assert said.diagnosis == "no-health"


def test_tls_ends_in_envoy(running: Envoy, pair: Pair) -> None:
    said = call(
        f"127.0.0.1:{running.tls}",
        *("--tls", "--authority", "good.test", "--ca", str(pair.certificate)),
    )
    assert said.status == 0
    assert "by Envoy 127.0.0.1 and the server behind it" in said.text


def test_a_name_that_envoy_has_no_certificate_for(running: Envoy) -> None:
    said = call(f"127.0.0.1:{running.tls}", "--tls", "--authority", "other.test")
    assert said.diagnosis == "no-certificate"
    assert "for other.test" in said.problem


def test_tls_on_envoys_plain_port(running: Envoy) -> None:
    said = call(f"127.0.0.1:{running.plain}", "--tls", "--authority", "good.test")
    assert said.diagnosis == "tls-on-plain-port"


def test_plaintext_on_envoys_tls_port(running: Envoy) -> None:
    said = call(f"127.0.0.1:{running.tls}", "--authority", "good.test")
    assert said.diagnosis == "plaintext-on-tls-port"
