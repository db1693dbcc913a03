"""Records every stack of two revisions, each in a process of its own and as many at once as there
are processors."""

import json
import os
import subprocess
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

from grpc_platform.diff.redaction import Accounts, has_account
from grpc_platform.diff.revisions import Revision
from grpc_platform.errors import UserError
from grpc_platform.graph import Graph
from grpc_platform.preview.stack_file import config_values

_RECORDER = Path(__file__).with_name("recorder.py")


@dataclass(frozen=True, kw_only=True)
class Recording:
    """One stack at one revision: its graph and its config by full key, or why there is none."""

    graph: Graph | None = None
    config: dict[str, Any] | None = None
    """None where it cannot be read."""
    problems: tuple[str, ...] = ()


def record_all(
    wanted: list[tuple[Revision, str]],
    accounts: Accounts,
    mark_key: bytes,
    recorded: Callable[[int], None],
) -> list[Recording]:
    """A recording for each revision and stack, in that order; `recorded` is told how many are done.

    Recordings to be compared share `mark_key` (see preview.record). Interrupted, it ends what it
    started.
    """
    processes: set[subprocess.Popen[bytes]] = set()
    done = count(1)

    def one(wish: tuple[Revision, str]) -> _Left:
        left = _record(*wish, mark_key, processes)
        recorded(next(done))
        return left

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        try:
            everything = list(pool.map(one, wanted))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in list(processes):
                process.kill()
            raise
    # One after the other, so that the names of accounts do not depend on who was first.
    return [_read(left, *wish, accounts) for left, wish in zip(everything, wanted, strict=True)]


@dataclass(frozen=True, kw_only=True)
class _Left:
    """What a recorder left."""

    resources: bytes = b""
    warnings: tuple[str, ...] = ()
    marks: dict[str, str] = field(default_factory=dict[str, str])
    problems: tuple[str, ...] = ()


def _record(
    revision: Revision, stack: str, mark_key: bytes, processes: set[subprocess.Popen[bytes]]
) -> _Left:
    if revision.problems:
        return _Left(problems=revision.problems)
    with tempfile.TemporaryDirectory(prefix="grpc-platform-recording-") as folder:
        # -P: beside the recorder are modules whose names a program may use for its own.
        command = [revision.python, "-P", _RECORDER, revision.directory, stack, folder]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        processes.add(process)
        _, errors = process.communicate(mark_key)
        processes.discard(process)
        resources, beside, problems = (
            Path(folder, f"{name}.json") for name in ("resources", "beside", "problems")
        )
        if problems.exists():
            return _Left(problems=tuple(json.loads(problems.read_bytes())))
        if process.returncode or not resources.exists():
            last = errors.decode(errors="replace").strip().splitlines()[-1:]
            why = f"the recorder ended with status {process.returncode}"
            return _Left(problems=(why, *last))
        return _Left(resources=resources.read_bytes(), **json.loads(beside.read_bytes()))


def _read(left: _Left, revision: Revision, stack: str, accounts: Accounts) -> Recording:
    folder = f"{revision.directory}/"
    config: dict[str, Any] | None = None
    try:
        config = accounts.hide(config_values(revision.directory, stack))
    except UserError as error:
        left = _Left(problems=left.problems or tuple(error.problems))
    if left.problems:
        problems = (problem.replace(folder, "") for problem in left.problems)
        return Recording(config=config, problems=accounts.hide(tuple(problems)))
    graph = Graph.parse(left.resources, left.warnings, left.marks)
    if has_account(left.resources.decode()):  # as a rule not, and a large graph is a long walk
        graph = Graph(
            tuple(replace(r, **accounts.hide(vars(r))) for r in graph),
            accounts.hide(graph.warnings),
            accounts.hide(graph.marks),
        )
    return Recording(graph=graph, config=config)
