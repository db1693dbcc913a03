"""The sandbox, seen from the host: network, mount, name and process namespaces of its own.

Its programs have no route outside, and listen on the host only when asked to. All of them end with
its first process (`supervisor`).
"""

import contextlib
import errno
import json
import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from testbed.cluster.errors import LocalError

TOOLS = ("unshare", "nsenter", "setpriv")
"""Programs of the host that the sandbox needs; almost every Linux has them."""


class Sandbox:
    """One running sandbox. ``state`` is where its programs keep their files."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.logs = state / "logs"
        self.exits: queue.Queue[tuple[str, int]] = queue.Queue()
        """Programs that ended unasked, with their exit statuses."""
        self.listening: dict[str, float] = {}
        """Seconds from a program's start until it listened, for those started with ``listens``."""
        self._process: subprocess.Popen[str] | None = None
        self._ready = threading.Event()
        self._stopped = threading.Event()
        self._pid = 0

    @classmethod
    def kept(cls, state: Path) -> "Sandbox":
        """The sandbox that an earlier run kept. It can run commands, but start no more programs."""
        pid = running(state)
        if pid is None:
            raise LocalError(
                "no local cluster is up", advice="start one and keep it: make local KEEP=1"
            )
        found = cls(state)
        found._pid = pid
        return found

    def start(self, listeners: Sequence[socket.socket] = ()) -> None:
        """Create the namespaces and the network in them.

        ``listeners`` are sockets of the host for `relay`. Raises LocalError that names what the
        kernel lacks.
        """
        require_tools()
        self.logs.mkdir(parents=True)
        log = self.logs / "supervisor.log"
        with log.open("w") as errors:
            self._process = subprocess.Popen(
                [*_UNSHARE, sys.executable, "-m", "testbed.cluster.supervisor", str(self.logs)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                pass_fds=[listener.fileno() for listener in listeners],
                # The command handles Ctrl-C and then ends the sandbox in order.
                start_new_session=True,
            )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        while not self._ready.wait(0.02):
            if self._process.poll() is not None:
                self.close()
                raise _why_not(log)
        self._pid = _child(self._process.pid)
        (self.state / "sandbox.pid").write_text(f"{self._pid} {_start_time(self._pid)}")
        entered = subprocess.run(self.command("true"), capture_output=True, text=True, check=False)
        if entered.returncode:
            raise LocalError(
                f"the sandbox cannot be entered: {entered.stderr.strip()}",
                advice="in a container, run it with --privileged, or as root outside of one",
            )

    def run(
        self,
        name: str,
        argv: Sequence[str],
        env: Mapping[str, str] | None = None,
        listens: tuple[str, int] | None = None,
    ) -> None:
        """Start a program; its output goes to ``logs/NAME.log``.

        `listening` has the time until it accepted connections at ``listens``.
        """
        self._order(start=name, argv=list(argv), env=dict(env or {}), listens=listens)

    def relay(self, listener: socket.socket, host: str, port: int) -> None:
        """Connect callers of this host socket to an address inside."""
        self._order(relay=listener.fileno(), to=[host, port])
        listener.close()

    def end(self, name: str, by: int = signal.SIGTERM, timeout: float = 90) -> None:
        """End one program by a signal and wait for its end. Raises LocalError when time is up."""
        self._stopped.clear()
        self._order(stop=name, signal=by)
        until = time.monotonic() + timeout
        while not self._stopped.wait(0.1):
            if not self.running or time.monotonic() > until:
                raise LocalError(f"{name} did not end", log=self.log(name))

    def keep(self) -> None:
        """Keep the sandbox after this process ends."""
        self._order(keep=True)

    @property
    def running(self) -> bool:
        """Whether the sandbox exists."""
        return self._process is not None and self._process.poll() is None

    def close(self) -> None:
        """End everything in the sandbox and wait until it is gone."""
        if self._process is None:
            return
        if self._process.poll() is None:
            # Wait for its first process; if there is none yet, unshare itself ends.
            first = self._pid or _child(self._process.pid) or self._process.pid
            with contextlib.suppress(ProcessLookupError):
                os.kill(first, signal.SIGKILL)
        self._process.wait()
        self._listener.join()
        for stream in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(BrokenPipeError):  # it never read the order
                if stream:
                    stream.close()
        self._process = None

    def command(self, *argv: str) -> list[str]:
        """The command line that runs ``argv`` inside, to print or to start."""
        return enter_command(self._pid, *argv)

    def log(self, name: str) -> Path:
        """Where a program's output goes."""
        return self.logs / f"{name}.log"

    def _order(self, **order: Any) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise LocalError("the sandbox has ended", log=self.log("supervisor")) from None

    def _listen(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        for line in self._process.stdout:
            event = json.loads(line)
            if "ready" in event:
                self._ready.set()
            elif "listening" in event:
                self.listening[event["listening"]] = event["seconds"]
            elif "stopped" in event:
                self._stopped.set()
            else:
                self.exits.put((event["exited"], event["status"]))


def enter_command(pid: int, *argv: str) -> list[str]:
    """The command line that runs ``argv`` in the namespaces of process ``pid``."""
    user = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
    return ["nsenter", "-t", str(pid), *user, "-m", "-n", "-u", "-p", f"-w{Path.cwd()}", *argv]


def running(state: Path) -> int | None:
    """The first process of the sandbox that an earlier run left in ``state``, if it is alive."""
    try:
        pid, start_time = (state / "sandbox.pid").read_text().split()
    except (FileNotFoundError, ValueError):
        return None
    return int(pid) if _start_time(int(pid)) == start_time else None


def end_leftover(state: Path) -> bool:
    """End the sandbox of an earlier run and remove its files. Returns whether there were any."""
    pid = running(state)
    if pid:
        os.kill(pid, signal.SIGKILL)
        while running(state):
            time.sleep(0.02)
    there = state.exists()
    # Root of the user namespace may have left directories that we cannot enter.
    shutil.rmtree(state, onerror=_open_and_retry)
    if state.exists():
        raise PermissionError(errno.EACCES, "cannot be removed", str(state))
    return there


def require_tools() -> None:
    """Raise LocalError on any system but Linux, or for the first missing program of the host."""
    if sys.platform != "linux":
        raise LocalError("the local cluster needs Linux", advice="a virtual machine will do")
    for tool in TOOLS:
        if shutil.which(tool) is None:
            raise LocalError(
                f"the program {tool} is not installed", advice="install the package util-linux"
            )


_UNSHARE = [
    "unshare",
    *([] if os.geteuid() == 0 else ["--user", "--map-root-user"]),
    *("--net", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc"),
]  # fmt: skip

# Settings that can forbid namespaces: the forbidding value, and a permitting one.
_LIMITS = {
    f"user/max_{kind}_namespaces": ("0", "10000")
    for kind in ("user", "net", "mnt", "uts", "ipc", "pid")
}
_OF_PLAIN_USERS = {
    "kernel/unprivileged_userns_clone": ("0", "1"),
    "kernel/apparmor_restrict_unprivileged_userns": ("1", "0"),
}
_SETTINGS = _LIMITS if os.geteuid() == 0 else _OF_PLAIN_USERS | _LIMITS


def _why_not(log: Path) -> LocalError:
    said = log.read_text(errors="replace")
    last = said.strip().splitlines()[-1] if said.strip() else "no message"
    for setting, (forbidding, permitting) in _SETTINGS.items():
        with contextlib.suppress(OSError):
            if Path("/proc/sys", setting).read_text().strip() == forbidding:
                name = setting.replace("/", ".")
                return LocalError(
                    f"the kernel permits no namespaces here: {name} is {forbidding}",
                    advice=f"sysctl -w {name}={permitting} (as root), or run as root",
                    log=log,
                )
    if "No space left on device" in said:
        return LocalError(
            f"the kernel grants no more namespaces here ({last})",
            advice="raise the limits: sysctl user (those that end in _namespaces), as root",
            log=log,
        )
    if "unshare failed" in said or "Operation not permitted" in said:
        return LocalError(
            f"the kernel permits no namespaces here ({last})",
            advice="in a container, run it with --privileged, or as root outside of one",
            log=log,
        )
    if "Operation not supported" in said:
        return LocalError(
            f"the kernel has no network bridges or veth pairs ({last})",
            advice="load them: modprobe -a bridge veth",
            log=log,
        )
    return LocalError(f"the sandbox did not start: {last}", log=log)


def _child(pid: int) -> int:
    """The only child of a process; 0 if it has none yet."""
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text() or 0)


def _start_time(pid: int) -> str | None:
    """A process's start time, which with its id identifies it for good; None when it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] == "Z" else fields[19]


def _open_and_retry(function: Any, path: str, _: object) -> None:
    if isinstance(_, tuple) and isinstance(_[1], FileNotFoundError):
        return
    with contextlib.suppress(OSError):
        Path(path).parent.chmod(0o700)
        function(path)
