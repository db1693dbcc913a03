"""Run a program directory's `__main__.py` for one stack, away from whoever runs the preview."""

import os
import runpy
import sys
import traceback
from collections.abc import Generator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

from pulumi import RunError

from grpc_platform.errors import FailedProgramError, UserError
from grpc_platform.graph import Graph
from grpc_platform.preview.fixture_file import read_fixtures
from grpc_platform.preview.record import record
from grpc_platform.preview.stack_file import ENCRYPTED, StackFile

_PACKAGE = "grpc_platform"
_COMPONENTS = f"{_PACKAGE}.components"
_KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR")


def run_program(
    directory: Path,
    stack: str,
    stack_file: StackFile,
    *,
    checkout: Path | None = None,
    mark_key: bytes = b"",
) -> Graph:
    """The graph that the program in `directory` registers for `stack`, with its own components and
    its own fixtures; `mark_key` as for `record`.

    `checkout` is the root of the revision that it is part of: components there, which an editable
    install would give the program, are that revision's.

    One program per process: its modules stay imported. Raises UserError when the program refuses
    by `pulumi.RunError`, as it is whatever carries its own `problems` (grpc_platform.errors), and
    FailedProgramError for any other exception of the program.
    """
    main = directory.resolve() / "__main__.py"
    if not main.is_file():
        raise UserError(f"no __main__.py in {directory}: not a Python program")
    fixtures = read_fixtures(directory)
    try:
        with _alone_in(main.parent), _components_of(main.parent, checkout):
            return record(
                lambda: runpy.run_path(str(main), run_name="__main__"),
                project=stack_file.project,
                stack=stack,
                config=stack_file.config,
                secret_keys=stack_file.secret_keys,
                fixtures=fixtures,
                mark_key=mark_key,
            )
    except (Exception, SystemExit) as error:
        if isinstance(getattr(error, "problems", None), list):
            raise
        if isinstance(error, RunError):
            raise UserError(_explained(str(error))) from error
        raise FailedProgramError(_where_and_what(error, main.parent)) from error


def _explained(message: str) -> str:
    if ENCRYPTED in message:
        return f"{message}: a preview decrypts nothing; read encrypted config as text"
    return message


@contextmanager
def _alone_in(directory: Path) -> Generator[None]:
    """Run as the engine's host does, in the program's directory and with it first on the path, but
    with nothing of the caller's environment: no credentials, config or home directory."""
    environment, cwd, path = dict(os.environ), Path.cwd(), list(sys.path)
    os.environ.clear()
    os.environ.update({k: environment[k] for k in _KEPT if k in environment})
    os.environ["HOME"] = "/nonexistent"
    os.chdir(directory)
    sys.path.insert(0, str(directory))
    try:
        yield
    finally:
        sys.path[:] = path
        os.chdir(cwd)
        os.environ.clear()
        os.environ.update(environment)


@contextmanager
def _components_of(directory: Path, checkout: Path | None) -> Generator[None]:
    """Let the program import the components that the engine would give it, its own checkout's or
    its environment's: they are part of this tool's package, but not of this tool."""
    first = [str(folder) for folder in (directory, checkout) if folder]
    package = PathFinder.find_spec(_PACKAGE, [*first, *sys.path])
    where = package.submodule_search_locations if package else None
    if where is None:
        yield  # installed in another way than as files on the path, so there is only this one
        return

    class Finder(MetaPathFinder):
        def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
            return PathFinder.find_spec(fullname, where) if fullname == _COMPONENTS else None

    finder = Finder()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


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
