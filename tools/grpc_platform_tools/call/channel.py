"""Calls through one address, so that the Envoy that answers is known."""

import json
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.json_format import MessageToDict

from grpc_platform_tools.call.clock import ms_since, now
from grpc_platform_tools.call.steps import Call, Target
from grpc_platform_tools.call.tls import Roots


@dataclass(frozen=True, kw_only=True)
class Method:
    """A method of a service, with the classes of its messages."""

    name: str
    """`package.Service/Method`."""
    request: Any
    reply: Any
    client_streams: bool
    server_streams: bool


@contextmanager
def open_channel(target: Target, address: str, roots: Roots, timeout: float) -> Generator[Any]:
    """A `grpc.Channel` to one address, closed at the end of the block. Each of its calls ends after
    `timeout` seconds."""
    options = [
        ("grpc.default_authority", target.authority),
        # The steps before went straight to the address too.
        ("grpc.enable_http_proxy", 0),
        # For reflection's calls, whose library sets no deadline.
        (
            "grpc.service_config",
            json.dumps({"methodConfig": [{"name": [{}], "timeout": f"{timeout:.3f}s"}]}),
        ),
    ]
    where = f"ipv4:{address}:{target.port}"
    if target.tls:
        credentials = grpc.ssl_channel_credentials(roots.pem)
        options.append(("grpc.ssl_target_name_override", target.server_name))
        channel = grpc.secure_channel(where, credentials, options)
    else:
        channel = grpc.insecure_channel(where, options)
    with channel:
        yield channel


def connected(channel: Any, timeout: float) -> float | None:
    """Wait until the channel is ready; returns after how many milliseconds, or None for never."""
    started = now()
    try:
        grpc.channel_ready_future(channel).result(timeout)
    except grpc.FutureTimeoutError:
        return None
    return ms_since(started)


def call(channel: Any, method: Method, request: Any, address: str) -> Call:
    """Call once, with one request. Of a stream the first message is read; closing the channel ends
    it."""
    kind = f"{_arity(method.client_streams)}_{_arity(method.server_streams)}"
    # A stream's reader is asked for messages; the others are made into the same with one message.
    start = getattr(channel, kind)(
        f"/{method.name}",
        request_serializer=method.request.SerializeToString,
        response_deserializer=method.reply.FromString,
    )
    sent = iter([request]) if method.client_streams else request
    started = now()
    reply: Any = None
    try:
        if method.server_streams:
            answer = start(sent)
            reply = next(answer, None)
        else:
            reply, answer = start.with_call(sent)
    except grpc.RpcError as error:
        return failed(method.name, address, error, started)
    return Call(
        method=method.name,
        address=address,
        status="OK",
        metadata=_as_text(answer.initial_metadata()),
        reply=None if reply is None else MessageToDict(reply, preserving_proto_field_name=True),
        ms=ms_since(started),
    )


def failed(method: str, address: str, error: Any, started: float) -> Call:
    """The answer to a call that raised a `grpc.RpcError`."""
    halves = [error.initial_metadata() or (), error.trailing_metadata() or ()]
    return Call(
        method=method,
        address=address,
        status=error.code().name,
        message=error.details() or "",
        metadata=_as_text(pair for half in halves for pair in half),
        ms=ms_since(started),
    )


def _arity(streams: bool) -> str:
    return "stream" if streams else "unary"


def _as_text(metadata: Iterable[Any]) -> dict[str, str]:
    return {key: value if isinstance(value, str) else bytes(value).hex() for key, value in metadata}
