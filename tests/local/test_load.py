"""The load generator against its own server, over loopback: its report is exact."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2
from grpc_health.v1 import health_pb2_grpc as _untyped

from testbed.cluster.build import Builder
from testbed.load import ccore
from testbed.load.part import LOAD

services: Any = _untyped
Report = dict[str, Any]


@dataclass(frozen=True)
class Server:
    process: subprocess.Popen[str]
    port: int

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def end(self, how: signal.Signals) -> int:
        self.process.send_signal(how)
        return self.process.wait(30)


@pytest.fixture(scope="session")
def load() -> Path:
    builder = Builder(wanted=(LOAD,))
    builder.start()
    try:
        return builder.result("load")
    finally:
        builder.stop()


@pytest.fixture
def serve(load: Path) -> Iterator[Callable[..., Server]]:
    with ExitStack() as stack:

        def start(*flags: str, pod: str = "pod", port: int = 0) -> Server:
            process = subprocess.Popen(
                [load, "server", "--port", str(port), *flags],
                env={**os.environ, "HOSTNAME": pod},
                stderr=subprocess.PIPE,
                text=True,
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            assert process.stderr is not None
            return Server(process, int(process.stderr.readline().rpartition(":")[2]))

        yield start


@dataclass(frozen=True)
class Client:
    process: subprocess.Popen[str]

    def wait_until_sent(self) -> None:
        """Until it has sent more than the opening of its connections takes."""
        self._wait("wchar", 5_000)

    def wait_until_answered(self) -> None:
        """Until it has received more than that, and than what a start reads."""
        self._wait("rchar", 25_000)

    def _wait(self, counter: str, size: int) -> None:
        counters = Path(f"/proc/{self.process.pid}/io")
        while int(counters.read_text().split(f"{counter}: ")[1].split()[0]) < size:
            assert self.process.poll() is None
            time.sleep(0.01)

    def report(self) -> Report:
        out, _ = self.process.communicate(timeout=60)
        assert self.process.returncode == 0
        (line,) = out.splitlines()
        return json.loads(line)


@pytest.fixture
def call(load: Path) -> Iterator[Callable[..., Client]]:
    with ExitStack() as stack:

        def start(*arguments: str) -> Client:
            command = [load, "client", *arguments]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            stack.enter_context(process)
            stack.callback(process.kill)
            return Client(process)

        yield start


Serve = Callable[..., Server]
Call = Callable[..., Client]


def add_up(report: Report) -> None:
    """Fail if the parts of a target's report do not sum up to the whole."""
    for target in report["targets"].values():
        windows = target["windows"]
        assert sum(target["codes"].values()) == target["calls"]
        assert sum(w["ok"] for w in windows) == target["codes"].get("OK", 0)
        assert sum(w["ok"] + w["failed"] for w in windows) == target["calls"]
        callers: Counter[str] = Counter()
        for window in windows:
            callers.update(window["callers"])
        assert callers == target["callers"]
        assert sum(target["pods"].values()) == sum(callers.values())
        assert sum(w["opened"] for w in windows) == target["connections"]


def test_every_call_of_every_channel_is_counted(serve: Serve, call: Call) -> None:
    server = serve(pod="a")
    arguments = ("--channels", "3", "--concurrency", "2", "--calls", "50", "--window", "10ms")
    report = call(f"it={server.address}", *arguments).report()
    add_up(report)
    target = report["targets"]["it"]
    assert target["codes"] == {"OK": 150}
    assert target["pods"] == {"a": 150}
    assert target["callers"] == {"127.0.0.1": 150}
    assert target["connections"] == 3
    assert target["windows"][-1]["holders"] == {"127.0.0.1": 3}
    times = target["milliseconds"]
    assert times["p50"] <= times["p90"] <= times["p99"] <= times["p99.9"] <= times["max"]
    assert times["max"] == target["slowest"][0]["ms"]
    assert len(target["slowest"]) == 20
    assert target["slow"] == 0


def test_two_targets_are_called_in_turn(serve: Serve, call: Call) -> None:
    targets = [f"{name}={serve(pod=name).address}" for name in ("a", "b")]
    report = call("--rate", "500", *targets, "--channels", "2", "--duration", "1s").report()
    add_up(report)
    a, b = report["targets"]["a"], report["targets"]["b"]
    assert abs(a["calls"] - b["calls"]) <= 2
    assert a["pods"] == {"a": a["calls"]}
    assert b["pods"] == {"b": b["calls"]}


def test_slow_answers_do_not_slow_the_rate(serve: Serve, call: Call) -> None:
    server = serve("--delay", "400ms")
    report = call(f"it={server.address}", "--rate", "200", "--duration", "2s").report()
    assert 0.9 < report["targets"]["it"]["codes"]["OK"] / (200 * 2) < 1.05


def test_the_rate_follows_its_curve(serve: Serve, call: Call) -> None:
    flags = ("--curve", "0s=100,1s=100,3s=500,4s=500", "--duration", "4s", "--channels", "4")
    report = call(f"it={serve().address}", *flags).report()
    assert 0.9 < report["targets"]["it"]["codes"]["OK"] / (100 + 600 + 500) < 1.05


def test_calls_over_the_deadline_are_told(serve: Serve, call: Call) -> None:
    server = serve("--delay", "30s")
    report = call(f"it={server.address}", "--calls", "2", "--deadline", "50ms").report()
    assert report["targets"]["it"]["codes"] == {"DEADLINE_EXCEEDED": 2}
    assert all(failure["after_ms"] >= 50 for failure in report["targets"]["it"]["failures"])


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_server_loses_no_call_and_a_killed_one_does(
    serve: Serve, call: Call, how: signal.Signals
) -> None:
    server = serve("--delay", "200ms")
    client = call(f"it={server.address}", "--rate", "500", "--channels", "4")
    client.wait_until_answered()
    ended = time.time()
    server.end(how)
    client.process.terminate()
    report = client.report()
    add_up(report)
    target = report["targets"]["it"]
    assert set(target["codes"]) == {"OK", "UNAVAILABLE"}
    assert min(failure["at"] for failure in target["failures"]) >= ended - 0.5
    # Nothing listens any more: these failures are not caused by the stop.
    lost = [f for f in target["failures"] if "connection refused" not in f["message"]]
    assert bool(lost) == (how is signal.SIGKILL), lost


def test_a_reconnect_to_the_same_place_is_told(serve: Serve, call: Call) -> None:
    server = serve()
    client = call(f"it={server.address}", "--rate", "100")
    client.wait_until_sent()
    server.end(signal.SIGTERM)
    again = serve(pod="again", port=server.port)
    connections = Path(f"/proc/{again.process.pid}/net/tcp6")
    mine = f":{server.port:04X}"
    while not any(
        line.split()[1].endswith(mine) and line.split()[3] == "01"
        for line in connections.read_text().splitlines()[1:]
    ):
        time.sleep(0.01)
    client.process.terminate()
    report = client.report()
    add_up(report)
    target = report["targets"]["it"]
    assert (target["connections"], target["stayed"], target["moved"]) == (2, 1, 0)


def test_health_is_served_until_the_end(serve: Serve) -> None:
    server = serve()
    with grpc.insecure_channel(server.address) as channel:
        check = services.HealthStub(channel).Check
        for service in ("", "load.v1.Load"):
            said = check(health_pb2.HealthCheckRequest(service=service))
            assert said.status == health_pb2.HealthCheckResponse.SERVING
        assert server.end(signal.SIGTERM) == 0


def test_the_grace_bounds_a_stop(serve: Serve, call: Call) -> None:
    server = serve("--delay", "600s", "--grace", "100ms")
    client = call(f"it={server.address}", "--rate", "500", "--calls", "200")
    client.wait_until_sent()
    assert server.end(signal.SIGTERM) == 0
    assert set(client.report()["targets"]["it"]["codes"]) == {"UNAVAILABLE"}


def test_streams_are_taken_whole(serve: Serve, call: Call) -> None:
    server = serve()
    arguments = ("--stream", "300ms", "--interval", "50ms", "--calls", "2", "--channels", "2")
    report = call(f"it={server.address}", *arguments).report()
    add_up(report)
    target = report["targets"]["it"]
    assert target["codes"] == {"OK": 4}
    assert target["lasted"]["p50"] >= 300 * 0.95
    assert target["longest_gap_ms"] >= 50
    assert "milliseconds" not in target


def test_messages_of_a_bidirectional_stream_are_answered(serve: Serve, call: Call) -> None:
    server = serve(pod="a")
    flags = ("--exchange", "20", "--payload", "100000", "--calls", "3", "--concurrency", "2")
    report = call(f"it={server.address}", *flags).report()
    add_up(report)
    target = report["targets"]["it"]
    assert target["codes"] == {"OK": 3}
    assert target["pods"] == {"a": 3}
    assert "milliseconds" in target


def test_a_cut_bidirectional_stream_is_told(serve: Serve, call: Call) -> None:
    server = serve()
    client = call(f"it={server.address}", "--exchange", "1000000000", "--calls", "1")
    client.wait_until_answered()
    server.end(signal.SIGKILL)
    assert client.report()["targets"]["it"]["codes"] == {"UNAVAILABLE": 1}


def test_a_cut_stream_is_told_and_one_left_is_no_failure(serve: Serve, call: Call) -> None:
    server = serve()
    endless = ("--stream", "600s", "--interval", "1ms")
    cut = call(f"it={server.address}", *endless, "--calls", "1", "--channels", "2")
    left = call(f"it={server.address}", *endless)
    for client in (cut, left):
        client.wait_until_answered()
    left.process.terminate()
    target = left.report()["targets"]["it"]
    assert (target["unfinished"], target["calls"]) == (1, 0)
    server.end(signal.SIGKILL)
    target = cut.report()["targets"]["it"]
    assert target["codes"] == {"UNAVAILABLE": 2}
    assert target["unfinished"] == 0
    assert target["callers"] == {"127.0.0.1": 2}


@pytest.mark.parametrize("protocol", ["tcp", "http2"])
def test_calls_and_streams_go_through_the_relay(
    load: Path, serve: Serve, call: Call, protocol: str
) -> None:
    server = serve(pod="a")
    command = [load, "relay", "-as", protocol, "-to", server.address, "-port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as relay:
        assert relay.stderr is not None
        target = f"it=127.0.0.1:{int(relay.stderr.readline().rpartition(':')[2])}"
        try:
            flags = ("--channels", "2", "--concurrency", "4", "--calls", "100")
            large = call(target, *flags, "--payload", str(200_000)).report()["targets"]["it"]
            streams = call(target, "--stream", "300ms", "--calls", "2").report()["targets"]["it"]
        finally:
            relay.terminate()
    assert large["codes"] == {"OK": 200}
    assert large["connections"] == 2
    assert streams["codes"] == {"OK": 2}


def test_c_core_reports_the_same(serve: Serve, call: Call) -> None:
    address = serve(pod="a").address
    arguments = (f"it={address}", "--rate", "100", "--channels", "4", "--duration", "2s")
    done = subprocess.run(
        [sys.executable, ccore.__file__, *arguments], capture_output=True, text=True, check=True
    )
    report, other = json.loads(done.stdout), call(*arguments).report()
    assert set(report) == set(other)
    target, model = report["targets"]["it"], other["targets"]["it"]
    assert set(model) - set(target) == {"connections", "moved", "stayed", "unfinished"}
    assert set(model["windows"][0]) - set(target["windows"][0]) == {"opened"}
    assert set(target["milliseconds"]) == set(model["milliseconds"])
    assert target["codes"] == {"OK": target["calls"]}
    assert target["pods"] == {"a": target["calls"]}
    assert target["windows"][-1]["holders"] == {"127.0.0.1": 4}
    assert sum(w["ok"] for w in target["windows"]) == target["calls"]
    assert 0.9 < target["calls"] / (100 * 2) < 1.05


def test_a_missing_server_is_reported(call: Call) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        report = call(f"it=127.0.0.1:{port}", "--calls", "3").report()
    target = report["targets"]["it"]
    assert target["codes"] == {"UNAVAILABLE": 3}
    assert all("connection refused" in failure["message"] for failure in target["failures"])
