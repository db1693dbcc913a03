"""From a name to its addresses, and what is wrong with a name."""

import dns.rcode
import pytest

from grpc_platform_tools.call import names
from tests.tools.call.greeter import grpc_server
from tests.tools.call.name_server import name_server, silent_name_server
from tests.tools.call.running import call
from tests.tools.call.servers import free_port

ZONE = """
greeter.test 30 CNAME local.test.
local.test 20 A 127.0.0.2 127.0.0.1
moved.test 30 CNAME elsewhere.test.
there.test 30 CNAME empty.test.
empty.test 30 TXT text
round.test 30 CNAME about.test.
about.test 30 CNAME round.test.
"""


def test_the_chain_of_a_name_is_shown_with_its_ttls_and_addresses() -> None:
    with name_server(ZONE) as resolver, grpc_server() as port:
        said = call(f"greeter.test:{port}", "--resolver", resolver)
    assert said.status == 0
    lookup = said.found["lookup"]
    assert lookup["server"] == resolver
    assert lookup["addresses"] == ["127.0.0.1", "127.0.0.2"]
    assert [(one["name"], one["type"], one["value"], one["ttl"]) for one in lookup["records"]] == [
        ("greeter.test", "CNAME", "local.test", 30),
        ("local.test", "A", "127.0.0.1", 20),
        ("local.test", "A", "127.0.0.2", 20),
    ]
    assert "greeter.test  CNAME  local.test  TTL 30 s" in said.text


def test_an_alias_into_another_zone_is_followed_where_the_name_server_does_not() -> None:
    with name_server(ZONE, most_aliases=1) as resolver, grpc_server() as port:
        said = call(f"greeter.test:{port}", "--resolver", resolver)
    assert said.found["lookup"]["addresses"] == ["127.0.0.1", "127.0.0.2"]


@pytest.mark.parametrize(
    ("host", "diagnosis", "told"),
    [
        ("greter.test", "name-unknown", "There is no name greter.test"),
        ("moved.test", "alias-without-addresses", "alias of elsewhere.test"),
        ("there.test", "alias-without-addresses", "alias of empty.test"),
        ("round.test", "alias-without-addresses", "alias of"),
        ("empty.test", "no-addresses", "has no address"),
    ],
)
def test_a_name_without_addresses(host: str, diagnosis: str, told: str) -> None:
    with name_server(ZONE) as resolver:
        said = call(host, "--resolver", resolver)
    assert said.diagnosis == diagnosis
    assert told in said.problem
    if host != "round.test":
        # The smaller one of the SOA record's TTL and its minimum.
        assert "remember this answer for 60 s" in said.found["diagnosis"]["remedy"]


def test_a_name_server_that_answers_an_error() -> None:
    with name_server(ZONE, code=dns.rcode.SERVFAIL) as resolver:
        said = call("greeter.test", "--resolver", resolver)
    assert said.diagnosis == "name-server-failed"
    assert f"{resolver} answered SERVFAIL" in said.problem


def test_a_silent_name_server() -> None:
    with silent_name_server() as resolver:
        said = call("greeter.test", "--resolver", resolver, timeout=0.3)
    assert said.diagnosis == "name-server-silent"
    assert resolver in said.problem


def this_machine_asks(resolver: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a name server in the place of those of /etc/resolv.conf."""
    address, _, port = resolver.partition(":")
    monkeypatch.setattr(f"{names.__name__}._own_servers", lambda: [(address, int(port))])


def test_a_name_without_a_dot_is_not_asked_of_dns(monkeypatch: pytest.MonkeyPatch) -> None:
    with silent_name_server() as resolver, grpc_server() as port:
        this_machine_asks(resolver, monkeypatch)
        assert call(f"localhost:{port}").found["lookup"]["addresses"] == ["127.0.0.1"]


def test_a_name_that_dns_does_not_know_is_found_as_grpc_finds_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The C library reads 127.1 as 127.0.0.1, without a line in /etc/hosts."""
    with name_server(ZONE) as resolver, grpc_server() as port:
        this_machine_asks(resolver, monkeypatch)
        said = call(f"127.1:{port}")
    assert said.found["lookup"]["addresses"] == ["127.0.0.1"]
    assert "by /etc/hosts or a search domain" in said.text


def test_the_name_servers_of_this_machine_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with name_server(ZONE) as resolver, grpc_server() as port:
        this_machine_asks(resolver, monkeypatch)
        said = call(f"greeter.test:{port}")
    assert said.found["lookup"]["server"] == resolver


def test_an_address_needs_no_name_server() -> None:
    with grpc_server() as port:
        said = call(f"dns:///127.0.0.1:{port}", "--resolver", f"127.0.0.1:{free_port()}")
    assert said.status == 0
    assert said.found["lookup"]["outcome"] == "given"
