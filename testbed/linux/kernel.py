"""System calls without a function in Python 3.11. Standard library only, for the launcher."""

import ctypes
import errno
import os
from pathlib import Path

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 0x20, 0x1000, 0x4000, 0x40000
MS_NOATIME, MS_NODIRATIME, MS_RELATIME = 0x400, 0x800, 0x200000
MNT_DETACH = 2

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x20000, 0x4000000, 0x8000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000

_PR_SET_PDEATHSIG, _PR_CAPBSET_READ, _PR_CAPBSET_DROP = 1, 23, 24
_PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 36, 38
_SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}

# In the order of the kernel's numbers (capability.h).
CAPABILITIES = (
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID",
    "SETPCAP", "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW",
    "IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT",
    "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD",
    "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG",
    "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF", "CHECKPOINT_RESTORE",
)  # fmt: skip

_libc = ctypes.CDLL(None, use_errno=True)


def _done(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def _text(value: str | None) -> bytes | None:
    return None if value is None else os.fsencode(value)


def mount(
    source: str | None, target: str, kind: str | None = None, flags: int = 0, data: str = ""
) -> None:
    """mount(2); raises OSError that names the target."""
    result = _libc.mount(
        _text(source), _text(target), _text(kind), ctypes.c_ulong(flags), _text(data or None)
    )
    _done(result, f"mount {kind or source} on {target}")


def unmount(target: str) -> None:
    """Detach a mount now; processes that still use it keep it."""
    _done(_libc.umount2(_text(target), MNT_DETACH), f"unmount {target}")


def remount_read_only(target: str) -> None:
    """Make one bind mount read-only and keep its other flags.

    A user namespace may not clear nosuid, nodev or noexec of a mount it inherited, so they are
    named again (mount_namespaces(7), "locked").
    """
    flags = MS_REMOUNT | MS_BIND | MS_RDONLY
    present = os.statvfs(target).f_flag
    kept = MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME
    flags |= present & kept
    if present & 0x1000:  # ST_RELATIME and MS_RELATIME have different values
        flags |= MS_RELATIME
    mount(None, target, None, flags)


def pivot_root(new_root: str) -> None:
    """Make new_root the root of this mount namespace and unmount the old one."""
    os.chdir(new_root)
    number = _SYS_PIVOT_ROOT[os.uname().machine]
    _done(_libc.syscall(number, b".", b"."), f"pivot_root {new_root}")
    unmount(".")
    os.chdir("/")


def unshare(flags: int) -> None:
    try:
        _done(_libc.unshare(flags), "unshare")
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        # The kernel's text, "No space left on device", is misleading.
        text = "unshare: the kernel grants no more namespaces (sysctl user.max_*_namespaces)"
        raise OSError(errno.ENOSPC, text) from None


def setns(descriptor: int) -> None:
    _done(_libc.setns(descriptor, 0), "setns")


def set_hostname(name: str) -> None:
    data = os.fsencode(name)
    _done(_libc.sethostname(data, len(data)), "sethostname")


def die_with_parent() -> None:
    """This process gets SIGKILL when its parent ends."""
    _done(_libc.prctl(_PR_SET_PDEATHSIG, 9, 0, 0, 0), "prctl(PDEATHSIG)")


def adopt_orphans() -> None:
    """Processes whose parent ends become children of this one, which can then wait for them."""
    _done(_libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl(CHILD_SUBREAPER)")


def forbid_new_privileges() -> None:
    _done(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl(NO_NEW_PRIVS)")


def keep_only_capabilities(names: list[str]) -> None:
    """Keep only these capabilities, for good: this process and its children can gain no others."""
    for number, name in enumerate(CAPABILITIES):
        if name not in names and _libc.prctl(_PR_CAPBSET_READ, number, 0, 0, 0) == 1:
            _done(_libc.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0), f"drop {name}")


def is_mapped(number: int, map_file: str) -> bool:
    """Whether /proc/self/{uid,gid}_map maps this id: as root all ids, as a plain user often one."""
    for line in Path(map_file).read_text().splitlines():
        first, _, length = (int(word) for word in line.split())
        if first <= number < first + length:
            return True
    return False
