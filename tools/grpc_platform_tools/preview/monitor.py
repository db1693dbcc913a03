"""Answers the SDK's own gRPC requests in the engine's place, and keeps what they register.

Names, parents, providers, aliases and dependencies are as the engine would see them.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from threading import Lock
from typing import Any, cast

from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.mocks import MockMonitor
from pulumi.runtime.proto import engine_pb2, resource_pb2

from grpc_platform_tools.graph import SECRET, STACK_TYPE, Resource, mark_name
from grpc_platform_tools.preview.fixtures import FILE, Fixtures
from grpc_platform_tools.preview.layout import Layout
from grpc_platform_tools.preview.wire import Plain, plain

_TRANSFORMS = "transforms are registered, but do not run here: their changes do not show"


class Engine:
    """Keeps a program's warnings and errors; an engine fails an update on an error."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.errors: list[str] = []

    def Log(self, request: engine_pb2.LogRequest) -> empty_pb2.Empty:
        if request.severity == engine_pb2.WARNING:
            self.warnings.append(request.message)
        elif request.severity == engine_pb2.ERROR:
            self.errors.append(request.message)
        return empty_pb2.Empty()


class Monitor(MockMonitor):
    """Answers registrations from fixtures and keeps them; the rest is the SDK's own mock."""

    def __init__(
        self,
        project: str,
        stack: str,
        region: str | None,
        fixtures: Fixtures,
        layout: Layout,
        mark_key: bytes,
    ) -> None:
        no_mocks: Any = None  # every call that would reach them is answered here
        super().__init__(no_mocks)
        self._project, self._stack, self._fixtures = project, stack, fixtures
        self._region, self._layout, self._mark_key = region, layout, mark_key
        self.marks: dict[str, str] = {}
        self._recorded: list[Resource] = []
        self._outputs: dict[str, Plain] = {}
        self._problems: list[str] = []
        self._read: dict[str, str] = {}
        """The parent of each resource that the program only reads."""
        self.unanswered: set[str] = set()
        self.warnings: set[str] = set()
        self._lock = Lock()  # the SDK calls from a thread pool

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        """As in the engine: the types of all parents joined, without the stack."""
        parent_type = parent.split("::")[2] if parent else STACK_TYPE
        qualified = type_ if parent_type == STACK_TYPE else f"{parent_type}${type_}"
        return f"urn:pulumi:{self._stack}::{self._project}::{qualified}::{name}"

    def RegisterResource(
        self, request: resource_pb2.RegisterResourceRequest
    ) -> resource_pb2.RegisterResourceResponse:
        urn = self.make_urn(request.parent, request.type, request.name)
        inputs = self._plain(request.object, "inputs")
        trigger = self._plain(_trigger(request), "options")
        region = inputs.values.get("region") or self._region_of(request.provider)
        identifier, computed = self._fixtures.made(
            request.type, request.name, inputs.values, region
        )
        resource = Resource(
            urn=urn,
            type=request.type,
            name=request.name,
            id=identifier if request.custom else "",
            parent=self._registered(request.parent) or None,
            provider=request.provider.rpartition("::")[0] or None,
            inputs=inputs.values,
            # Each service may name dozens, in new objects each time.
            depends_on=_interned(request.dependencies),
            property_dependencies={
                sys.intern(key): _interned(carried.urns)
                for key, carried in sorted(request.propertyDependencies.items())
                if carried.urns
            },
            secret_paths=inputs.secret,
            aliases=self._alias_urns(request),
            options=_options(request) | trigger.values,
        )
        with self._lock:
            self._recorded.append(resource)
            self._note(urn, inputs)
            self._note(urn, trigger)
            if getattr(request, "transforms", ()):
                self.warnings.add(_TRANSFORMS)
        state = struct_pb2.Struct()
        if request.custom:
            state.CopyFrom(request.object)
        if request.custom or request.remote:
            state.update(computed)
        return resource_pb2.RegisterResourceResponse(urn=urn, id=resource.id, object=state)

    def RegisterResourceOutputs(
        self, request: resource_pb2.RegisterResourceOutputsRequest
    ) -> empty_pb2.Empty:
        outputs = self._plain(request.outputs, "outputs")
        with self._lock:
            self._outputs[request.urn] = outputs
            self._note(request.urn, outputs)
        return empty_pb2.Empty()

    def Invoke(
        self, request: resource_pb2.ResourceInvokeRequest
    ) -> resource_pb2.ResourceInvokeResponse:
        arguments = self._plain(request.args, "args").values
        try:
            region = arguments.get("region") or self._region_of(request.provider)
            answer = self._fixtures.looked_up(request.tok, arguments, region)
        except LookupError as error:
            self.unanswered.add(str(error))
            answer = {}
        value = struct_pb2.Struct()
        value.update(answer)
        response: Any = {"return": value}  # a keyword of Python
        return resource_pb2.ResourceInvokeResponse(**response)

    def ReadResource(
        self, request: resource_pb2.ReadResourceRequest
    ) -> resource_pb2.ReadResourceResponse:
        arguments = self._plain(request.properties, "properties").values
        if request.type == "pulumi:pulumi:StackReference":
            stacks = self._fixtures.stacks
            if request.id not in stacks:
                self.unanswered.add(
                    f"stack {request.id}: outputs not known; give them under stacks in {FILE}"
                )
            exports = dict(stacks.get(request.id, {}))
            known: dict[str, Any] = {
                "name": request.id,
                "outputs": exports,
                "secretOutputNames": [k for k, v in exports.items() if SECRET in json.dumps(v)],
            }
        else:
            region = self._region_of(request.provider)
            _, known = self._fixtures.made(request.type, request.name, arguments, region)
        state = struct_pb2.Struct()
        state.CopyFrom(request.properties)
        state.update(known)
        urn = self.make_urn(request.parent, request.type, request.name)
        self._read[urn] = request.parent
        response = resource_pb2.ReadResourceResponse(urn=urn, properties=state)
        if "id" in response.DESCRIPTOR.fields_by_name:  # an older SDK takes its request's
            response.id = request.id
        return response

    def RegisterStackTransform(self, request: Any) -> empty_pb2.Empty:
        del request  # only its presence matters
        self.warnings.add(_TRANSFORMS)
        return empty_pb2.Empty()

    def RegisterStackInvokeTransform(self, request: Any) -> empty_pb2.Empty:
        return self.RegisterStackTransform(request)

    def _registered(self, parent: str) -> str:
        """The nearest parent that is recorded: a resource that is only read is not."""
        while parent in self._read:
            parent = self._read[parent]
        return parent

    def _region_of(self, provider: str) -> str | None:
        """The region of an explicit provider, `<urn>::<id>`, or of the stack."""
        urn = provider.rpartition("::")[0]
        with self._lock:
            own = (r.inputs.get("region") for r in self._recorded if urn and r.urn == urn)
            return next(own, None) or self._region

    def _plain(self, struct: struct_pb2.Struct, root: str) -> Plain:
        return plain(struct, root, self._mark_key, self._layout)

    def _note(self, urn: str, values: Plain) -> None:
        self._problems += _unsound(urn, values)
        for path, mark in zip(values.secret, values.marks, strict=False):
            self.marks[mark_name(urn, path)] = mark

    def recorded(self) -> list[Resource]:
        """Everything registered, with the outputs that components registered later."""
        merged: list[Resource] = []
        for resource in self._recorded:
            outputs = self._outputs.get(resource.urn)
            if outputs:
                paths = (*resource.secret_paths, *outputs.secret)
                resource = replace(resource, outputs=outputs.values, secret_paths=paths)
            merged.append(resource)
        return merged

    def problems(self) -> list[str]:
        """Problems that make the recording unsound."""
        counts = Counter(r.urn for r in self._recorded)
        duplicates = [f"{urn}: registered {n} times" for urn, n in counts.items() if n > 1]
        return sorted({*self._problems, *self.unanswered}) + duplicates

    def _alias_urns(self, request: resource_pb2.RegisterResourceRequest) -> tuple[str, ...]:
        """The resource's former URNs, by its own aliases and its parents'."""
        aliases = cast("Any", request).aliases  # the stubs leave the type of its elements out
        urns: list[str] = []
        for alias in aliases:
            spec = alias.spec
            parent = "" if spec.noParent else spec.parentUrn or request.parent
            urn = self.make_urn(parent, spec.type or request.type, spec.name or request.name)
            qualified = urn.split("::", 2)[2]
            stack, project = spec.stack or self._stack, spec.project or self._project
            urns.append(alias.urn or f"urn:pulumi:{stack}::{project}::{qualified}")
        # As in the engine: inheritedChildAlias in
        # https://github.com/pulumi/pulumi/blob/master/pkg/resource/deploy/step_generator.go
        here = self.make_urn(request.parent, request.type, request.name)
        parent_name = request.parent.rpartition("::")[2]
        with self._lock:
            parents = next((r.aliases for r in self._recorded if r.urn == request.parent), ())
        for parent in parents:
            for urn in (here, *urns[: len(aliases)]):
                type_, name = urn.split("::")[2].rpartition("$")[2], urn.rpartition("::")[2]
                if name.startswith(parent_name):
                    name = parent.rpartition("::")[2] + name.removeprefix(parent_name)
                urns.append(self.make_urn(parent, type_, name))
        return tuple(dict.fromkeys(urns))


def _interned(urns: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(map(sys.intern, urns)))


def _options(request: resource_pb2.RegisterResourceRequest) -> dict[str, Any]:
    """The options that change what an update does to a resource; absent when at their default."""
    options: dict[str, Any] = {
        "component": not request.custom and not request.remote,
        "remote": request.remote,
        "protect": request.protect,
        "retain_on_delete": request.retainOnDelete,
        "delete_before_replace": request.deleteBeforeReplace,
        "ignore_changes": list(request.ignoreChanges),
        "replace_on_changes": list(request.replaceOnChanges),
        "import_id": request.importId,
        "custom_timeouts": _timeouts(request),
    }
    return {key: value for key, value in options.items() if value}


def _timeouts(request: resource_pb2.RegisterResourceRequest) -> dict[str, str]:
    """How long each operation may take, as the program wrote it."""
    given: Any = request.customTimeouts  # the stubs leave its fields out
    return {field.name: time for field, time in given.ListFields()}


def _trigger(request: resource_pb2.RegisterResourceRequest) -> struct_pb2.Struct:
    """The option `replacement_trigger`, if it is given and the SDK has it."""
    name = "replacement_trigger"
    known = name in request.DESCRIPTOR.fields_by_name and request.HasField(name)
    return struct_pb2.Struct(fields={name: request.replacement_trigger} if known else {})


def _unsound(urn: str, values: Plain) -> list[str]:
    unknown = [
        f"{urn}: {path} is not known without an engine; "
        f"give the output it comes from under computed in {FILE}"
        for path in values.unknown
    ]
    return unknown + [
        f"{urn}: {path} has an encrypted config value that is not marked secret and would be "
        "stored and printed in clear; read it with require_secret or get_secret"
        for path in values.bared
    ]
