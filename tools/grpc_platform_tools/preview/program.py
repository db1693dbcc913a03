"""Run a program directory's `__main__.py` for one stack, isolated from the caller's environment."""

import os
import runpy
import sys
import traceback
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from pulumi import RunError

from grpc_platform_tools.errors import FailedProgramError, UserError
from grpc_platform_tools.graph import Graph
from grpc_platform_tools.preview.fixtures import Fixtures
from grpc_platform_tools.preview.record import record
from grpc_platform_tools.preview.stack_file import ENCRYPTED, StackFile, read_project

_KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR")
_ENDINGS = ("_exit", "execv", "execve")
"""The functions of `os` that end a process at once, maybe with status 0."""


def run_program(
    directory: Path,
    stack: str,
    stack_file: StackFile,
    *,
    fixtures: Fixtures | None = None,
    checkout: Path | None = None,
    mark_key: bytes = b"",
) -> Graph:
    """The graph that the program in `directory` registers for `stack`, with its own components.

    Without `fixtures`, they are read from the program's own file; `mark_key` is as in `record`.

    `checkout` is the root of the program's revision: the program imports the components of that
    revision, not those of an editable install.

    One program per process: its modules stay imported. Raises UserError when the program raises
    `pulumi.RunError`. An exception with its own `problems` (see `errors`) passes unchanged; any
    other becomes FailedProgramError.
    """
    main = main_of(directory)
    if fixtures is None:
        # Imported only here: it needs pydantic, which a recorder's Python may not have.
        from grpc_platform_tools.preview.fixture_file import read_fixtures

        fixtures = read_fixtures(directory)
    try:
        with _alone_in(main.parent, checkout or main.parent):
            graph = record(
                lambda: runpy.run_path(str(main), run_name="__main__"),
                project=stack_file.project,
                stack=stack,
                config=stack_file.config,
                secret_keys=stack_file.secret_keys,
                fixtures=fixtures,
                mark_key=mark_key,
                checkout=checkout or directory,
            )
            return replace(graph, warnings=(*graph.warnings, *stack_file.warnings))
    except (Exception, SystemExit) as error:
        if isinstance(getattr(error, "problems", None), list):
            raise
        if isinstance(error, RunError):
            lines = _explained(str(error)).splitlines()
            raise UserError(*lines, *stack_file.warnings) from error
        raise FailedProgramError(_where_and_what(error, directory.resolve())) from error


def main_of(directory: Path) -> Path:
    """The file that the engine would run: the project's `main`, a folder or a file, if it is set.
    Its folder is then the working directory."""
    _, project = read_project(directory)
    path = (directory / str(project.get("main") or ".")).resolve()
    main = path / "__main__.py" if path.is_dir() else path
    if not main.is_file():
        raise UserError(f"no {main.name} in {path.parent if path == main else path}: "
                        "not a Python program")  # fmt: skip
    return main


def _explained(message: str) -> str:
    if ENCRYPTED in message:
        return f"{message}: a preview decrypts nothing; read encrypted config as text"
    return message


@contextmanager
def _alone_in(directory: Path, checkout: Path) -> Generator[None]:
    """Run as the engine's host does: in the program's directory, which is first on the path.

    Nothing of the caller's environment is passed on: no credentials, config or home directory. Next
    on the path are the checkout's own components, in `components/` or, before release 0.2, at its
    top: an editable install would give the program those of another revision.
    """
    own = [str(d) for d in (checkout / "components", checkout) if (d / "grpc_platform").is_dir()]
    environment, cwd, path = dict(os.environ), Path.cwd(), list(sys.path)
    endings = {name: getattr(os, name) for name in _ENDINGS}
    os.environ.clear()
    os.environ.update({k: environment[k] for k in _KEPT if k in environment})
    os.environ["HOME"] = "/nonexistent"
    os.chdir(directory)
    sys.path[:0] = [str(directory), *own]
    for name, end in endings.items():
        setattr(os, name, _refused(name, end))
    try:
        yield
    finally:
        for name, end in endings.items():
            setattr(os, name, end)
        sys.path[:] = path
        os.chdir(cwd)
        os.environ.clear()
        os.environ.update(environment)


def _refused(name: str, end: Callable[..., object]) -> Callable[..., object]:
    """`end` in the processes that the program forks, and an error in this one."""
    this = os.getpid()

    def refuse(*arguments: object) -> object:
        if os.getpid() != this:
            return end(*arguments)
        raise RuntimeError(f"os.{name} ends the process before the program is recorded")

    return refuse


def _where_and_what(error: BaseException, directory: Path) -> list[str]:
    """The frames that are the program's own, innermost last, and the exception."""
    tools = Path(__file__).parent
    lines: list[str] = []
    for frame in traceback.extract_tb(error.__traceback__):
        path = Path(frame.filename)
        if (
            directory in path.parents
            and tools not in path.parents
            and "site-packages" not in path.parts
        ):
            lines.append(
                f"{path.relative_to(directory)}:{frame.lineno} in {frame.name}: {frame.line}"
            )
    what = "".join(traceback.format_exception_only(error)).rstrip().splitlines()
    return [*lines, *what]
