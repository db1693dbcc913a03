"""Records every stack of two revisions, each in a process of its own and as many at once as there
are processors."""

import json
import os
import subprocess
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

from grpc_platform.diff.recorder import BESIDE, PROBLEMS, RESOURCES
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

    def run(wish: tuple[Revision, str], output: Path) -> None:
        _run(*wish, output, mark_key, processes)
        recorded(next(done))

    with tempfile.TemporaryDirectory(prefix="grpc-platform-recordings-") as folder:
        outputs = [Path(folder, str(number)) for number in range(len(wanted))]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            try:
                list(pool.map(run, wanted, outputs))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                for process in list(processes):
                    process.kill()
                raise
        # One after the other, so that the names of accounts do not depend on who was first.
        return [
            read_recording(output, *wish, accounts)
            for output, wish in zip(outputs, wanted, strict=True)
        ]


def _run(
    revision: Revision,
    stack: str,
    output: Path,
    mark_key: bytes,
    processes: set[subprocess.Popen[bytes]],
) -> None:
    output.mkdir()
    problems = [*revision.problems]
    if not problems:
        # -P: beside the recorder are modules whose names a program may use for its own.
        where = (revision.checkout, revision.inside)
        command = [revision.python, "-P", _RECORDER, *where, stack, output]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        processes.add(process)
        _, errors = process.communicate(mark_key)
        processes.discard(process)
        if process.returncode:
            last = errors.decode(errors="replace").strip().splitlines()[-1:]
            problems = [f"the recorder ended with status {process.returncode}", *last]
    if problems:
        (output / PROBLEMS).write_text(json.dumps(problems))


def read_recording(output: Path, revision: Revision, stack: str, accounts: Accounts) -> Recording:
    """What a recorder left in `output`."""
    config: dict[str, Any] | None = None
    problems: list[str] = []
    try:
        config = accounts.hide(config_values(revision.directory, stack))
    except UserError as error:
        problems = error.problems
    if (output / PROBLEMS).exists():
        problems = json.loads((output / PROBLEMS).read_bytes())
    if problems:
        shown = (problem.replace(f"{revision.directory}/", "") for problem in problems)
        return Recording(config=config, problems=accounts.hide(tuple(shown)))
    text = (output / RESOURCES).read_bytes()
    graph = Graph.parse(text, **json.loads((output / BESIDE).read_bytes()))
    if has_account(text.decode()):  # as a rule not, and a large graph is a long walk
        graph = Graph(
            tuple(replace(r, **accounts.hide(vars(r))) for r in graph),
            accounts.hide(graph.warnings),
            accounts.hide(graph.marks),
        )
    return Recording(graph=graph, config=config)
