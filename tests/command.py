"""`python -m testbed up` as a user runs it, and what it leaves behind."""

import os
import subprocess
import sys
import time
from pathlib import Path

from testbed.program import ROOT

FROM_ANYWHERE = {**os.environ, "PYTHONPATH": str(ROOT)}
"""For a program directory of its own: `python -m testbed` is run from this checkout otherwise."""


class Command:
    """`python -m testbed up` in a program directory of its own."""

    def __init__(self, directory: Path, *options: str, **environment: str) -> None:
        self.directory = directory
        for name in ("__main__.py", "Pulumi.yaml", "Pulumi.local.yaml", "config"):
            (directory / name).symlink_to(ROOT / name)
        self.state = directory / "build" / "local" / "state"
        self._log = directory / "log"
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "testbed", "up", *options],
                cwd=directory,
                stdout=log,
                stderr=log,
                env=FROM_ANYWHERE | environment,
            )

    def said(self) -> str:
        return self._log.read_text()

    def wait_until_it_says(self, text: str) -> None:
        until = time.monotonic() + 120
        while text not in self.said():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < until, self.said()
            time.sleep(0.05)

    def processes(self) -> list[str]:
        """Command lines of processes that still run with this directory in them."""
        found: list[str] = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                line = path.read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if str(self.state) in line:
                found.append(line)
        return found


def gone(command: Command) -> bool:
    until = time.monotonic() + 20
    while command.processes() and time.monotonic() < until:
        time.sleep(0.05)
    return not command.processes()
