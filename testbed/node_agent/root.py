"""The root file system of a container, made of bind mounts. Standard library only.

A tmpfs holds read-only binds of the host's programs and libraries, the plan's files in /etc,
devices, /proc, and the pod's volumes at their paths. It lives in the container's mount namespace
and ends with it.
"""

from pathlib import Path
from typing import TypedDict

from testbed.linux import kernel

HOST_DIRECTORIES = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
HOST_FILES = (
    "/etc/ssl", "/etc/ca-certificates", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d",
    "/etc/alternatives", "/etc/localtime", "/etc/mime.types", "/etc/protocols", "/etc/services",
)  # fmt: skip
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_LINKS = {
    "dev/fd": "/proc/self/fd",
    "dev/stdin": "/proc/self/fd/0",
    "dev/stdout": "/proc/self/fd/1",
    "dev/stderr": "/proc/self/fd/2",
    "var/run": "../run",
}


class Bind(TypedDict):
    source: str
    target: str
    read_only: bool


class Root(TypedDict):
    scratch: str  # an empty directory of the host to mount on
    binds: list[Bind]
    files: dict[str, str]  # path -> text, all under /etc
    read_only: bool


def build(root: Root) -> None:
    """Build the root and pivot into it. The caller needs its own mount and pid namespaces."""
    kernel.mount(None, "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
    base = root["scratch"]
    kernel.mount("root", base, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "mode=755")
    for name in ("dev", "etc", "proc", "run", "tmp", "var", "var/tmp"):
        (Path(base) / name).mkdir()
    for name in ("tmp", "var/tmp"):
        (Path(base) / name).chmod(0o1777)
    for name, target in _LINKS.items():
        (Path(base) / name).symlink_to(target)
    for path, text in root["files"].items():
        (Path(base) / path.lstrip("/")).write_text(text)
    for name in _DEVICES:
        _bind(base, {"source": f"/dev/{name}", "target": f"/dev/{name}", "read_only": False})
    (Path(base) / "dev/shm").mkdir()
    kernel.mount("shm", f"{base}/dev/shm", "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV)
    kernel.mount("proc", f"{base}/proc", "proc")

    binds = [*_host_binds(base), *sorted(root["binds"], key=lambda bind: bind["target"])]
    for bind in binds:
        _bind(base, bind)
    # Read-only comes last: a volume may be mounted inside another one.
    for bind in binds:
        if bind["read_only"]:
            kernel.remount_read_only(base + bind["target"])
    kernel.pivot_root(base)
    if root["read_only"]:
        kernel.remount_read_only("/")


def _host_binds(base: str) -> list[Bind]:
    binds: list[Bind] = []
    for path in (*HOST_DIRECTORIES, *HOST_FILES):
        if Path(path).is_symlink():
            (Path(base) / path.lstrip("/")).symlink_to(Path(path).readlink())
        elif Path(path).exists():
            binds.append({"source": path, "target": path, "read_only": True})
    return binds


def _bind(base: str, bind: Bind) -> None:
    target = Path(base + bind["target"])
    if Path(bind["source"]).is_dir():
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    kernel.mount(bind["source"], str(target), None, kernel.MS_BIND | kernel.MS_REC)
