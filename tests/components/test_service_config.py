"""The service config is checked against gRPC itself: its C core reads it."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from threading import Event, Lock
from typing import Any

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grpc_platform.quantities import memory_bytes
from grpc_platform.service_config import (
    ROUND_ROBIN_CLIENTS,
    SUBSET_SIZE,
    SUBSETTING_CLIENTS,
    balancing,
    service_config,
)
from grpc_platform.specs import EnvoySpec, ServiceSpec

SECOND = timedelta(seconds=1)


@given(st.timedeltas(min_value=timedelta(milliseconds=10), max_value=timedelta(hours=1)))
def test_the_client_gives_up_before_the_route_but_not_much(deadline: timedelta) -> None:
    timeout = service_config(ServiceSpec(), deadline)["methodConfig"][0]["timeout"]
    assert timeout.endswith("s")
    seconds = float(timeout[:-1])
    assert 0.85 * deadline.total_seconds() < seconds < deadline.total_seconds()
    assert deadline.total_seconds() - seconds < 0.51


@given(st.timedeltas(min_value=timedelta(milliseconds=10), max_value=timedelta(hours=1)))
def test_grpc_js_which_reads_decimals_as_nanoseconds_reads_the_same(deadline: timedelta) -> None:
    timeout = service_config(ServiceSpec(), deadline)["methodConfig"][0]["timeout"]
    whole, _, decimals = timeout.removesuffix("s").partition(".")
    assert int(whole) + int(decimals) / 1e9 == pytest.approx(float(timeout[:-1]))


@pytest.mark.parametrize(
    ("clients", "policies"),
    [
        (None, ["round_robin"]),
        (1, ["round_robin"]),
        (ROUND_ROBIN_CLIENTS, ["round_robin"]),
        (ROUND_ROBIN_CLIENTS + 1, ["random_subsetting_experimental", "round_robin"]),
        (SUBSETTING_CLIENTS, ["random_subsetting_experimental", "round_robin"]),
        (SUBSETTING_CLIENTS + 1, ["pick_first"]),
    ],
)
def test_more_clients_open_fewer_connections_each(clients: int | None, policies: list[str]) -> None:
    assert [name for policy in balancing(clients) for name in policy] == policies


def documented(field: str, pattern: str) -> list[float]:
    """The numbers that the documentation of a service's setting gives."""
    text = ServiceSpec.model_fields[field].description or ""
    match = re.search(pattern, " ".join(text.split()))
    assert match, text
    return [float(number.replace(",", "")) for number in match.groups()]


def test_the_documentation_tells_which_clients_connect_to_how_many_envoys() -> None:
    few, many = documented("clients", r"up to ([\d,]+) or .* to three up to ([\d,]+) ")
    assert (few, many, SUBSET_SIZE) == (ROUND_ROBIN_CLIENTS, SUBSETTING_CLIENTS, 3)


def test_the_connections_of_one_service_take_little_of_an_envoy() -> None:
    """Of all that it accepts, and of its memory: a connection takes 35 KiB (see `balancing`)."""
    assert EnvoySpec().max_connections / 100 >= ROUND_ROBIN_CLIENTS
    of_three_envoys = SUBSETTING_CLIENTS * SUBSET_SIZE / 3
    assert of_three_envoys * 35 * 1024 < memory_bytes(EnvoySpec().memory) / 10


def test_a_subset_has_what_grpc_requires_of_it() -> None:
    """The C core does not know the policy; Go and Java refuse one without a size or a policy for
    its members (gRFC A68)."""
    [first, _] = balancing(SUBSETTING_CLIENTS)
    subset = first["random_subsetting_experimental"]
    assert subset["subsetSize"] == SUBSET_SIZE
    assert subset["childPolicy"] == balancing(None)


def test_a_service_cannot_declare_no_clients() -> None:
    with pytest.raises(ValueError, match="clients"):
        ServiceSpec(clients=0)


def test_a_service_without_deadline_and_retries_has_no_method_config() -> None:
    config = service_config(ServiceSpec(streaming=True), None)
    assert config == {"loadBalancingConfig": [{"round_robin": {}}]}


def test_only_a_service_that_says_so_is_retried() -> None:
    assert "retryThrottling" not in service_config(ServiceSpec(), SECOND)
    assert "retryPolicy" not in service_config(ServiceSpec(), SECOND)["methodConfig"][0]
    streams = service_config(ServiceSpec(streaming=True, idempotent=True), None)
    assert streams["methodConfig"][0]["retryPolicy"]
    assert "timeout" not in streams["methodConfig"][0]


def test_the_documentation_tells_how_long_a_client_waits_before_it_tries_again() -> None:
    [method] = service_config(ServiceSpec(idempotent=True), SECOND)["methodConfig"]
    policy = method["retryPolicy"]
    first = float(policy["initialBackoff"][:-1])
    second = min(first * policy["backoffMultiplier"], float(policy["maxBackoff"][:-1]))
    told = documented("idempotent", r"up to two times, after about ([\d.]+) and ([\d.]+) s")
    assert [first, second] == pytest.approx(told)


def test_where_some_calls_always_fail_a_tenth_more_load_comes_at_most() -> None:
    """Each retry takes a token, and only calls that succeed give some back."""
    assert (
        service_config(ServiceSpec(idempotent=True), SECOND)["retryThrottling"]["tokenRatio"] <= 0.1
    )


class Greeter(grpc.GenericRpcHandler):
    """Answers any method with its own port; `/test/Slow` only once its client has left, and the
    first `failures` calls with UNAVAILABLE."""

    def __init__(self) -> None:
        self.port = 0
        self.failures = 0
        self.attempts = 0
        self._lock = Lock()

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        def answer(_request: bytes, context: grpc.ServicerContext) -> bytes:
            with self._lock:
                self.attempts += 1
                fails = self.attempts <= self.failures
            if fails:
                context.abort(grpc.StatusCode.UNAVAILABLE, "gone")
            if handler_call_details.method == "/test/Slow":
                left = Event()
                context.add_callback(left.set)
                left.wait(20)
            return str(self.port).encode()

        handler: Any = grpc  # its stubs leave the messages' types out
        return handler.unary_unary_rpc_method_handler(answer)


@pytest.fixture
def servers() -> Iterator[list[Greeter]]:
    """Two gRPC servers on loopback."""
    greeters = [Greeter(), Greeter()]
    started: list[grpc.Server] = []
    for greeter in greeters:
        server = grpc.server(ThreadPoolExecutor(16), handlers=[greeter])
        greeter.port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        started.append(server)
    yield greeters
    for server in started:
        server.stop(None).wait()


Dial = Callable[[dict[str, Any], list[Greeter]], Any]


@pytest.fixture
def dial() -> Iterator[Dial]:
    """A channel to some servers with a service config."""
    with ExitStack() as open_channels:

        def dial(config: dict[str, Any], servers: list[Greeter]) -> Any:
            target = "ipv4:" + ",".join(f"127.0.0.1:{server.port}" for server in servers)
            options = [
                ("grpc.service_config", json.dumps(config)),
                # As if each channel were a process of its own.
                ("grpc.use_local_subchannel_pool", 1),
            ]
            return open_channels.enter_context(grpc.insecure_channel(target, options=options))

        yield dial


@pytest.mark.parametrize("clients", [None, ROUND_ROBIN_CLIENTS + 1])
def test_grpc_spreads_one_clients_calls_over_all_addresses(
    servers: list[Greeter], dial: Dial, clients: int | None
) -> None:
    """Also where it is told of a policy that it does not know."""
    channel = dial(service_config(ServiceSpec(clients=clients), 15 * SECOND), servers)
    call = channel.unary_unary("/test/Fast")
    warm_up: set[bytes] = set()
    for _ in range(5_000):  # calls go to whoever is connected: the second may take a while
        warm_up.add(call(b"", wait_for_ready=True))
        if len(warm_up) == 2:
            break
    spread = Counter(call(b"") for _ in range(40))
    assert set(spread.values()) == {20}


def test_thousands_of_clients_are_told_to_shuffle_and_keep_one_connection(
    servers: list[Greeter], dial: Dial
) -> None:
    config = service_config(ServiceSpec(clients=SUBSETTING_CLIENTS + 1), 15 * SECOND)
    firsts: set[bytes] = set()
    for _ in range(20):
        call = dial(config, servers).unary_unary("/test/Fast")
        answers = {call(b"", wait_for_ready=True) for _ in range(5)}
        assert len(answers) == 1
        firsts |= answers
    assert len(firsts) == 2


def test_grpc_ends_a_slow_call_at_the_contracts_deadline(
    servers: list[Greeter], dial: Dial
) -> None:
    channel = dial(service_config(ServiceSpec(), timedelta(milliseconds=300)), servers)
    with pytest.raises(grpc.RpcError) as failure:
        channel.unary_unary("/test/Slow")(b"", wait_for_ready=True, timeout=10)
    # gRPC takes the sooner of the call's own timeout and the config's.
    error: Any = failure.value
    assert "Deadline" in str(error.details())
    assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED


@pytest.mark.parametrize("idempotent", [False, True])
def test_grpc_retries_the_calls_of_an_idempotent_service_alone(
    servers: list[Greeter], dial: Dial, *, idempotent: bool
) -> None:
    (server, _) = servers
    server.failures = 2
    channel = dial(service_config(ServiceSpec(idempotent=idempotent), 15 * SECOND), [server])
    call = channel.unary_unary("/test/Fast")
    if idempotent:
        assert call(b"", wait_for_ready=True) == str(server.port).encode()
        assert server.attempts == 3
    else:
        with pytest.raises(grpc.RpcError):
            call(b"", wait_for_ready=True)
        assert server.attempts == 1


def test_a_call_that_goes_on_failing_is_tried_three_times(
    servers: list[Greeter], dial: Dial
) -> None:
    (server, _) = servers
    server.failures = 1_000_000
    channel = dial(service_config(ServiceSpec(idempotent=True), 15 * SECOND), [server])
    with pytest.raises(grpc.RpcError):
        channel.unary_unary("/test/Fast")(b"", wait_for_ready=True)
    assert server.attempts == 3


def test_a_service_that_is_down_gets_no_multiple_of_its_load(
    servers: list[Greeter], dial: Dial
) -> None:
    (server, _) = servers
    server.failures = 1_000_000
    channel = dial(service_config(ServiceSpec(idempotent=True), 15 * SECOND), [server])
    call = channel.unary_unary("/test/Fast")
    pending = [call.future(b"", wait_for_ready=True) for _ in range(400)]
    assert {future.code() for future in pending} == {grpc.StatusCode.UNAVAILABLE}
    # Each failure takes a token of 100, and nothing is tried again once half of them are gone.
    assert 400 < server.attempts <= 400 + 50


def test_grpc_refuses_a_service_config_with_a_mistake(servers: list[Greeter], dial: Dial) -> None:
    """The tests above would prove nothing if gRPC ignored what it cannot read."""
    config = service_config(ServiceSpec(), 15 * SECOND)
    config["methodConfig"][0]["timeout"] = "14.5"
    with pytest.raises(grpc.RpcError):
        dial(config, servers).unary_unary("/test/Fast")(b"", wait_for_ready=True, timeout=5)
