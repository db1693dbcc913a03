"""`load client` on C-core, the other family of gRPC, for a hundred calls a second.

It makes unary calls at a rate and prints the same report as `load client` (report.go). Only
connections are missing: C-core does not report them.
"""

import argparse
import asyncio
import json
import math
import random
import resource
import signal
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from grpc import aio

CALL = "/load.v1.Load/Call"
POLICIES: dict[str, Any] = {"pick_first": {"shuffleAddressList": True}, "round_robin": {}}


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call, sent ``at`` (Unix time), ``behind`` its due time; durations in seconds."""

    at: float
    behind: float
    took: float
    channel: int
    code: str
    message: str
    answer: str
    """POD CALLER_IP; empty if the call failed."""

    @property
    def caller(self) -> str:
        return self.answer.partition(" ")[2]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="+", metavar="NAME=HOST:PORT")
    parser.add_argument("--channels", type=int, default=1)
    parser.add_argument("--rate", type=float, required=True, help="calls/s over all channels")
    parser.add_argument("--policy", choices=POLICIES, default="pick_first")
    parser.add_argument("--re-resolve", type=seconds, default=30.0)
    parser.add_argument("--duration", type=seconds, default=math.inf)
    parser.add_argument("--deadline", type=seconds, default=15.0, help="of a call")
    parser.add_argument("--authority")
    parser.add_argument("--keepalive", type=seconds, default=0.0)
    parser.add_argument("--keepalive-timeout", type=seconds, default=10.0)
    parser.add_argument("--window", type=seconds, default=1.0)
    return parser.parse_args()


def seconds(text: str) -> float:
    """A duration as `load client` takes it, of one unit: 500ms, 30s, 5m, 1h."""
    for unit, factor in (("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0)):
        if text.endswith(unit):
            return float(text.removesuffix(unit)) * factor
    raise ValueError(text)


def open_channel(address: str, options: argparse.Namespace) -> aio.Channel:
    """A channel with connections of its own."""
    policy = {"loadBalancingConfig": [{options.policy: POLICIES[options.policy]}]}
    settings: list[tuple[str, Any]] = [
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.dns_min_time_between_resolutions_ms", round(options.re_resolve * 1000)),
        ("grpc.service_config", json.dumps(policy)),
        ("grpc.enable_http_proxy", 0),
    ]
    if options.keepalive:
        settings.append(("grpc.keepalive_time_ms", round(options.keepalive * 1000)))
        settings.append(("grpc.keepalive_timeout_ms", round(options.keepalive_timeout * 1000)))
    if options.authority:
        settings.append(("grpc.default_authority", options.authority))
    return aio.insecure_channel(f"dns:///{address}", options=settings)


async def call(channel: Any, number: int, due: float, deadline: float) -> Call:
    """Make one call that was due at that (monotonic) time."""
    code, message, answer = "OK", "", ""
    at, start = time.time(), time.monotonic()
    try:
        # Raw protobuf: an empty message, and a string after its tag and length.
        said: bytes = await channel.unary_unary(CALL)(b"", timeout=deadline)
        answer = said[2 if said[1] < 128 else 3 :].decode()
    except aio.AioRpcError as error:
        code, message = error.code().name, error.details() or ""
    took = time.monotonic() - start
    return Call(
        at=at,
        behind=start - due,
        took=took,
        channel=number,
        code=code,
        message=message,
        answer=answer,
    )


async def run(options: argparse.Namespace) -> dict[str, Any]:
    """Call until the duration is over or SIGTERM, spread evenly over channels, the targets in
    turn."""
    stop, began, clock = asyncio.Event(), time.time(), time.monotonic()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    targets = dict(target.split("=", 1) for target in options.targets)
    lanes = [
        (name, number, open_channel(address, options))
        for number in range(options.channels)
        for name, address in targets.items()
    ]
    ready = [asyncio.create_task(channel.channel_ready()) for *_, channel in lanes]
    for task in (await asyncio.wait(ready, timeout=options.deadline))[1]:
        task.cancel()

    tasks: dict[str, list[asyncio.Task[Call]]] = {name: [] for name in targets}
    first, sent = time.monotonic() + random.random() / options.rate, 0
    while not stop.is_set() and (due := first + sent / options.rate) < clock + options.duration:
        if (left := due - time.monotonic()) > 0:
            try:
                await asyncio.wait_for(stop.wait(), left)
                break
            except TimeoutError:
                pass
        name, number, channel = lanes[sent % len(lanes)]
        tasks[name].append(asyncio.create_task(call(channel, number, due, options.deadline)))
        sent += 1
    calls = {name: list(await asyncio.gather(*started)) for name, started in tasks.items()}
    for *_, channel in lanes:
        await channel.close()

    used = resource.getrusage(resource.RUSAGE_SELF)
    behind = sorted(made.behind * 1000 for of in calls.values() for made in of)
    return {
        "targets": {name: summary(of, began, options.window) for name, of in calls.items()},
        "seconds": round(time.monotonic() - clock, 3),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 3),
        "behind_ms_p99": quantile(behind, 0.99) or 0.0,
    }


def summary(calls: Sequence[Call], began: float, window: float) -> dict[str, Any]:
    """The report about one target."""
    failed = sorted((made for made in calls if made.code != "OK"), key=lambda made: made.at)
    slowest = sorted(calls, key=lambda made: -made.took)
    median = quantile([made.took for made in reversed(slowest)], 0.5) or 0.0
    good = [made.took * 1000 for made in reversed(slowest) if made.code == "OK"]
    answered = [made.answer.partition(" ") for made in calls if made.answer]
    told: dict[str, Any] = {
        "calls": len(calls),
        "codes": Counter(made.code for made in calls),
        "failures": [
            {
                "at": round(made.at, 3),
                "code": made.code,
                "message": made.message,
                "after_ms": round(made.took * 1000, 3),
            }
            for made in failed[:200]
        ],
        "slow": sum(made.took > median + 1 for made in calls),
        "slowest": [
            {"at": round(made.at, 3), "ms": round(made.took * 1000, 3)} for made in slowest[:20]
        ],
        "callers": Counter(caller for _, _, caller in answered),
        "pods": Counter(pod for pod, _, _ in answered),
        "windows": windows(calls, began, window),
    }
    if good:
        ranks = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999, "max": 1.0}
        told["milliseconds"] = {name: quantile(good, rank) for name, rank in ranks.items()} | {
            "mean": round(sum(good) / len(good), 3)
        }
    return told


def windows(calls: Sequence[Call], began: float, length: float) -> list[dict[str, Any]]:
    """The calls by the time they were sent; times are those of OK calls."""
    count = 1 + max((int((made.at - began) / length) for made in calls), default=0)
    sent: list[list[Call]] = [[] for _ in range(count)]
    for made in sorted(calls, key=lambda made: made.at):
        sent[int((made.at - began) / length)].append(made)
    told: list[dict[str, Any]] = []
    holders: dict[int, str] = {}  # by channel: the caller in its latest answer
    for place, within in enumerate(sent):
        holders |= {made.channel: made.caller for made in within if made.answer}
        good = sorted(made.took * 1000 for made in within if made.code == "OK")
        told.append(
            {
                "at": round(began + place * length, 3),
                "ok": len(good),
                "failed": len(within) - len(good),
                "p50": quantile(good, 0.5),
                "p99": quantile(good, 0.99),
                "max": quantile(good, 1.0),
                "callers": Counter(made.caller for made in within if made.answer),
                "holders": Counter(holders.values()),
            }
        )
    return told


def quantile(ordered: Sequence[float], rank: float) -> float | None:
    """The quantile by nearest rank, with three digits; None without values."""
    if not ordered:
        return None
    return round(ordered[max(0, math.ceil(rank * len(ordered)) - 1)], 3)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(run(arguments()))))
