"""Where a program's CPU time goes, by perf's samples of the CPU clock."""

import contextlib
import shutil
from collections import Counter
from pathlib import Path

from experiments.lab import Lab
from testbed.cluster.cluster import CommandError
from testbed.disruptions import pods

_SECONDS = 3
_RATE = 4000  # samples a second
_PAGE = 4096
_COUNTED = 2000
"""Samples whose code is counted: more samples find more of it, so as many for each program."""

Profile = dict[str, float]


def profile(lab: Lab, pod: str, container: str, namespace: str = "default") -> Profile | None:
    """Shares of a container's CPU time over `_SECONDS`, and the memory that its hot code takes.

    None where perf is missing or not permitted.
    """
    perf = shutil.which("perf")
    if perf is None:
        return None
    process = str(pods.process(lab.cluster, namespace, pod, container))
    data = str(lab.cluster.state / "logs" / f"{pod}.perf")
    record = (perf, "record", "-q", "-e", "cpu-clock", "-F", str(_RATE), "-o", data, "-p", process)
    script = (perf, "script", "-i", data, "-F", "ip,dso")
    try:
        lab.cluster.inside(*record, "--", "sleep", str(_SECONDS))
        said = lab.cluster.inside(*script).stdout
    except CommandError:
        return None
    finally:
        with contextlib.suppress(FileNotFoundError):
            Path(data).unlink()
    return summarize(said)


def summarize(script: str) -> Profile | None:
    """From lines of `perf script -F ip,dso`: an address, and in brackets the file it is in."""
    where: Counter[str] = Counter()
    code: Counter[int] = Counter()
    for line in script.splitlines():
        address, _, file = line.strip().partition(" ")
        if not file:
            continue
        name = file.strip("()").rpartition("/")[2]
        kind = "kernel" if "kernel" in file else "libc" if name.startswith("libc.") else "own"
        where[kind] += 1
        if kind == "own" and code.total() < _COUNTED:
            code[int(address, 16) // _PAGE] += 1
    total = where.total()
    if not total:
        return None
    pages, seen = 0, 0
    for _, samples in code.most_common():
        if seen >= 0.9 * code.total():
            break
        pages, seen = pages + 1, seen + samples
    shares = {kind: where[kind] / total for kind in ("kernel", "libc", "own")}
    return {**shares, "kib_of_hot_code": pages * _PAGE / 1024, "samples": total}
