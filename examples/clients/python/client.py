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

TICK_SECONDS = 0.2


# snippet: begin
def open_channel(contract: dict[str, Any], ca: bytes | None = None) -> grpc.aio.Channel:
    """A channel that keeps the contract, and connects at once. Create it in a running loop."""

    def milliseconds(field: str) -> int | None:
        return round(contract[field] * 1000) if field in contract else None

    options = {
        "grpc.service_config": contract.get("service_config"),
        "grpc.keepalive_time_ms": milliseconds("keepalive_time_seconds"),
        "grpc.keepalive_timeout_ms": milliseconds("keepalive_timeout_seconds"),
        "grpc.dns_min_time_between_resolutions_ms": milliseconds("min_resolution_interval_seconds"),
        "grpc.max_receive_message_length": contract.get("max_message_bytes"),
    }
    if "keepalive_time_seconds" in contract:
        options["grpc.keepalive_permit_without_calls"] = 0
        # By default two pings and no more, while the client sends nothing (a server's stream):
        # https://github.com/grpc/grpc/blob/master/doc/keepalive.md
        options["grpc.http2.max_pings_without_data"] = 0
    given = [(name, value) for name, value in options.items() if value is not None]
    if contract["tls"]:
        trusted = grpc.ssl_channel_credentials(ca)
        channel = grpc.aio.secure_channel(contract["target_uri"], trusted, given)
    else:
        channel = grpc.aio.insecure_channel(contract["target_uri"], given)
    channel.get_state(try_to_connect=True)
    return channel


# snippet: end


async def greet(channel: grpc.aio.Channel, name: str, line: dict[str, Any]) -> None:
    """Make one unary call; notes in its line who answered."""
    reply = await greeter_services.GreeterStub(channel).Greet(greeter.GreetRequest(name=name))
    line.update(pod=reply.pod, envoy=reply.caller)


async def tick(channel: grpc.aio.Channel, seconds: float, line: dict[str, Any]) -> None:
    """Read one stream to its end; notes in its line who answered, and the ticks."""
    count = max(1, round(seconds / TICK_SECONDS))
    request = ticker.TickRequest(count=count, interval_seconds=TICK_SECONDS)
    line["ticks"] = 0
    async for reply in ticker_services.TickerStub(channel).Tick(request):
        line.update(pod=reply.pod, envoy=reply.caller, ticks=line["ticks"] + 1)


async def report(call: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
    """Make a call and print its line when it has ended."""
    line: dict[str, Any] = {"at": time.time(), "ms": 0.0, "code": "OK", "pod": "", "envoy": ""}
    line["message"] = ""
    started = time.perf_counter()
    try:
        await call(line)
    except grpc.aio.AioRpcError as error:
        line.update(code=error.code().name, pod="", envoy="", message=error.details())
    line["ms"] = round((time.perf_counter() - started) * 1000, 3)
    print(json.dumps(line), flush=True)


async def run(arguments: argparse.Namespace) -> None:
    """Call until SIGTERM or for the seconds asked for, then await the calls in flight."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    if arguments.seconds is not None:
        loop.call_later(arguments.seconds, ended.set)
    ca = arguments.ca.read_bytes() if arguments.ca else None
    async with open_channel(arguments.contract, ca) as channel:
        if arguments.stream is not None:
            streams = asyncio.create_task(tick_on(channel, arguments.stream, 1 / arguments.rate))
            await ended.wait()
            streams.cancel()
            return
        name = "x" * arguments.message_bytes
        calls: set[asyncio.Task[None]] = set()
        due = loop.time()
        while not ended.is_set():
            call = asyncio.create_task(report(partial(greet, channel, name)))
            calls.add(call)
            call.add_done_callback(calls.discard)
            due += 1 / arguments.rate
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), due - loop.time())
        await asyncio.gather(*calls)


async def tick_on(channel: grpc.aio.Channel, seconds: float, pause: float) -> None:
    """Read one stream after the other, for ever. The pause is for those that fail at once."""
    while True:
        await report(partial(tick, channel, seconds))
        await asyncio.sleep(pause)


def positive(text: str) -> float:
    """The number in a text; ArgumentTypeError if there is none, or none above 0."""
    with contextlib.suppress(ValueError):
        if (number := float(text)) > 0:
            return number
    raise argparse.ArgumentTypeError(f"{text} is no positive number")


def contract_in(path: str) -> dict[str, Any]:
    """The contract in a file; ArgumentTypeError if there is none."""
    try:
        contract = json.loads(Path(path).read_text())
        return {**contract, "target_uri": contract["target_uri"], "tls": contract["tls"]}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise argparse.ArgumentTypeError(f"{path} holds no contract: {error!r}") from None


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(usage=argparse.SUPPRESS)  # a mistake is told in one line
    parser.add_argument("contract", metavar="CONTRACT.json", type=contract_in)
    parser.add_argument("--rate", type=positive, default=10.0, help="calls per second (10)")
    parser.add_argument("--seconds", type=positive, help="call for so long (until SIGTERM)")
    parser.add_argument("--stream", type=positive, help="streams of so many seconds, no calls")
    parser.add_argument("--message-bytes", type=int, default=3, help="length of the name")
    parser.add_argument("--ca", type=Path, help="trust this file of certificates")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
