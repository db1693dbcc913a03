"""Health, methods by reflection, and what is wrong with a server."""

import pytest

from tests.tools.call.greeter import grpc_server
from tests.tools.call.running import call
from tests.tools.call.servers import breaks_off, server, turns_grpc_away

GREET = "test.v1.Greeter/Greet"


def test_health_is_called_by_default() -> None:
    with grpc_server() as port:
        said = call(f"127.0.0.1:{port}")
    assert said.status == 0
    assert said.found["call"]["method"] == "grpc.health.v1.Health/Check"
    assert said.found["call"]["reply"] == {"status": "SERVING"}
    assert "without an Envoy" in said.text


def test_a_method_is_found_by_reflection_and_its_reply_names_the_pod() -> None:
    with grpc_server() as port:
        said = call(f"127.0.0.1:{port}", GREET, "--data", '{"name": "Ada"}')
    assert said.found["call"]["reply"] == {"greeting": "Hello, Ada", "pod": "greeter-0"}
    assert "by the pod greeter-0" in said.text


def test_a_stream_is_ended_after_its_first_message() -> None:
    with grpc_server() as port:
        said = call(f"127.0.0.1:{port}", "test.v1.Greeter/GreetOften")
    assert said.found["call"]["reply"]["greeting"] == "Hello, "


def test_list_names_the_services() -> None:
    with grpc_server() as port:
        said = call(f"127.0.0.1:{port}", "--list")
    assert said.found["services"] == ["test.v1.Greeter"]
    assert "services test.v1.Greeter" in said.text


def test_a_server_that_is_not_serving() -> None:
    with grpc_server(health_status="NOT_SERVING") as port:
        said = call(f"127.0.0.1:{port}")
    assert said.diagnosis == "not-serving"
    assert "NOT_SERVING" in said.problem


def test_a_server_without_health() -> None:
    with grpc_server(health_status=None) as port:
        assert call(f"127.0.0.1:{port}").diagnosis == "no-health"


@pytest.mark.parametrize("arguments", [(GREET,), ("--list",)])
def test_a_server_without_reflection(arguments: tuple[str, ...]) -> None:
    with grpc_server(described=False) as port:
        assert call(f"127.0.0.1:{port}", *arguments).diagnosis == "no-reflection"


@pytest.mark.parametrize(
    ("method", "known"),
    [
        ("test.v1.Greeter/Great", "Test.v1.Greeter has Greet, GreetOften"),
        ("test.v1.Greter/Greet", "It has the services test.v1.Greeter"),
        ("test.v1.Name/Greet", "It has the services test.v1.Greeter"),
    ],
)
def test_a_method_that_the_server_does_not_know(method: str, known: str) -> None:
    with grpc_server() as port:
        said = call(f"127.0.0.1:{port}", method)
    assert said.diagnosis == "method-unknown"
    assert known in said.problem


def test_a_deadline_of_this_client() -> None:
    with grpc_server() as port:
        said = call(f"127.0.0.1:{port}", "test.v1.Greeter/Think", timeout=2)
    assert said.diagnosis == "client-deadline"
    assert said.found["call"]["status"] == "DEADLINE_EXCEEDED"


def test_an_error_of_the_server_itself() -> None:
    with grpc_server() as port:
        said = call(f"127.0.0.1:{port}", "test.v1.Greeter/Refuse")
    assert said.diagnosis == "server-error"
    assert "PERMISSION_DENIED (not  [31myou)" in said.text
    assert "\x1b" not in said.text


def test_a_connection_that_is_not_accepted_a_second_time() -> None:
    with server(turns_grpc_away) as port:
        said = call(f"127.0.0.1:{port}", timeout=1)
    assert said.diagnosis == "no-connection"


def test_a_connection_that_breaks_during_the_call() -> None:
    with server(breaks_off) as port:
        said = call(f"127.0.0.1:{port}")
    assert said.diagnosis == "connection-lost"
