"""What a client is told of a service."""

import json
import re
from datetime import timedelta

import pytest

from grpc_platform.client_contract import ClientContract, client_contract, route_deadline
from grpc_platform.specs import ServiceSpec
from grpc_platform.timing import Timing


def contract(spec: ServiceSpec, timing: Timing | None = None) -> ClientContract:
    return client_contract(
        "greeter",
        spec,
        zone_name="grpc.example.com",
        http_port=8080,
        https_port=8443,
        timing=timing or Timing(),
    )


def test_a_service_with_every_default_is_dialled_in_plaintext_under_its_own_name() -> None:
    known = contract(ServiceSpec())
    assert known.target_uri == "dns:///greeter.grpc.example.com:8080"
    assert (known.host, known.port, known.tls) == ("greeter.grpc.example.com", 8080, False)
    assert known.deadline_seconds == 15
    assert known.reconnect_interval_seconds == 315
    assert known.rebalance_time_seconds == 442
    assert known.min_resolution_interval_seconds == 30
    assert known.stream_lifetime_seconds == 537
    assert known.max_message_bytes == 4_194_304


def test_the_times_of_a_contract_are_those_of_its_platform() -> None:
    timing = Timing(
        min_resolution_interval=timedelta(seconds=20),
        max_connection_duration=timedelta(minutes=2),
        max_deadline=timedelta(seconds=90),
    )
    known = contract(ServiceSpec(), timing)
    assert known.min_resolution_interval_seconds == 20
    assert known.reconnect_interval_seconds == 135
    assert known.stream_lifetime_seconds == 377


def test_keepalive_is_nothing_that_a_library_raises_by_itself() -> None:
    """grpc-java and grpc-go make 10 s of any shorter time."""
    known = contract(ServiceSpec())
    assert known.keepalive_time_seconds >= 10
    assert 0 < known.keepalive_timeout_seconds < known.keepalive_time_seconds


def test_what_a_service_declares_reaches_the_service_config() -> None:
    config = json.loads(contract(ServiceSpec(idempotent=True, clients=3_000)).service_config)
    assert [*config["loadBalancingConfig"][0]] == ["pick_first"]
    assert config["methodConfig"][0]["retryPolicy"]
    assert config["methodConfig"][0]["timeout"].startswith("14.5")


def test_a_tls_service_is_dialled_on_the_tls_port() -> None:
    known = contract(ServiceSpec(tls_secret="greeter-tls", host="hello.grpc.example.com"))
    assert known.target_uri == "dns:///hello.grpc.example.com:8443"
    assert known.tls


def test_the_contract_is_plain_json() -> None:
    plain = contract(ServiceSpec(streaming=True)).to_dict()
    assert json.loads(json.dumps(plain)) == plain
    assert plain["deadline_seconds"] is None


@pytest.mark.parametrize("host", ["greeter.example.com", "grpc.example.com", "xgrpc.example.com"])
def test_a_host_outside_the_zone_is_refused(host: str) -> None:
    message = f"GrpcService greeter: host = {host}: must be in the zone: <name>.grpc.example.com"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        contract(ServiceSpec(host=host))


def test_a_deadline_longer_than_the_drain_is_refused() -> None:
    message = (
        "GrpcService greeter: deadline = 1m30s: exceeds envoy.max_deadline (1m), which Envoy's "
        "drain waits for; shorten it, or raise max_deadline in the platform's stack"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        contract(ServiceSpec(deadline=timedelta(seconds=90)))


def test_the_default_deadline_is_held_to_the_same_limit() -> None:
    with pytest.raises(ValueError, match=r"deadline = 15s: exceeds envoy\.max_deadline \(10s\)"):
        contract(ServiceSpec(), Timing(max_deadline=timedelta(seconds=10)))


def test_a_deadline_on_a_streaming_service_is_refused() -> None:
    message = (
        "GrpcService greeter: deadline = 30s: ends every stream; a streaming service needs infinity"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        contract(ServiceSpec(streaming=True, deadline=timedelta(seconds=30)))


def test_a_call_without_an_end_has_no_deadline() -> None:
    for spec in (ServiceSpec(streaming=True), ServiceSpec(deadline="infinity")):
        assert route_deadline("greeter", spec, timedelta(seconds=60)) is None
