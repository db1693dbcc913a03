"""Probes and lifecycle handlers: single attempts of each kind, and the thresholds that turn
attempts into a verdict."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import grpc.aio
import httpx

from testbed.node_agent import Json

RunInside = Callable[[list[str]], Awaitable[tuple[int, str]]]
"""Runs a command in the container: exit status and output."""

# Starting a command takes 40 ms of CPU: many at once would time out waiting for a core.
_SLOTS = asyncio.Semaphore(8)

Verdicts = AsyncIterator[tuple[bool, str]]
_SERVING = 1  # grpc.health.v1.HealthCheckResponse.ServingStatus


class ProbeFailed(Exception):  # noqa: N818
    """The attempt failed; the text goes into the Event."""


async def attempt(handler: Json, container: Json, address: str, run: RunInside) -> None:
    """One try of a probe's or hook's handler; raises ProbeFailed."""
    if "exec" in handler:
        code, output = await run(handler["exec"]["command"])
        if code:
            raise ProbeFailed(f"command exited with status {code}: {output[:500]}")
    elif "httpGet" in handler:
        await _http(handler["httpGet"], container, address)
    elif "tcpSocket" in handler:
        spec = handler["tcpSocket"]
        host = spec.get("host") or address
        try:
            _, writer = await asyncio.open_connection(host, port(spec["port"], container))
        except OSError as error:
            raise ProbeFailed(f"connect to {host}:{spec['port']}: {error}") from error
        writer.close()
    elif "grpc" in handler:
        await _grpc(handler["grpc"], address)
    elif "sleep" in handler:
        await asyncio.sleep(handler["sleep"]["seconds"])
    else:
        raise ProbeFailed(f"no known handler in {sorted(handler)}")


def port(value: int | str, container: Json) -> int:
    """A port, given by number or by its name in the container."""
    if isinstance(value, int) or value.isdigit():
        return int(value)
    for declared in container.get("ports", []):
        if declared.get("name") == value:
            return int(declared["containerPort"])
    raise ProbeFailed(f"the container has no port named {value!r}")


def _unverified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


_CONTEXT = _unverified()


async def _http(spec: Json, container: Json, address: str) -> None:
    scheme = spec.get("scheme", "HTTP").lower()
    host = spec.get("host") or address
    url = f"{scheme}://{host}:{port(spec['port'], container)}{spec.get('path', '/')}"
    headers = {"User-Agent": "kube-probe/1.35", "Accept": "*/*"}
    headers |= {header["name"]: header["value"] for header in spec.get("httpHeaders", [])}
    try:
        # A new connection each time, like the kubelet: a kept one would prove less.
        async with httpx.AsyncClient(verify=_CONTEXT, trust_env=False, timeout=None) as client:
            answer = await client.get(url, headers=headers)
    except httpx.HTTPError as error:
        raise ProbeFailed(f"GET {url}: {error!r}") from error
    if not 200 <= answer.status_code < 400:
        raise ProbeFailed(f"GET {url}: HTTP status {answer.status_code}: {answer.text[:200]}")


async def _grpc(spec: Json, address: str) -> None:
    """Call grpc.health.v1.Health/Check; its two one-field messages are encoded by hand."""
    service = spec.get("service") or ""
    name = service.encode()
    request = b"\x0a" + bytes([len(name)]) + name if name else b""
    if len(name) > 127:
        raise ProbeFailed("the service's name is longer than 127 bytes")
    target = f"{address}:{spec['port']}"
    untyped: Any = grpc.aio.insecure_channel(target)
    async with untyped as channel:
        check = channel.unary_unary("/grpc.health.v1.Health/Check")
        try:
            answer: bytes = await check(request)
        except grpc.aio.AioRpcError as error:
            raise ProbeFailed(f"{target}: {error.code().name}: {error.details()}") from error
    if answer != bytes([0x08, _SERVING]):
        raise ProbeFailed(f"{target}: service {service!r} is not serving")


async def verdicts(probe: Json, try_once: Callable[[], Awaitable[None]]) -> Verdicts:
    """Run a probe endlessly; yield (good, reason) each time its threshold is reached.

    A failing probe repeats its verdict at every failure past the threshold, with the reason.
    """
    await asyncio.sleep(probe.get("initialDelaySeconds", 0))
    period = probe.get("periodSeconds", 10)
    run, good_before = 0, None
    slot = _SLOTS if "exec" in probe else contextlib.nullcontext()
    while True:
        try:
            async with slot, asyncio.timeout(probe.get("timeoutSeconds", 1)):
                await try_once()
            good, reason = True, ""
        except ProbeFailed as failure:
            good, reason = False, str(failure)
        except TimeoutError:
            good, reason = False, f"no answer within {probe.get('timeoutSeconds', 1)} s"
        run = run + 1 if good == good_before else 1
        good_before = good
        threshold = probe.get("successThreshold", 1) if good else probe.get("failureThreshold", 3)
        if run >= threshold:
            yield good, reason
        await asyncio.sleep(period)
