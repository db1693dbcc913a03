"""Runs functions in forks of this process, as many at a time as there are processors."""

import os
import resource
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Generator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from tests.mutants.ledger import read, write

Answer = dict[str, Any]
_Done = Callable[[Answer], None]


class Forks:
    """What a fork answers is handed to its `done`. A fork that ends without an answer has
    `ended` instead, and one that raises an error ends the whole."""

    def __init__(self, place: Path) -> None:
        self._place, self._numbers = place, count()
        self._running: dict[int, tuple[Path, _Done]] = {}

    def start(self, function: Callable[[], Answer], done: _Done, seconds: int) -> None:
        """Run this when a processor is free, for at most so many seconds of it."""
        while len(self._running) >= (os.cpu_count() or 1):
            self._one_ends()
        answer = self._place / str(next(self._numbers))
        if (child := os.fork()) == 0:
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
            signal.alarm(seconds * 10)  # for one that waits
            _answer(function, answer)
        self._running[child] = answer, done

    def finish(self) -> None:
        """Wait for all of them."""
        while self._running:
            self._one_ends()

    def end(self) -> None:
        """End what still runs."""
        for child in self._running:
            os.kill(child, signal.SIGKILL)

    def _one_ends(self) -> None:
        child, status = os.wait()
        path, done = self._running.pop(child)
        answer = read(path) or {"ended": os.waitstatus_to_exitcode(status)}
        if failure := answer.get("failure"):
            raise RuntimeError(failure)
        done(answer)


@contextmanager
def forks() -> Generator[Forks]:
    """Forks, of which none is left afterwards."""
    with tempfile.TemporaryDirectory() as place:
        made = Forks(Path(place))
        try:
            yield made
        finally:
            made.end()


def _answer(function: Callable[[], Answer], path: Path) -> None:
    """Write what the function answers, and end this process as it is."""
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, sys.stdout.fileno())
    os.dup2(quiet, sys.stderr.fileno())
    try:
        write(path, function())
    except BaseException as error:
        write(path, {"failure": "".join(traceback.format_exception(error))})
    finally:
        os._exit(0)
