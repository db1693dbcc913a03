"""`pulumi-resource-aws` of the testbed: speaks the provider's protocol, and stands in for AWS.

Route53's zones and records are made at the emulator, where there is one. Look-ups are answered, and
all other resources echoed, by the preview's own stand-ins (`grpc_platform_tools.preview.fixtures`).
Which changes replace a resource is read from the tools' own table, so for AWS the engine's plan and
`grpc-platform diff` agree by construction: that they do proves nothing.

It is never on a user's path: only `testbed.engine.home` puts it there.
"""

import os
import signal
import sys
from collections.abc import Callable
from concurrent import futures
from importlib import metadata
from typing import Any, TypeVar, cast

import grpc
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc
from pulumi.runtime.rpc import UNKNOWN

from grpc_platform_tools.diff.replacement import forces_replacement
from grpc_platform_tools.diff.values import differences
from grpc_platform_tools.preview.fixtures import Fixtures
from testbed.engine.zones import Refused, Zones

Values = dict[str, Any]
_T = TypeVar("_T")

ZONE = "aws:route53/zone:Zone"
RECORD = "aws:route53/record:Record"
_GET_ZONE = "aws:route53/getZone:getZone"


def main() -> None:
    """Serve until the engine ends this process; it reads the port from standard output."""
    server = grpc.server(futures.ThreadPoolExecutor(16))
    zones = Zones() if "AWS_ENDPOINT_URL" in os.environ else None
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Aws(zones), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    signal.sigwait({signal.SIGINT, signal.SIGTERM})
    server.stop(grace=0)


class Aws(provider_pb2_grpc.ResourceProviderServicer):
    """The provider. The names of its methods are the protocol's."""

    def __init__(self, zones: Zones | None) -> None:
        self._zones = zones
        self._config: Values = {}

    @property
    def _region(self) -> str | None:
        return self._config.get("region")

    # --- the plugin itself ---------------------------------------------------------------------

    def GetPluginInfo(self, request: Any, context: Any) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=metadata.version("pulumi-aws"))

    def CheckConfig(self, request: Any, context: Any) -> provider_pb2.CheckResponse:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> provider_pb2.DiffResponse:
        found = differences(_plain(request.old_inputs), _plain(request.news))
        return _diff([str(d.raw[0]) for d in found], [])

    def Configure(self, request: Any, context: Any) -> provider_pb2.ConfigureResponse:
        self._config = _plain(request.args)
        return provider_pb2.ConfigureResponse(supportsPreview=True)

    def Cancel(self, request: Any, context: Any) -> empty_pb2.Empty:
        return empty_pb2.Empty()

    # --- resources -----------------------------------------------------------------------------

    def Check(self, request: Any, context: Any) -> provider_pb2.CheckResponse:
        return provider_pb2.CheckResponse(inputs=request.news)

    def Diff(self, request: Any, context: Any) -> provider_pb2.DiffResponse:
        before, after = _plain(request.old_inputs), _plain(request.news)
        ignored = tuple(request.ignoreChanges)
        found = [d for d in differences(before, after) if str(d.raw[0]) not in ignored]
        replacing = [
            str(d.raw[0])
            for d in found
            if forces_replacement(
                request.type,
                d.raw,
                d.old,
                d.new,
                before=before,
                after=after,
                provider=self._config,
            )
        ]
        return _diff([str(d.raw[0]) for d in found], replacing)

    def Create(self, request: Any, context: Any) -> provider_pb2.CreateResponse:
        inputs = _plain(request.properties)
        identifier, computed = Fixtures().made(request.type, request.name, inputs, self._region)
        if request.preview:
            planned = _over(_unknown(computed), inputs)
            return provider_pb2.CreateResponse(properties=_struct(planned))
        if self._zones and request.type == ZONE:
            zone = _try(context, lambda zones=self._zones: zones.make(str(inputs["name"])))
            identifier, computed = zone["id"], zone
        elif self._zones and request.type == RECORD:
            overwrite = bool(inputs.get("allowOverwrite"))
            _try(context, lambda zones=self._zones: zones.write(inputs, overwrite=overwrite))
            identifier = _record_id(inputs)
        state = _struct(_over(computed, inputs))
        return provider_pb2.CreateResponse(id=identifier, properties=state)

    def Read(self, request: Any, context: Any) -> provider_pb2.ReadResponse:
        state, inputs = _plain(request.properties), _plain(request.inputs)
        if self._zones and request.type == ZONE and not self._zones.named(request.id):
            return provider_pb2.ReadResponse()
        if self._zones and request.type == RECORD:
            found = self._zones.read(inputs)
            if found is None:
                return provider_pb2.ReadResponse()
            state, inputs = {**state, **found}, {**inputs, **found}
        return provider_pb2.ReadResponse(
            id=request.id, properties=_struct(state), inputs=_struct(inputs)
        )

    def Update(self, request: Any, context: Any) -> provider_pb2.UpdateResponse:
        before, inputs = _plain(request.olds), _plain(request.news)
        if self._zones and request.type == RECORD and not request.preview:
            _try(context, lambda zones=self._zones: zones.update(before, inputs))
        state = _struct(_over(before, inputs))
        return provider_pb2.UpdateResponse(properties=state)

    def Delete(self, request: Any, context: Any) -> empty_pb2.Empty:
        state = _plain(request.properties)
        if self._zones and request.type == ZONE:
            forced = bool(state.get("forceDestroy"))
            _try(context, lambda zones=self._zones: zones.delete(request.id, forced=forced))
        elif self._zones and request.type == RECORD:
            _try(context, lambda zones=self._zones: zones.remove(state))
        return empty_pb2.Empty()

    # --- look-ups ------------------------------------------------------------------------------

    def Invoke(self, request: Any, context: Any) -> provider_pb2.InvokeResponse:
        arguments = _plain(request.args)
        try:
            answer = Fixtures().looked_up(request.tok, arguments, self._region)
        except LookupError as error:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, str(error))
            raise
        if self._zones and request.tok == _GET_ZONE:
            answer |= self._zones.looked_up(arguments.get("zoneId"), arguments.get("name"))
        response: Any = {"return": _struct(answer)}  # a keyword of Python
        return provider_pb2.InvokeResponse(**response)


def _diff(differing: list[str], replacing: list[str]) -> provider_pb2.DiffResponse:
    kinds = provider_pb2.DiffResponse.DiffChanges
    return provider_pb2.DiffResponse(
        changes=kinds.DIFF_SOME if differing else kinds.DIFF_NONE,
        diffs=list(dict.fromkeys(differing)),
        replaces=list(dict.fromkeys(replacing)),
    )


def _over(computed: Values, inputs: Values) -> Values:
    """What the provider computes, with the inputs over it, also within."""
    merged = dict(computed)
    for key, value in inputs.items():
        within = merged.get(key)
        both = isinstance(within, dict) and isinstance(value, dict)
        merged[key] = _over(cast("Values", within), cast("Values", value)) if both else value
    return merged


def _unknown(value: Any) -> Any:
    """The same with nothing in it known yet."""
    if isinstance(value, dict):
        return {key: _unknown(item) for key, item in cast("Values", value).items()}
    return UNKNOWN


def _record_id(inputs: Values) -> str:
    parts = (inputs["zoneId"], inputs["name"], inputs["type"], inputs.get("setIdentifier"))
    return "_".join(str(part) for part in parts if part)


def _try(context: Any, act: Callable[[], _T]) -> _T:
    """What the emulator refuses is the engine's to tell, as an error of the resource."""
    try:
        return act()
    except Refused as error:
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
        raise


def _plain(struct: struct_pb2.Struct) -> Values:
    return cast("Values", _whole(json_format.MessageToDict(struct)))


def _whole(value: Any) -> Any:
    """Protobuf has but one kind of number."""
    if isinstance(value, dict):
        items = cast("Values", value)
        return {key: _whole(item) for key, item in items.items()}
    if isinstance(value, list):
        return [_whole(item) for item in cast("list[Any]", value)]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _struct(values: Values) -> struct_pb2.Struct:
    struct = struct_pb2.Struct()
    struct.update(values)
    return struct


if __name__ == "__main__":
    main()
