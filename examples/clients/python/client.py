"""A client of the sample services, in grpc.aio, that keeps a service's contract.

It calls at a fixed rate and prints one line of JSON for each call that has ended.
"""

import argparse
import asyncio
import contextlib
import json
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import grpc

sys.path.insert(0, str(Path(__file__).parents[2] / "apps"))
greeter, greeter_services = grpc.protos_and_services("greeter.proto")
ticker, ticker_services = grpc.protos_and_services("ticker.proto")

Call = Callable[[dict[str, Any]], Awaitable[None]]
TICK_SECONDS = 0.2


# snippet: begin
MILLISECONDS = {
    "grpc.keepalive_time_ms": "keepalive_time_seconds",
    "grpc.keepalive_timeout_ms": "keepalive_timeout_seconds",
    "grpc.dns_min_time_between_resolutions_ms": "min_resolution_interval_seconds",
}


def open_channel(
    contract: dict[str, Any], ca: bytes | None = None
) -> tuple[grpc.aio.Channel, float | None]:
    """A channel that keeps the contract and connects at once, and the timeout for each call."""
    config = json.loads(contract.get("service_config", "{}"))
    (method,) = config.get("methodConfig", [{}])
    # C-core ends a call 1 to 2 s before the timeout in a service config, and does not tell the
    # server: https://github.com/grpc/grpc/issues/34547
    timeout = method.pop("timeout", None)
    options = {k: round(contract[v] * 1000) for k, v in MILLISECONDS.items() if v in contract}
    # By default two pings are sent and no more, where only the server sends (in a stream):
    # https://github.com/grpc/grpc/blob/master/doc/keepalive.md
    options["grpc.http2.max_pings_without_data"] = 0
    if "max_message_bytes" in contract:
        options["grpc.max_receive_message_length"] = contract["max_message_bytes"]
    given = [*options.items(), ("grpc.service_config", json.dumps(config))]
    if contract["tls"]:
        trusted = grpc.ssl_channel_credentials(ca)
        channel = grpc.aio.secure_channel(contract["target_uri"], trusted, given)
    else:
        channel = grpc.aio.insecure_channel(contract["target_uri"], given)
    channel.get_state(try_to_connect=True)
    return channel, float(timeout.removesuffix("s")) if timeout else None


# snippet: end


async def greet(method: Any, name: str, timeout: float | None, line: dict[str, Any]) -> None:
    """Make one unary call; notes in its line who answered."""
    reply = await method(greeter.GreetRequest(name=name), timeout=timeout)
    line.update(pod=reply.pod, envoy=reply.caller)


async def tick(method: Any, seconds: float, timeout: float | None, line: dict[str, Any]) -> None:
    """Read one stream to its end; notes in its line who answered, and the ticks."""
    count = max(1, round(seconds / TICK_SECONDS))
    request = ticker.TickRequest(count=count, interval_seconds=TICK_SECONDS)
    line["ticks"] = 0
    async for reply in method(request, timeout=timeout):
        line.update(pod=reply.pod, envoy=reply.caller, ticks=line["ticks"] + 1)


async def report(call: Call) -> None:
    """Make a call and print its line when it has ended."""
    line = {"at": time.time(), "ms": 0.0, "code": "OK", "pod": "", "envoy": "", "message": ""}
    started = time.perf_counter()
    try:
        await call(line)
    except grpc.aio.AioRpcError as error:
        line.update(code=error.code().name, pod="", envoy="", message=error.details() or "")
    line["ms"] = round((time.perf_counter() - started) * 1000, 3)
    print(json.dumps(line), flush=True)


async def run(arguments: argparse.Namespace) -> None:
    """Call until SIGTERM or for the seconds asked for, then await the calls in flight."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    loop.call_later(arguments.seconds, ended.set)
    ca = arguments.ca.read_bytes() if arguments.ca else None
    channel, timeout = open_channel(arguments.contract, ca)
    async with channel:
        if arguments.stream is not None:
            method = ticker_services.TickerStub(channel).Tick
            streams = asyncio.create_task(forever(partial(tick, method, arguments.stream, timeout)))
            await ended.wait()
            streams.cancel()
            return
        method, name = greeter_services.GreeterStub(channel).Greet, "x" * arguments.message_bytes
        calls: set[asyncio.Task[None]] = set()
        due = loop.time()
        while not ended.is_set():
            call = asyncio.create_task(report(partial(greet, method, name, timeout)))
            calls.add(call)
            call.add_done_callback(calls.discard)
            due += 1 / arguments.rate
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), due - loop.time())
        await asyncio.gather(*calls)


async def forever(call: Call) -> None:
    """Make one call after the other."""
    while True:
        await report(call)
        await asyncio.sleep(TICK_SECONDS)  # for those that fail at once


def positive(text: str) -> float:
    """A number above 0; ValueError for any other text."""
    if (number := float(text)) > 0:
        return number
    raise ValueError


def contract_in(path: str) -> dict[str, Any]:
    """The contract in a file; ArgumentTypeError if there is none."""
    try:
        contract = json.loads(Path(path).read_text())
        return contract | {"target_uri": contract["target_uri"], "tls": contract["tls"]}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise argparse.ArgumentTypeError(f"{path} holds no contract: {error!r}") from None


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(usage=argparse.SUPPRESS)  # a mistake is told in one line
    parser.add_argument("contract", metavar="CONTRACT.json", type=contract_in)
    parser.add_argument("--rate", type=positive, default=10.0, help="calls per second")
    parser.add_argument("--seconds", type=positive, default=1e9, help="call for so long")
    parser.add_argument("--stream", type=positive, help="streams of so many seconds, no calls")
    parser.add_argument("--message-bytes", type=int, default=3, help="length of the name")
    parser.add_argument("--ca", type=Path, help="trust this file of certificates")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
