"""Pods' namespaces and their processes, as the agent sees them.

Only open descriptors of the agent hold a pod's network, UTS and IPC namespaces, not a process or a
mount. So they vanish when the agent ends. A container is a direct child of the agent (the
launcher's orphan), so its exit status is exact.
"""

import asyncio
import contextlib
import ipaddress
import json
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from testbed.linux import kernel, netlink
from testbed.node_agent.launch import Command, Join, Pod, Start

_LAUNCHER = (sys.executable, "-I", "-S", str(Path(__file__).with_name("launcher.py")))
_OUTPUT_LIMIT = 10 * 1024  # of a probe's or hook's command, as in the kubelet
SILENT_PODS = 64  # each a port of the bridge, which has 1,024

Made = TypeVar("Made")


class SandboxError(Exception):
    """A namespace or process could not be made; the text says which step failed."""


class Network:
    """The addresses of a node's pods on its bridge.

    An address is reused only after all others, because caches of name servers, clients and
    neighbours outlive a pod. Addresses of the pods that ended last are silent, as in a VPC: a
    client that dials one gets no answer at all.
    """

    def __init__(self, bridge: str, gateway: str, cidr: str, first: int = 16) -> None:
        self.bridge = bridge
        self.gateway = gateway
        self._network = ipaddress.IPv4Network(cidr)
        self._used: set[int] = set()
        self._silent: deque[tuple[ipaddress.IPv4Interface, int]] = deque()
        self._first = self._next = first  # earlier ones belong to the control plane

    def take(self) -> ipaddress.IPv4Interface:
        size = self._network.num_addresses
        for _ in range(size):
            number = self._next
            self._next = self._next + 1 if self._next + 2 < size else self._first
            if number not in self._used:
                self._used.add(number)
                return ipaddress.IPv4Interface(f"{self._network[number]}/{self._network.prefixlen}")
        if self._silent:
            self._forget()
            return self.take()
        raise SandboxError(f"no address left in {self._network}")

    def give_back(self, address: ipaddress.IPv4Interface) -> None:
        self._used.discard(int(address.ip) - int(self._network.network_address))

    def silence(self, address: ipaddress.IPv4Interface, namespace: int) -> None:
        """Take over an ended pod's network namespace, and with it the address."""
        with contextlib.suppress(
            FileExistsError
        ):  # it was lost with its node, and is already silent
            _call_in(namespace, netlink.silence)
        self._silent.append((address, namespace))
        if len(self._silent) > SILENT_PODS:
            self._forget()

    def _forget(self) -> None:
        address, namespace = self._silent.popleft()
        os.close(namespace)
        self.give_back(address)


def _call_in(namespace: int, act: Callable[[], None]) -> None:
    """Call a function in a network namespace, on a new thread: setns acts on one thread."""

    def enter_and_act() -> None:
        kernel.setns(namespace)
        act()

    with ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(enter_and_act).result()


async def _launch(verb: str, plan: Any, **options: Any) -> asyncio.subprocess.Process:
    launcher = await asyncio.create_subprocess_exec(
        *_LAUNCHER,
        verb,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        **options,
    )
    assert launcher.stdin is not None
    launcher.stdin.write(json.dumps(plan).encode() + b"\n")
    await launcher.stdin.drain()
    return launcher


@dataclass(frozen=True)
class PodSandbox:
    """One pod's network, UTS and IPC namespaces, held until ``close``; from then on its address is
    silent."""

    network: Network
    interface: ipaddress.IPv4Interface
    namespaces: tuple[int, ...]

    @property
    def address(self) -> str:
        return str(self.interface.ip)

    def close(self) -> None:
        if not self.namespaces:
            self.network.give_back(self.interface)
            return
        network, *others = self.namespaces
        for descriptor in others:
            os.close(descriptor)
        self.network.silence(self.interface, network)


async def make_pod(network: Network, hostname: str, sysctls: dict[str, str]) -> PodSandbox:
    """Namespaces with an address on the bridge; raises SandboxError."""
    return await _whole(_make_pod(network, hostname, sysctls), PodSandbox.close)


async def _make_pod(network: Network, hostname: str, sysctls: dict[str, str]) -> PodSandbox:
    interface = network.take()
    number = int(interface.ip)
    peer = f"veth{number:08x}"
    plan: Pod = {
        "hostname": hostname,
        "address": str(interface),
        # Derived from the address, so that a neighbour's cached entry stays valid after reuse.
        "hardware_address": "02:00:" + ":".join(f"{byte:02x}" for byte in number.to_bytes(4)),
        "gateway": network.gateway,
        "peer": peer,
        "sysctls": sysctls,
    }
    launcher = await _launch("pod", plan)
    assert launcher.stdin is not None
    assert launcher.stdout is not None
    answer = (await launcher.stdout.readline()).decode().strip()
    namespaces: tuple[int, ...] = ()
    if answer == "ready":
        where = Path("/proc", str(launcher.pid), "ns")
        namespaces = tuple(os.open(where / name, os.O_RDONLY) for name in ("net", "uts", "ipc"))
    sandbox = PodSandbox(network, interface, namespaces)
    launcher.stdin.close()
    await launcher.wait()
    if not namespaces:
        sandbox.close()
        raise SandboxError(f"the pod's network could not be made: {answer}")
    try:
        netlink.bring_up(peer, network.bridge)
    except OSError as error:
        sandbox.close()
        raise SandboxError(f"{peer} could not join {network.bridge}: {error}") from None
    return sandbox


async def _whole(work: Coroutine[Any, Any, Made], undo: Callable[[Made], None]) -> Made:
    """Finish even when cancelled; a cancellation then undoes the result."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        if not task.cancelled() and task.exception() is None:
            undo(task.result())
        raise


class Process:
    """A running container: process 1 of its pid namespace."""

    running: ClassVar[set["Process"]] = set()  # to kill when the agent ends

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.exited: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._descriptor = os.pidfd_open(pid)
        Process.running.add(self)
        asyncio.get_running_loop().add_reader(self._descriptor, self._reap)

    def _reap(self) -> None:
        _, status = os.waitpid(self.pid, 0)
        asyncio.get_running_loop().remove_reader(self._descriptor)
        os.close(self._descriptor)
        Process.running.discard(self)
        code = os.waitstatus_to_exitcode(status)
        self.exited.set_result(code if code >= 0 else 128 - code)

    def signal(self, number: int) -> None:
        if not self.exited.done():
            signal.pidfd_send_signal(self._descriptor, number)


async def start(plan: Start) -> Process:
    """Start a container; raises SandboxError with the launcher's reason on failure.

    Cancelling kills the started process.
    """
    return await _whole(_start(plan), lambda process: process.signal(signal.SIGKILL))


async def _start(plan: Start) -> Process:
    launcher = await _launch("start", plan, pass_fds=plan["namespaces"])
    assert launcher.stdin is not None
    assert launcher.stdout is not None
    launcher.stdin.close()
    # The pipe ends when the command begins (close on exec) or its process ends.
    first, _, error = (await launcher.stdout.read()).decode(errors="replace").partition("\n")
    await launcher.wait()
    if not first.isdigit():
        raise SandboxError(first)
    process = Process(int(first))
    if error:
        await process.exited
        raise SandboxError(error.strip())
    return process


async def run_inside(process: Process, command: Command) -> tuple[int, str]:
    """Run a command in a container.

    Returns its exit status and the start of its output. Cancelling (a time-out) kills it and its
    children.
    """
    plan: Join = {"pid": process.pid, "command": command}
    launcher = await _launch("join", plan, stderr=asyncio.subprocess.STDOUT)
    assert launcher.stdin is not None
    assert launcher.stdout is not None
    launcher.stdin.close()
    output = b""
    try:
        while part := await launcher.stdout.read(4096):
            output = (output + part)[:_OUTPUT_LIMIT]
        code = await launcher.wait()
    finally:
        if launcher.returncode is None:
            launcher.terminate()
    return code, output.decode(errors="replace").strip()


async def kill_all() -> None:
    """Kill every container and wait until all are gone."""
    left = list(Process.running)
    for process in left:
        process.signal(signal.SIGKILL)
    await asyncio.gather(*(process.exited for process in left))
