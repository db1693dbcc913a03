"""A gRPC client that calls the sample services and prints what came of it, as JSON.

Each channel has connections of its own, as that many client processes would have.
"""

import argparse
import json
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import grpc

greeter, greeter_services = grpc.protos_and_services("greeter.proto")
ticker, ticker_services = grpc.protos_and_services("ticker.proto")

Invoke = Callable[[], tuple[str, str]]
"""Makes one call; returns (pod, caller)."""
Option = tuple[str, str | int]

CONFIG = {"loadBalancingConfig": [{"pick_first": {"shuffleAddressList": True}}]}
OPTIONS: tuple[Option, ...] = (
    # Channels of one process share connections otherwise.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.service_config", json.dumps(CONFIG)),
)


class Tally:
    """What came of the calls to one target."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.codes: Counter[str] = Counter()
        self.pods: Counter[str] = Counter()
        self.callers: Counter[str] = Counter()
        self.milliseconds: list[float] = []
        self.error = ""
        self.first_answer = 0.0
        self._lock = threading.Lock()

    def call(self, invoke: Invoke) -> None:
        """Make one call and count what came of it."""
        started = time.perf_counter()
        try:
            pod, caller = invoke()
        except grpc.RpcError as error:
            with self._lock:
                self.codes[error.code().name] += 1
                self.error = error.details()
            return
        elapsed = (time.perf_counter() - started) * 1000
        with self._lock:
            self.first_answer = self.first_answer or time.time()
            self.codes["OK"] += 1
            self.pods[pod] += 1
            self.callers[caller] += 1
            self.milliseconds.append(elapsed)

    def report(self) -> dict[str, Any]:
        """Counts by status code, server pod and caller (Envoy), and latencies of good calls."""
        times = sorted(self.milliseconds)
        at = {f"p{q}": times[min(len(times) - 1, len(times) * q // 100)] for q in (50, 99) if times}
        return {
            "target": self.target,
            "codes": self.codes,
            "pods": self.pods,
            "callers": self.callers,
            "milliseconds": at,
            "first_answer": self.first_answer,
            "error": self.error,
        }


def _channel(target: str, ca: str | None, options: Sequence[Option]) -> grpc.Channel:
    if ca is None:
        return grpc.insecure_channel(f"dns:///{target}", options)
    trusted = grpc.ssl_channel_credentials(Path(ca).read_bytes())
    return grpc.secure_channel(f"dns:///{target}", trusted, options)


def _greet(channel: grpc.Channel) -> Invoke:
    stub = greeter_services.GreeterStub(channel)

    def invoke() -> tuple[str, str]:
        reply = stub.Greet(greeter.GreetRequest(name="you"), timeout=15)
        return reply.pod, reply.caller

    return invoke


def _tick(channel: grpc.Channel, count: int, interval: float) -> Invoke:
    stub = ticker_services.TickerStub(channel)

    def invoke() -> tuple[str, str]:
        request = ticker.TickRequest(count=count, interval_seconds=interval)
        *_, last = stub.Tick(request, timeout=count * interval + 15)
        return last.pod, last.caller

    return invoke


def _chain(target: str) -> dict[str, Any]:
    """What the resolver says of a target's name: its canonical name and the addresses."""
    host = target.rpartition(":")[0]
    try:
        canonical, _, addresses = socket.gethostbyname_ex(host)
    except OSError as error:
        canonical, addresses = str(error), []
    return {"name": host, "canonical": canonical, "addresses": addresses}


def main() -> None:
    """Call each target in turn, so that targets called in one run compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="+", help="host:port; all are called in turn")
    parser.add_argument("--service", choices=("greeter", "ticker"), default="greeter")
    parser.add_argument("--authority", help="the host to ask for, where a target is an address")
    parser.add_argument("--ca", help="call over TLS and trust this file")
    parser.add_argument("--calls", type=int, default=100, help="on each channel, to each target")
    parser.add_argument("--channels", type=int, default=1)
    parser.add_argument("--seconds", type=float, help="call for so long, instead of --calls")
    parser.add_argument("--re-resolve", type=float, help="seconds between look-ups (gRPC: 30)")
    parser.add_argument("--pause", type=float, default=0.0, help="seconds between calls")
    parser.add_argument("--ticks", type=int, default=5, help="length of a stream")
    parser.add_argument("--interval", type=float, default=0.05, help="seconds between ticks")
    arguments = parser.parse_args()

    tallies = [Tally(target) for target in arguments.targets]
    until = time.monotonic() + arguments.seconds if arguments.seconds else None
    ended = threading.Event()

    def end(*_: object) -> None:
        ended.set()

    signal.signal(signal.SIGTERM, end)

    given: list[Option] = []
    if arguments.authority:
        given.append(("grpc.default_authority", arguments.authority))
    if arguments.re_resolve:
        floor = int(arguments.re_resolve * 1000)
        given.append(("grpc.dns_min_time_between_resolutions_ms", floor))

    def work() -> None:
        options = (*OPTIONS, *given)
        channels = [_channel(t.target, arguments.ca, options) for t in tallies]
        if arguments.service == "greeter":
            invokes = [_greet(channel) for channel in channels]
        else:
            invokes = [_tick(channel, arguments.ticks, arguments.interval) for channel in channels]
        made = 0
        while not ended.is_set() and (
            time.monotonic() < until if until else made < arguments.calls
        ):
            for tally, invoke in zip(tallies, invokes, strict=True):
                tally.call(invoke)
            made += 1
            time.sleep(arguments.pause)

    threads = [threading.Thread(target=work) for _ in range(arguments.channels)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    chains = [_chain(target) for target in arguments.targets]
    report = {"targets": [tally.report() for tally in tallies], "chains": chains}
    print(json.dumps(report), flush=True)


if __name__ == "__main__":
    main()
