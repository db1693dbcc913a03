"""Methods by name: health's is known here, others are asked of the server by reflection."""

import importlib
from typing import Any

from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message_factory import GetMessageClass

from grpc_platform_tools.call.channel import Method
from grpc_platform_tools.errors import UserError

# Neither is typed.
_health: Any = importlib.import_module("grpc_health.v1.health_pb2")
_reflection: Any = importlib.import_module(
    "grpc_reflection.v1alpha.proto_reflection_descriptor_database"
)

HEALTH = Method(
    name="grpc.health.v1.Health/Check",
    request=_health.HealthCheckRequest,
    reply=_health.HealthCheckResponse,
    client_streams=False,
    server_streams=False,
)
REFLECTION = "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"


def services(channel: Any) -> list[str]:
    """The services that the server names. Raises `grpc.RpcError`."""
    return sorted(_reflection.ProtoReflectionDescriptorDatabase(channel).get_services())


class UnknownMethodError(Exception):
    """The server does not know a method; the message names what it has instead."""


def find_method(channel: Any, name: str) -> Method:
    """The method `package.Service/Method`. Raises UnknownMethodError, and `grpc.RpcError` when
    reflection cannot be called."""
    if name == HEALTH.name:
        return HEALTH
    service, _, method = name.partition("/")
    pool: Any = DescriptorPool(_reflection.ProtoReflectionDescriptorDatabase(channel))
    try:
        methods = pool.FindServiceByName(service).methods_by_name
    except KeyError:
        known = ", ".join(services(channel))
        raise UnknownMethodError(f"it has the services {known}") from None
    if method not in methods:
        raise UnknownMethodError(f"{service} has {', '.join(methods)}")
    found = methods[method]
    return Method(
        name=name,
        request=GetMessageClass(found.input_type),
        reply=GetMessageClass(found.output_type),
        client_streams=found.client_streaming,
        server_streams=found.server_streaming,
    )


def message(method: Method, data: dict[str, Any]) -> Any:
    """The request. Raises UserError if `data` does not fit it."""
    try:
        return ParseDict(data, method.request())
    except ParseError as error:
        why = " ".join(str(error).split())  # it may have several lines
        raise UserError(
            f"--data does not fit {method.request.DESCRIPTOR.full_name}: {why}"
        ) from error
