"""A gRPC server on 127.0.0.1 for a test."""

import threading
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health, health_pb2
from grpc_health.v1 import health_pb2_grpc as _untyped
from grpc_reflection.v1alpha import reflection

from tests.tools.call.certificates import Pair

_health_services: Any = _untyped


def _described() -> DescriptorPool:
    file = FileDescriptorProto(name="test.proto", package="test.v1", syntax="proto3")
    for message, fields in {"Name": ["name"], "Greeting": ["greeting", "pod"]}.items():
        made = file.message_type.add(name=message)
        for number, field in enumerate(fields, 1):
            made.field.add(
                name=field,
                number=number,
                type=FieldDescriptorProto.TYPE_STRING,
                label=FieldDescriptorProto.LABEL_OPTIONAL,
            )
    service = file.service.add(name="Greeter")
    for method, streams in {
        "Greet": False,
        "GreetOften": True,
        "Think": False,
        "Refuse": False,
    }.items():
        service.method.add(
            name=method,
            input_type=".test.v1.Name",
            output_type=".test.v1.Greeting",
            server_streaming=streams,
        )
    pool = DescriptorPool()
    pool.Add(file)  # pyright: ignore[reportUnknownMemberType]
    return pool


_POOL = _described()
_NAME, _GREETING = (
    GetMessageClass(_POOL.FindMessageTypeByName(f"test.v1.{name}")) for name in ("Name", "Greeting")
)


def _greet(request: Any, context: grpc.ServicerContext) -> Any:
    return _GREETING(greeting=f"Hello, {request.name}", pod="greeter-0")


def _greet_often(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
    while context.is_active():
        yield _greet(request, context)


def _think(request: Any, context: grpc.ServicerContext) -> Any:
    """Answers nothing."""
    ended = threading.Event()
    context.add_callback(ended.set)
    ended.wait()
    return _GREETING()


def _refuse(request: Any, context: grpc.ServicerContext) -> Any:
    context.abort(grpc.StatusCode.PERMISSION_DENIED, "not \x1b[31myou")


@contextmanager
def grpc_server(
    *, pair: Pair | None = None, health_status: str | None = "SERVING", described: bool = True
) -> Generator[int]:
    """A gRPC server of the service test.v1.Greeter, over TLS with a `pair`; without health where
    `health_status` is None, without reflection unless `described`. Yields its port."""
    server = grpc.server(ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0)])
    serialize: Any = {
        "request_deserializer": _NAME.FromString,
        "response_serializer": _GREETING.SerializeToString,
    }
    handlers = {
        "Greet": grpc.unary_unary_rpc_method_handler(_greet, **serialize),
        "GreetOften": grpc.unary_stream_rpc_method_handler(_greet_often, **serialize),
        "Refuse": grpc.unary_unary_rpc_method_handler(_refuse, **serialize),
        "Think": grpc.unary_unary_rpc_method_handler(_think, **serialize),
    }
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler("test.v1.Greeter", handlers)]
    )
    if health_status:
        status = health.HealthServicer()
        status.set("", health_pb2.HealthCheckResponse.ServingStatus.Value(health_status))
        _health_services.add_HealthServicer_to_server(status, server)
    if described:
        reflection.enable_server_reflection(["test.v1.Greeter"], server, _POOL)
    if pair:
        pem = [(pair.key.read_bytes(), pair.certificate.read_bytes())]
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials(pem))
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(None).wait()
