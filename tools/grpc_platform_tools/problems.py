"""How the command ends when something is wrong: a line for each problem, and no traceback."""

import errno
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager

import typer

from grpc_platform_tools.errors import escaped
from grpc_platform_tools.plain import is_list


@contextmanager
def problems_told(status: int | None = None) -> Generator[None]:
    """Print the `problems` of an exception (grpc_platform_tools.errors), one per line, and exit
    with its exit status or with `status`."""
    try:
        yield
        sys.stdout.flush()  # else the interpreter fails at exit and shows a traceback
    except Exception as error:
        problems = getattr(error, "problems", None)
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the rest
            problems = [f"cannot write: {error.strerror}"]
        if not is_list(problems):
            raise
        for problem in problems:  # a program's own may have several lines
            sys.stderr.writelines(f"{escaped(line)}\n" for line in str(problem).split("\n"))
        raise typer.Exit(status or getattr(error, "exit_status", 1)) from None
