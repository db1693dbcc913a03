"""The contract is checked against gRPC itself: its C core reads the service config."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Event
from typing import Any

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grpc_platform.client_contract import (
    ClientContract,
    client_contract,
    route_deadline,
    service_config,
)
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


@given(st.timedeltas(min_value=timedelta(milliseconds=10), max_value=timedelta(hours=1)))
def test_the_client_gives_up_before_the_route_but_not_much(deadline: timedelta) -> None:
    timeout = service_config(deadline)["methodConfig"][0]["timeout"]
    assert timeout.endswith("s")
    seconds = float(timeout[:-1])
    assert 0.85 * deadline.total_seconds() < seconds < deadline.total_seconds()
    assert deadline.total_seconds() - seconds < 0.51


class Greeter(grpc.GenericRpcHandler):
    """Answers any method with its own port; `/test/Slow` only once its client has left."""

    port = 0

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        def answer(_request: bytes, context: grpc.ServicerContext) -> bytes:
            if handler_call_details.method == "/test/Slow":
                left = Event()
                context.add_callback(left.set)
                left.wait(20)
            return str(self.port).encode()

        handler: Any = grpc  # its stubs leave the messages' types out
        return handler.unary_unary_rpc_method_handler(answer)


@pytest.fixture
def servers() -> Iterator[list[int]]:
    """Two gRPC servers on loopback; their ports."""
    started: list[tuple[grpc.Server, int]] = []
    for _ in range(2):
        greeter = Greeter()
        server = grpc.server(ThreadPoolExecutor(4), handlers=[greeter])
        greeter.port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        started.append((server, greeter.port))
    yield [port for _, port in started]
    for server, _ in started:
        server.stop(None).wait()


def channel_to(ports: list[int], config: str) -> grpc.Channel:
    target = "ipv4:" + ",".join(f"127.0.0.1:{port}" for port in ports)
    return grpc.insecure_channel(target, options=[("grpc.service_config", config)])


def test_grpc_spreads_one_clients_calls_over_all_addresses(servers: list[int]) -> None:
    with channel_to(servers, contract(ServiceSpec()).service_config) as channel:
        untyped: Any = channel
        call = untyped.unary_unary("/test/Fast")
        warm_up = {call(b"", wait_for_ready=True) for _ in range(200)}
        assert len(warm_up) == 2
        spread = Counter(call(b"") for _ in range(40))
    assert set(spread.values()) == {20}


def test_grpc_ends_a_slow_call_at_the_contracts_deadline(servers: list[int]) -> None:
    known = contract(ServiceSpec(deadline=timedelta(milliseconds=300)))
    with (
        channel_to(servers, known.service_config) as channel,
        pytest.raises(grpc.RpcError) as failure,
    ):
        channel.unary_unary("/test/Slow")(b"", wait_for_ready=True, timeout=10)
    # gRPC takes the sooner of the call's own timeout and the config's.
    assert "Deadline" in str(failure.value.details())
    assert failure.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED


def test_grpc_refuses_a_service_config_with_a_mistake(servers: list[int]) -> None:
    """The two tests above would prove nothing if gRPC ignored what it cannot read."""
    known = contract(ServiceSpec())
    wrong = replace(known, service_config=known.service_config.replace("14.500s", "14.5"))
    with channel_to(servers, wrong.service_config) as channel, pytest.raises(grpc.RpcError):
        channel.unary_unary("/test/Fast")(b"", wait_for_ready=True, timeout=5)
