"""The short-lived program that turns into a pod's process. Standard library only.

The agent starts it with a plan as JSON on standard input. Three verbs:

pod    makes the network, UTS and IPC namespaces of a pod, says "ready" and holds them until its
       standard input ends (by then the agent holds them open).
start  enters them, makes a mount and a pid namespace, writes the new process's id and ends; the
       new process builds its root and becomes the container's command.
join   enters a running container and runs a command there, with that command's exit status.

A failure before the command runs is written to standard output, one line, after the pid.
"""

import contextlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn, TypedDict

from testbed.linux import kernel, netlink
from testbed.node_agent import root


class Credentials(TypedDict):
    uid: int
    gid: int
    groups: list[int]
    capabilities: list[str]
    no_new_privileges: bool


class Command(TypedDict):
    argv: list[str]
    env: dict[str, str]
    directory: str
    credentials: Credentials


class Pod(TypedDict):
    hostname: str
    address: str  # with its prefix length
    hardware_address: str
    gateway: str
    peer: str  # name of the veth's other end, in the agent's network namespace
    sysctls: dict[str, str]


class Start(TypedDict):
    namespaces: list[int]  # open descriptors
    root: root.Root
    log: str
    command: Command


class Join(TypedDict):
    pid: int
    command: Command


def make_pod(plan: Pod) -> None:
    parent = os.getppid()
    kernel.unshare(kernel.CLONE_NEWNET | kernel.CLONE_NEWUTS | kernel.CLONE_NEWIPC)
    kernel.set_hostname(plan["hostname"])
    netlink.bring_up("lo")
    netlink.add_veth("eth0", plan["hardware_address"], plan["peer"], parent)
    netlink.add_address("eth0", plan["address"])
    netlink.bring_up("eth0")
    netlink.add_default_route(plan["gateway"])
    for name, value in plan["sysctls"].items():
        Path("/proc/sys", name.replace(".", "/")).write_text(value)
    os.write(1, b"ready\n")
    os.read(0, 1)


def start(plan: Start) -> None:
    for descriptor in plan["namespaces"]:
        kernel.setns(descriptor)
        os.close(descriptor)
    kernel.unshare(kernel.CLONE_NEWNS | kernel.CLONE_NEWPID)
    pid = os.fork()
    if pid:
        os.write(1, f"{pid}\n".encode())
        os._exit(0)
    answer = os.dup(1)  # closes when the command starts
    try:
        os.setsid()
        log = os.open(plan["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        # A program that opens /dev/stdout reopens this file as the user it runs as.
        os.fchmod(log, 0o666)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        root.build(plan["root"])
        _become(plan["command"])
    except BaseException as error:
        os.write(answer, f"{error}\n".encode())
        os._exit(128)


def join(plan: Join, *, interactive: bool = False) -> None:
    """Enter all namespaces of a process; the pid namespace takes effect for children only.

    SIGTERM ends the command with all its children. An interactive command gets the terminal, if
    there is one, to itself instead.
    """
    proc = Path("/proc", str(plan["pid"]), "ns")
    own_user = (Path("/proc/self/ns/user")).stat().st_ino
    user_namespace = (
        os.open(proc / "user", os.O_RDONLY) if (proc / "user").stat().st_ino != own_user else None
    )
    for descriptor in [os.open(proc / name, os.O_RDONLY) for name in ("ipc", "uts", "net", "pid")]:
        kernel.setns(descriptor)
    kernel.setns(os.open(proc / "mnt", os.O_RDONLY))
    pid = 0

    def end(*_: object) -> None:
        for kill in (os.killpg, os.kill):
            with contextlib.suppress(ProcessLookupError):
                kill(pid, signal.SIGKILL)

    if not interactive:
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        signal.signal(signal.SIGTERM, end)
    pid = os.fork()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    if pid:
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os._exit(status if status >= 0 else 128 - status)
    try:
        if not interactive:
            os.setsid()
        elif os.isatty(0):
            # A process group of the container's own: a shell inside knows no other, and Ctrl-C
            # reaches the command but not the waiting processes.
            os.setpgid(0, 0)
            signal.signal(signal.SIGTTOU, signal.SIG_IGN)
            os.tcsetpgrp(0, os.getpgrp())
            signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        _become(plan["command"], user_namespace, die_with_parent=True)
    except BaseException as error:
        os.write(1, f"{error}\n".encode())
        os._exit(126)


def _become(
    command: Command, user_namespace: int | None = None, *, die_with_parent: bool = False
) -> NoReturn:
    """Take the identity, drop forbidden capabilities, run the command.

    This user namespace may not map the id: a plain user's sandbox maps only one. Then a further
    user namespace gives that number to the one mapped id.
    """
    who = command["credentials"]
    joined = user_namespace is not None
    if user_namespace is not None:
        kernel.setns(user_namespace)
    elif not (
        kernel.is_mapped(who["uid"], "/proc/self/uid_map")
        and kernel.is_mapped(who["gid"], "/proc/self/gid_map")
    ):
        uid, gid = os.geteuid(), os.getegid()
        kernel.unshare(kernel.CLONE_NEWUSER)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{who['uid']} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{who['gid']} {gid} 1")
        joined = True
    kernel.keep_only_capabilities(who["capabilities"])
    if not joined:
        if Path("/proc/self/setgroups").read_text().strip() == "allow":
            os.setgroups(who["groups"])
        os.setresgid(who["gid"], who["gid"], who["gid"])
        os.setresuid(who["uid"], who["uid"], who["uid"])
    if who["no_new_privileges"]:
        kernel.forbid_new_privileges()
    if die_with_parent:  # a change of identity would undo it earlier
        kernel.die_with_parent()
    os.umask(0o022)
    os.chdir(command["directory"])
    for number in (
        signal.SIGPIPE,
        signal.SIGXFSZ,
    ):  # Python ignores these signals, and exec would inherit that
        signal.signal(number, signal.SIG_DFL)
    argv = command["argv"]
    try:
        os.execvpe(argv[0], argv, command["env"])
    except FileNotFoundError as error:
        raise OSError(f"{argv[0]}: no such executable in the container") from error


def main() -> None:
    verb = sys.argv[1]
    plan: Any = json.loads(sys.stdin.buffer.readline())
    try:
        {"pod": make_pod, "start": start, "join": join}[verb](plan)
    except OSError as error:
        os.write(1, f"{error}\n".encode())
        os._exit(126)
