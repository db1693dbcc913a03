"""A command of the engine while it runs, and how to end it early."""

import contextlib
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from testbed.engine.outcome import Step, read_steps


@dataclass
class Running:
    """The child's process. The child runs `pulumi`, which runs its providers."""

    process: "subprocess.Popen[str]"
    told: Path
    """Where the child writes what the engine does."""
    _seen: int = field(default=0, init=False)

    def new_steps(self) -> list[Step]:
        """The steps that the engine began since the last call."""
        steps = read_steps(self.told)
        new, self._seen = steps[self._seen :], len(steps)
        return new

    def interrupt(self) -> None:
        """As Ctrl-C in a terminal: only `pulumi` gets the signal, because its providers and the
        program are in process groups of their own."""
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                if process.name() == "pulumi":
                    process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """End it and all that it started at once, as when its machine is lost."""
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()

    def processes(self) -> list[psutil.Process]:
        """It and all that it started, each of which may end at any time."""
        try:
            first = psutil.Process(self.process.pid)
            return [first, *first.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []


When = Callable[[Step, Running], None]
"""Called with each step as the engine begins it."""
