"""Calls over TLS, and what is wrong with a certificate."""

from pathlib import Path

from tests.tools.call.certificates import make_certificate
from tests.tools.call.greeter import grpc_server
from tests.tools.call.running import call
from tests.tools.call.servers import https, server

NAME = ("--tls", "--authority", "greeter.test")


def test_a_call_over_tls_shows_the_certificate(tmp_path: Path) -> None:
    pair = make_certificate(tmp_path, "greeter.test")
    with grpc_server(pair=pair) as port:
        said = call(f"127.0.0.1:{port}", *NAME, "--ca", str(pair.certificate))
    assert said.status == 0
    certificate = said.found["endpoints"][0]["handshake"]["certificate"]
    assert certificate["names"] == ["greeter.test"]
    assert certificate["issuer"] == "CN=authority of greeter.test"
    assert "issued by CN=authority of greeter.test" in said.text
    assert "(in 89 days)" in said.text


def test_a_certificate_for_another_name(tmp_path: Path) -> None:
    pair = make_certificate(tmp_path, "other.test")
    with grpc_server(pair=pair) as port:
        said = call(f"127.0.0.1:{port}", *NAME, "--ca", str(pair.certificate))
    assert said.diagnosis == "certificate-name"
    assert "is for other.test, not for greeter.test" in said.problem


def test_an_expired_certificate(tmp_path: Path) -> None:
    pair = make_certificate(tmp_path, "greeter.test", days=(-30, -2))
    with grpc_server(pair=pair) as port:
        said = call(f"127.0.0.1:{port}", *NAME, "--ca", str(pair.certificate))
    assert said.diagnosis == "certificate-expired"
    assert "(2 days ago)" in said.text


def test_a_certificate_that_is_not_valid_yet(tmp_path: Path) -> None:
    pair = make_certificate(tmp_path, "greeter.test", days=(2, 30))
    with grpc_server(pair=pair) as port:
        said = call(f"127.0.0.1:{port}", *NAME, "--ca", str(pair.certificate))
    assert said.diagnosis == "certificate-not-yet-valid"


def test_a_certificate_of_an_unknown_authority(tmp_path: Path) -> None:
    with grpc_server(pair=make_certificate(tmp_path, "greeter.test")) as port:
        said = call(f"127.0.0.1:{port}", *NAME)
    assert said.diagnosis == "certificate-untrusted"
    assert "CN=authority of greeter.test" in said.problem


def test_a_tls_port_without_http2(tmp_path: Path) -> None:
    pair = make_certificate(tmp_path, "greeter.test")
    with server(https(pair)) as port:
        said = call(f"127.0.0.1:{port}", *NAME, "--ca", str(pair.certificate))
    assert said.diagnosis == "tls-without-http2"
