"""Run a Pulumi program without an engine and record what it would have registered.

`_Monitor` answers the SDK's own gRPC requests in the engine's place, so names, parents, providers,
aliases and dependencies are those the engine would see. The run is a *preview* (dry run): an output
no fixture resolves stays unknown, and an unknown that reaches an input is a problem to report, not
a `None` to print.
"""

import asyncio
import contextvars
import gc
import json
import sys
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from threading import Lock
from typing import Any

from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.config import set_all_config
from pulumi.runtime.mocks import MockMonitor
from pulumi.runtime.proto import engine_pb2, resource_pb2
from pulumi.runtime.settings import SETTINGS, Settings, configure
from pulumi.runtime.stack import run_in_stack

from grpc_platform.graph import SECRET, STACK_TYPE, Graph, Resource, in_dependency_order, mark_name
from grpc_platform.preview.fixtures import FILE, Fixtures
from grpc_platform.preview.stack_file import ENCRYPTED
from grpc_platform.preview.wire import Plain, plain


class ProgramError(Exception):
    """The program ran, but what it registered is not sound; `problems` has a line for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def record(
    program: Callable[[], object],
    *,
    project: str = "grpc-platform",
    stack: str = "test",
    config: Mapping[str, str] | None = None,
    secret_keys: tuple[str, ...] = (),
    fixtures: Fixtures | None = None,
    mark_key: bytes = b"",
) -> Graph:
    """Run `program` as stack `stack` of `project` and return the graph of what it registered.

    `config` maps full keys (`aws:region`) to strings, as the engine passes them. `secret_keys` are
    with anything encrypted in the stack file: such a value reads ENCRYPTED, where `config` says so
    or else in place of the whole key. `fixtures` are the program's own answers. With
    a `mark_key` (random, and known to nobody else) the graph has marks, by which two recordings
    tell whether a secret is the same.

    Raises ProgramError for duplicate URNs, values that reach an input or output unknown or
    encrypted and not marked secret, look-ups and StackReferences without an answer, and errors the
    program logged; and whatever the program itself raises.
    """
    monitor = _Monitor(project, stack, fixtures or Fixtures(), mark_key)
    engine = _Engine()
    values = dict(config or {})
    for key in secret_keys:
        if ENCRYPTED not in values.get(key, ""):
            values[key] = ENCRYPTED

    def run() -> None:
        configure(
            Settings(
                project=project,
                stack=stack,
                monitor=monitor,
                engine=engine,
                dry_run=True,
                organization="organization",
                root_directory=".",
            )
        )
        set_all_config(values, list(secret_keys))

        async def start() -> None:
            program()
            await _until_quiet()

        async def settle() -> None:
            try:
                await run_in_stack(start)
            except Exception:
                # Whatever else failed did so for the same reason; asyncio would print all of it.
                asyncio.get_running_loop().set_exception_handler(_say_nothing)
                raise

        try:
            asyncio.run(settle())
        finally:
            # The SDK would keep these, and with them all of a failed program, until the next run.
            sdk: Any = SETTINGS  # its type hides what its descriptors give
            sdk.rpc_manager.clear()
            sdk.outputs.clear()

    # A thread with a context of its own: a fresh event loop and runtime, whoever calls.
    with _seldom_collecting(), ThreadPoolExecutor(max_workers=1) as pool:
        try:
            pool.submit(contextvars.Context().run, run).result()
        except Exception as error:
            if monitor.unanswered:  # then that is why the program stumbled
                raise ProgramError(sorted(monitor.unanswered)) from error
            raise
    problems = sorted(engine.errors) + monitor.problems()
    if problems:
        raise ProgramError(problems)
    # Threads decide the order of registrations and messages; what is kept has an order of its own.
    warnings = tuple(sorted(set(engine.warnings)))
    return Graph(in_dependency_order(monitor.recorded()), warnings, monitor.marks)


@contextmanager
def _seldom_collecting() -> Generator[None]:
    """Nearly all that a program makes lives as long as its run: with a thousand services, looking
    through all of it for garbage takes half the time and finds none."""
    before = gc.get_threshold()
    gc.set_threshold(*before[:2], 1000)
    try:
        yield
    finally:
        gc.set_threshold(*before)


async def _until_quiet() -> None:
    """Wait for what the program left under way, up to the first failure, which the SDK then tells.

    The SDK waits too, but anew for all that is left whenever anything is done: for a thousand
    services that is most of a preview.
    """
    sdk: Any = SETTINGS  # its type hides what its descriptors give
    outstanding: set[asyncio.Task[object]] = sdk.outputs
    while pending := list(outstanding):
        done, _ = await asyncio.wait(pending, return_when=asyncio.FIRST_EXCEPTION)
        if any(task.cancelled() or task.exception() for task in done):
            return
        outstanding.difference_update(done)


def _say_nothing(_loop: asyncio.AbstractEventLoop, _context: dict[str, Any]) -> None:
    """An asyncio exception handler."""


class _Engine:
    """Keeps what a program warns of, and its errors: for one of those an engine fails an update."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.errors: list[str] = []

    def Log(self, request: engine_pb2.LogRequest) -> empty_pb2.Empty:  # noqa: N802 (gRPC method)
        if request.severity == engine_pb2.WARNING:
            self.warnings.append(request.message)
        elif request.severity == engine_pb2.ERROR:
            self.errors.append(request.message)
        return empty_pb2.Empty()


class _Monitor(MockMonitor):
    """Answers registrations from fixtures and keeps them; the rest is the SDK's own mock."""

    def __init__(self, project: str, stack: str, fixtures: Fixtures, mark_key: bytes) -> None:
        self._project, self._stack, self._fixtures = project, stack, fixtures
        self._mark_key = mark_key
        self.marks: dict[str, str] = {}
        self._recorded: list[Resource] = []
        self._outputs: dict[str, Plain] = {}
        self._problems: list[str] = []
        self.unanswered: set[str] = set()
        self._lock = Lock()  # the SDK calls from a pool of threads

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        """As the engine: the types of all parents in a row, the stack itself left out."""
        parent_type = parent.split("::")[2] if parent else STACK_TYPE
        qualified = type_ if parent_type == STACK_TYPE else f"{parent_type}${type_}"
        return f"urn:pulumi:{self._stack}::{self._project}::{qualified}::{name}"

    def RegisterResource(  # noqa: N802 (gRPC method)
        self, request: resource_pb2.RegisterResourceRequest
    ) -> resource_pb2.RegisterResourceResponse:
        urn = self.make_urn(request.parent, request.type, request.name)
        inputs = plain(request.object, "inputs", self._mark_key)
        identifier, computed = self._fixtures.made(request.type, request.name, inputs.values)
        resource = Resource(
            urn=urn,
            type=request.type,
            name=request.name,
            id=identifier if request.custom else "",
            parent=request.parent or None,
            provider=request.provider.rpartition("::")[0] or None,
            inputs=inputs.values,
            # Each service may name dozens, and each time anew.
            depends_on=_interned(request.dependencies),
            property_dependencies={
                sys.intern(key): _interned(carried.urns)
                for key, carried in sorted(request.propertyDependencies.items())
                if carried.urns
            },
            secret_paths=inputs.secret,
            aliases=self._alias_urns(request),
            options=_options(request),
        )
        with self._lock:
            self._recorded.append(resource)
            self._note(urn, inputs)
        state = struct_pb2.Struct()
        if request.custom:
            state.CopyFrom(request.object)
            state.update(computed)
        return resource_pb2.RegisterResourceResponse(urn=urn, id=resource.id, object=state)

    def RegisterResourceOutputs(  # noqa: N802 (gRPC method)
        self, request: resource_pb2.RegisterResourceOutputsRequest
    ) -> empty_pb2.Empty:
        outputs = plain(request.outputs, "outputs", self._mark_key)
        with self._lock:
            self._outputs[request.urn] = outputs
            self._note(request.urn, outputs)
        return empty_pb2.Empty()

    def Invoke(  # noqa: N802 (gRPC method)
        self, request: resource_pb2.ResourceInvokeRequest
    ) -> resource_pb2.ResourceInvokeResponse:
        arguments = plain(request.args, "args").values
        try:
            answer = self._fixtures.looked_up(request.tok, arguments)
        except LookupError as error:
            self.unanswered.add(str(error))
            answer = {}
        value = struct_pb2.Struct()
        value.update(answer)
        response: Any = {"return": value}  # a keyword of Python
        return resource_pb2.ResourceInvokeResponse(**response)

    def ReadResource(  # noqa: N802 (gRPC method)
        self, request: resource_pb2.ReadResourceRequest
    ) -> resource_pb2.ReadResourceResponse:
        arguments = plain(request.properties, "properties").values
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
            _, known = self._fixtures.made(request.type, request.name, arguments)
        state = struct_pb2.Struct()
        state.update(known)
        urn = self.make_urn(request.parent, request.type, request.name)
        return resource_pb2.ReadResourceResponse(urn=urn, properties=state)

    def _note(self, urn: str, values: Plain) -> None:
        self._problems += _unsound(urn, values)
        for path, mark in zip(values.secret, values.marks, strict=False):
            self.marks[mark_name(urn, path)] = mark

    def recorded(self) -> list[Resource]:
        """Everything registered, with the outputs its component registered later."""
        merged: list[Resource] = []
        for resource in self._recorded:
            outputs = self._outputs.get(resource.urn)
            if outputs:
                paths = (*resource.secret_paths, *outputs.secret)
                resource = replace(resource, outputs=outputs.values, secret_paths=paths)
            merged.append(resource)
        return merged

    def problems(self) -> list[str]:
        """What makes the recording unsound."""
        counts = Counter(r.urn for r in self._recorded)
        duplicates = [f"{urn}: registered {n} times" for urn, n in counts.items() if n > 1]
        return sorted({*self._problems, *self.unanswered}) + duplicates

    def _alias_urns(self, request: resource_pb2.RegisterResourceRequest) -> tuple[str, ...]:
        """What the resource was called before, by its own aliases and by its parents'."""
        aliases: Any = getattr(request, "aliases")  # noqa: B009 (the stubs leave its element type out)
        urns: list[str] = []
        for alias in aliases:
            spec = alias.spec
            parent = "" if spec.noParent else spec.parentUrn or request.parent
            urn = self.make_urn(parent, spec.type or request.type, spec.name or request.name)
            qualified = urn.split("::", 2)[2]
            stack, project = spec.stack or self._stack, spec.project or self._project
            urns.append(alias.urn or f"urn:pulumi:{stack}::{project}::{qualified}")
        # As the engine: inheritedChildAlias in
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
        "component": not request.custom,
        "protect": request.protect,
        "retain_on_delete": request.retainOnDelete,
        "delete_before_replace": request.deleteBeforeReplace,
        "ignore_changes": list(request.ignoreChanges),
        "replace_on_changes": list(request.replaceOnChanges),
        "import_id": request.importId,
    }
    return {key: value for key, value in options.items() if value}


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
