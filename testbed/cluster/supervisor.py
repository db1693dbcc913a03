"""The first process inside the sandbox: makes the network, starts programs, reaps, reports.

It is PID 1 of its namespace, so that everything in the sandbox dies with it. It reads JSON objects
from standard input, one per line. When standard input closes without ``keep``, it ends the sandbox:

- ``{"start": NAME, "argv": [...], "env": {...}, "listens": [HOST, PORT]}`` starts a program, its
  output in LOGS/NAME.log; ``listens`` may be null;
- ``{"stop": NAME, "signal": N}`` ends it by that signal;
- ``{"relay": FD, "to": [HOST, PORT]}`` accepts connections on an inherited listening socket of the
  host and connects each caller to an address inside;
- ``{"keep": true}`` keeps the sandbox after standard input closes.

It writes JSON objects, one per line:

- ``{"ready": true}`` once;
- ``{"listening": NAME, "seconds": N}`` when a program listens at its ``listens``, with the time
  since its start;
- ``{"exited": NAME, "status": N}`` when a program ends unasked;
- ``{"stopped": NAME}`` when a program has ended after ``stop``.
"""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from testbed.cluster.place import FIRST, POD_CIDR, SECOND
from testbed.linux import kernel, netlink

BRIDGE = "pods0"
GATEWAY = "10.244.0.1"
"""The bridge's address, the pods' gateway; programs beside the pods listen here."""


def make_network(state: Path) -> None:
    """Create a bridge for the pods, with every address that programs outside a pod listen on."""
    prefix = POD_CIDR.partition("/")[2]
    netlink.bring_up("lo")
    netlink.add_bridge(BRIDGE)
    netlink.add_address(BRIDGE, f"{GATEWAY}/{prefix}")
    for place in (FIRST, SECOND):
        for address in (place.kubernetes_address, place.dns_address):
            netlink.add_address(BRIDGE, f"{address}/32")
    netlink.bring_up(BRIDGE)
    # Every pod gets one: report a kernel without it now, not by pods that never start.
    netlink.add_veth("veth0", "02:00:00:00:00:01", "veth1", os.getpid())
    netlink.remove("veth0")
    # Programs beside the pods resolve names as pods do.
    resolver = state / "resolv.conf"
    resolver.write_text(f"nameserver {FIRST.dns_address}\n")
    with contextlib.suppress(OSError):  # not on a machine without the file
        kernel.mount(str(resolver), os.path.realpath("/etc/resolv.conf"), None, kernel.MS_BIND)


class Supervisor:
    """The started programs, by name and by process id."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._names: dict[int, str] = {}
        self._stopped: set[int] = set()
        self._keep = False
        self._watches: set[asyncio.Task[None]] = set()  # the loop keeps only weak references

    async def run(self) -> None:
        """Carry out the orders on standard input until it ends."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGCHLD, self._reap)
        # Ctrl-C reaches every process of the terminal; the command outside handles it.
        loop.add_signal_handler(signal.SIGINT, lambda: None)
        ended = asyncio.Event()
        loop.add_signal_handler(signal.SIGTERM, ended.set)
        reader = asyncio.StreamReader(limit=2**20)
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        self._say(ready=True)
        while line := await reader.readline():
            await self._obey(json.loads(line))
        if self._keep:
            await ended.wait()

    async def _obey(self, order: dict[str, Any]) -> None:
        match order:
            case {"start": str(name), "argv": argv, "env": env, "listens": listens}:
                self._start(name, argv, env)
                if listens:
                    self._watches.add(asyncio.create_task(self._watch(name, *listens)))
            case {"stop": str(name), "signal": int(number)}:
                for pid in [pid for pid, known in self._names.items() if known == name]:
                    self._stopped.add(pid)
                    os.kill(pid, number)
            case {"relay": int(descriptor), "to": [str(host), int(port)]}:
                await self._relay(socket.socket(fileno=descriptor), host, port)
            case {"keep": True}:
                self._keep = True
            case _:
                raise ValueError(f"no such order: {order}")

    def _start(self, name: str, argv: list[str], env: dict[str, str]) -> None:
        with (self._logs / f"{name}.log").open("ab") as log:
            try:
                process = subprocess.Popen(
                    argv,
                    env={**os.environ, **env},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            except OSError as error:
                log.write(f"{error}\n".encode())
                self._say(exited=name, status=127)
                return
        self._names[process.pid] = name
        process.returncode = 0  # reaped below, not by subprocess

    async def _watch(self, name: str, host: str, port: int) -> None:
        began = time.monotonic()
        while name in self._names.values():
            try:
                _, writer = await asyncio.open_connection(host, port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return self._say(listening=name, seconds=time.monotonic() - began)
        return None

    def _reap(self) -> None:
        """Reap every child that ended: programs started here, and their orphans."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            name = self._names.pop(pid, None)
            if pid in self._stopped:
                self._stopped.discard(pid)
                self._say(stopped=name)
            elif name:
                self._say(exited=name, status=os.waitstatus_to_exitcode(status))

    async def _relay(self, listener: socket.socket, host: str, port: int) -> None:
        async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError):
                while data := await source.read(65536):
                    sink.write(data)
                    await sink.drain()
                sink.write_eof()

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                inner_reader, inner_writer = await asyncio.open_connection(host, port)
            except OSError:
                writer.close()
                return
            await asyncio.gather(copy(reader, inner_writer), copy(inner_reader, writer))
            inner_writer.close()
            writer.close()

        await asyncio.start_server(accept, sock=listener)

    def _say(self, **event: object) -> None:
        with contextlib.suppress(BrokenPipeError):  # kept: nobody reads any more
            sys.stdout.write(json.dumps(event) + "\n")
            sys.stdout.flush()


def main() -> None:
    """Run as `python -m testbed.cluster.supervisor LOGS`."""
    if os.getpid() != 1:
        # Elsewhere it would change the network and the resolver of the machine itself.
        sys.exit("the supervisor is the first process of a sandbox: python -m testbed up starts it")
    try:
        make_network(Path(sys.argv[1]).parent)
    except OSError as error:
        sys.exit(error.strerror)
    asyncio.run(Supervisor(Path(sys.argv[1])).run())
    # It is PID 1: its end ends everything.
    os._exit(0)


if __name__ == "__main__":
    main()
