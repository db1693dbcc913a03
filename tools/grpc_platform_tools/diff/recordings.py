"""Records every stack of two revisions, each in its own process, one per processor at a time."""

import json
import os
import signal
import site
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from itertools import count
from pathlib import Path
from threading import Event
from typing import Any

from grpc_platform_tools.diff.recorder import BESIDE, PROBLEMS, RESOURCES
from grpc_platform_tools.diff.redaction import Accounts, has_account
from grpc_platform_tools.diff.revisions import Revision
from grpc_platform_tools.errors import UserError
from grpc_platform_tools.graph import Graph
from grpc_platform_tools.policy.exemptions import PolicyFile, read_policy_file
from grpc_platform_tools.preview.fixture_file import read_fixtures
from grpc_platform_tools.preview.layout import renamed
from grpc_platform_tools.preview.stack_file import config_values, environment_values

_ERRORS = "errors.txt"
_RECORDER = Path(__file__).with_name("recorder.py")
# The only variables that a program may see (it can read its own in /proc), and those that some
# Pythons need to start.
_KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONDONTWRITEBYTECODE")


@dataclass(frozen=True, kw_only=True)
class Recording:
    """One stack at one revision: its graph and its config by full key, or why it could not be
    recorded."""

    graph: Graph | None = None
    config: dict[str, Any] | None = None
    """None when it cannot be read."""
    policies: PolicyFile = PolicyFile()
    problems: tuple[str, ...] = ()


def record_all(
    wanted: list[tuple[Revision, str]],
    accounts: Accounts,
    mark_key: bytes,
    recorded: Callable[[int], None],
) -> list[Recording]:
    """A recording for each revision and stack, in that order; `recorded` gets the number that are
    done.

    Recordings that will be compared share `mark_key` (see preview.record). When interrupted, it
    ends the processes that it started.
    """
    processes: set[subprocess.Popen[bytes]] = set()
    interrupted = Event()
    done = count(1)

    def started(process: subprocess.Popen[bytes]) -> None:
        processes.add(process)
        if interrupted.is_set():
            _end(process)

    def run(wish: tuple[Revision, str], output: Path) -> None:
        _run(*wish, output, mark_key, started)
        recorded(next(done))

    with tempfile.TemporaryDirectory(prefix="grpc-platform-recordings-") as folder:
        outputs = [Path(folder, str(number)) for number in range(len(wanted))]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            try:
                list(pool.map(run, wanted, outputs))
            except BaseException:
                interrupted.set()
                pool.shutdown(wait=False, cancel_futures=True)
                for process in list(processes):
                    _end(process)
                raise
        # One after the other, so that the names of accounts do not depend on which one finished
        # first.
        return [
            read_recording(output, *wish, accounts)
            for output, wish in zip(outputs, wanted, strict=True)
        ]


def _run(
    revision: Revision,
    stack: str,
    output: Path,
    mark_key: bytes,
    started: Callable[[subprocess.Popen[bytes]], None],
) -> None:
    output.mkdir()
    problems, handed = [*revision.problems], {}
    try:
        handed = given(revision, mark_key)
    except UserError as error:
        problems += error.problems
    if not problems:
        # -P: the recorder's folder has modules whose names a program may use for its own.
        where = (revision.checkout, revision.inside)
        command = [revision.python, "-P", _RECORDER, *where, stack, output]
        # A process that the program leaves behind must not keep a pipe or our process group open.
        with (output / _ERRORS).open("wb") as errors:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env=_environment(),
                start_new_session=True,
            )
        started(process)
        process.communicate(json.dumps(handed).encode())
        _end(process)
        if process.returncode:
            said = (output / _ERRORS).read_text(errors="replace")
            last = said.strip().splitlines()[-1:]
            problems = [f"the recorder ended with status {process.returncode}", *last]
    if problems:
        (output / PROBLEMS).write_text(json.dumps(problems))


def given(revision: Revision, mark_key: bytes) -> dict[str, Any]:
    """The input for a recorder; UserError when the program's fixtures cannot be used."""
    return {
        "mark_key": mark_key.hex(),
        "fixtures": asdict(read_fixtures(revision.directory)),
    }


def _environment() -> dict[str, str]:
    kept = {key: os.environ[key] for key in _KEPT if key in os.environ}
    if site.ENABLE_USER_SITE:  # pip may have installed the SDK there; Python would find it by HOME
        kept["PYTHONUSERBASE"] = site.getuserbase()
    return {**kept, "HOME": "/nonexistent"}


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the recorder and every process that the program started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def read_recording(output: Path, revision: Revision, stack: str, accounts: Accounts) -> Recording:
    """What a recorder left in `output`."""
    config: dict[str, Any] | None = None
    problems: list[str] = []
    try:
        where = revision.directory, stack
        config = accounts.hide(config_values(*where) | environment_values(*where))
    except UserError as error:
        problems = error.problems
    try:
        if (output / PROBLEMS).exists():
            problems = [str(problem) for problem in json.loads((output / PROBLEMS).read_bytes())]
        elif not problems and not (output / RESOURCES).exists():
            problems = ["the program ended its process before it was recorded"]
        if not problems:
            policies = read_policy_file(revision.directory)
            return Recording(graph=_graph(output, accounts), config=config, policies=policies)
    except UserError as error:
        problems = error.problems
    except Exception as error:  # the other stacks are still recorded
        problems = [
            f"the recording cannot be read: {type(error).__name__}: {error}".splitlines()[0]
        ]
    if revision.missing:
        problems.append(f"submodules that are not checked out: {', '.join(revision.missing)}")
    return Recording(config=config, problems=accounts.hide(_without_folders(problems, revision)))


def _graph(output: Path, accounts: Accounts) -> Graph:
    text, beside = (output / RESOURCES).read_bytes(), (output / BESIDE).read_bytes()
    graph = Graph.parse(text, **json.loads(beside))
    if has_account((text + beside).decode()):  # rare, and walking a large graph is slow
        graph = Graph(
            tuple(replace(r, **accounts.hide(vars(r))) for r in graph),
            accounts.hide(graph.warnings),
            accounts.hide(graph.marks),
        )
    return graph


def _without_folders(problems: Iterable[str], revision: Revision) -> tuple[str, ...]:
    """Problems without paths of this checkout and without account ids."""
    here = revision.directory
    names = {
        path: os.path.relpath(folder, here)
        for folder in (here, revision.checkout)
        for path in (str(folder), str(folder.resolve()))
    }
    if (home := Path("~").expanduser()) != Path("/"):
        names[str(home)] = "~"
    return tuple(
        renamed(problem.replace(f"{here.resolve()}/", "").replace(f"{here}/", ""), names)
        for problem in problems
    )
