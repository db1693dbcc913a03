"""Run a Pulumi program without an engine and record what it would have registered.

The run is a *preview* (dry run): an output no fixture resolves stays unknown, and an unknown that
reaches an input is a problem to report, not a `None` to print.
"""

import asyncio
import contextvars
import gc
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pulumi.runtime.config import set_all_config
from pulumi.runtime.settings import SETTINGS, Settings, configure
from pulumi.runtime.stack import run_in_stack

from grpc_platform_tools.graph import Graph, in_dependency_order
from grpc_platform_tools.preview.fixtures import REGION, Fixtures
from grpc_platform_tools.preview.layout import Layout
from grpc_platform_tools.preview.monitor import Engine, Monitor
from grpc_platform_tools.preview.stack_file import ENCRYPTED


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
    checkout: Path | None = None,
) -> Graph:
    """Run `program` as stack `stack` of `project` and return the graph of what it registered.

    `config` maps full keys (`aws:region`) to strings, as the engine passes them; a program that is
    given none is in the region of the fixtures. `secret_keys` are
    with anything encrypted in the stack file: such a value reads ENCRYPTED, where `config` says so
    or else in place of the whole key. `fixtures` are the program's own answers. With
    a `mark_key` (random, and known to nobody else) the graph has marks, by which two recordings
    tell whether a secret is the same. Paths are recorded from the working directory, in which the
    program runs; `checkout` is a folder around it that is to be taken out of them, too.

    Raises ProgramError for duplicate URNs, values that reach an input or output unknown or
    encrypted and not marked secret, look-ups and StackReferences without an answer, and errors the
    program logged; and whatever the program itself raises.
    """
    layout = Layout(Path.cwd(), (checkout or Path.cwd()).resolve())
    values = {"aws:region": REGION} if config is None else dict(config)
    region = values.get("aws:region")
    monitor = Monitor(project, stack, region, fixtures or Fixtures(), layout, mark_key)
    engine = Engine()
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
    warnings = tuple(sorted(monitor.warnings.union(map(layout.settled, engine.warnings))))
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
