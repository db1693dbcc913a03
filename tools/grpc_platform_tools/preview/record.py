"""Run a Pulumi program without an engine and record what it would have registered.

The run is a *preview* (dry run): an output that no fixture resolves stays unknown. An unknown that
reaches an input is reported as a problem, not printed as `None`.
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
    """The program ran, but its registrations are not sound; `problems` has a line for each
    fault."""

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

    `config` maps full keys (`aws:region`) to strings, as the engine passes them; without
    `aws:region` the program is in the region of the fixtures. `secret_keys` are the keys with an
    encrypted value in the stack file. Such a value reads ENCRYPTED: at its place in `config`, or
    else for the whole key. `fixtures` are the program's own answers. With a `mark_key` (random and
    secret) the graph has marks, so that two recordings can tell whether a secret is the same. Paths
    are recorded relative to the working directory, in which the program runs; `checkout` is a
    folder around it that is removed from paths too.

    Raises ProgramError for duplicate URNs; for inputs or outputs that are unknown, or encrypted but
    not marked secret; for look-ups and StackReferences without an answer; and for errors that the
    program logged. The program's own exceptions pass through.
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
                # All other failures have the same cause; asyncio would print each of them.
                asyncio.get_running_loop().set_exception_handler(_say_nothing)
                raise

        try:
            asyncio.run(settle())
        finally:
            # The SDK would keep these until the next run, and with them all objects of a failed
            # program.
            sdk: Any = SETTINGS  # descriptors are not in its type
            sdk.rpc_manager.clear()
            sdk.outputs.clear()

    # A thread with a context of its own has a fresh event loop and runtime for any caller.
    with _seldom_collecting(), ThreadPoolExecutor(max_workers=1) as pool:
        try:
            pool.submit(contextvars.Context().run, run).result()
        except Exception as error:
            if monitor.unanswered:  # then that is the cause of the failure
                raise ProgramError(sorted(monitor.unanswered)) from error
            raise
    problems = sorted(engine.errors) + monitor.problems()
    if problems:
        raise ProgramError(problems)
    # Threads make the order of registrations and messages random, so sort what is kept.
    warnings = tuple(sorted(monitor.warnings.union(map(layout.settled, engine.warnings))))
    return Graph(in_dependency_order(monitor.recorded()), warnings, monitor.marks)


@contextmanager
def _seldom_collecting() -> Generator[None]:
    """Turn off garbage collection: nearly all objects of a program live as long as its run. With a
    thousand services, collection takes half the time and frees nothing."""
    before = gc.get_threshold()
    gc.set_threshold(*before[:2], 1000)
    try:
        yield
    finally:
        gc.set_threshold(*before)


async def _until_quiet() -> None:
    """Wait for the program's pending tasks, up to the first failure, which the SDK then reports.

    The SDK waits too, but it waits again for all remaining tasks whenever one ends. For a thousand
    services that takes most of a preview.
    """
    sdk: Any = SETTINGS  # descriptors are not in its type
    outstanding: set[asyncio.Task[object]] = sdk.outputs
    while pending := list(outstanding):
        done, _ = await asyncio.wait(pending, return_when=asyncio.FIRST_EXCEPTION)
        if any(task.cancelled() or task.exception() for task in done):
            return
        outstanding.difference_update(done)


def _say_nothing(_loop: asyncio.AbstractEventLoop, _context: dict[str, Any]) -> None:
    """An asyncio exception handler."""
