"""Prints the resource use of each program in a sandbox, one JSON object per interval.

Runs inside the sandbox: ``python processes.py PODS INTERVAL``, with the node agent's directory of
pods and seconds. It ends with its standard input. It reads one small file per process and interval:
a sample of 142 processes takes 2.3 ms of CPU, and 6.5 ms or more with psutil. Standard library
only.
"""

import json
import os
import select
import sys
import time
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")

Process = tuple[int, int]
"""Its id and start time, since the kernel reuses ids."""


def main(pods: Path, interval: float) -> None:
    before: dict[Process, int] | None = None
    names: dict[tuple[Process, str], str] = {}
    at = due = time.time()
    while True:
        last, at = at, time.time()
        ticks: dict[Process, int] = {}
        cpu: dict[str, float] = {}
        mebibytes: dict[str, float] = {}
        known: dict[tuple[Process, str], str] = {}
        for entry in os.listdir("/proc"):  # noqa: PTH208 (three times as fast)
            if not entry.isdigit():
                continue
            try:
                with open(f"/proc/{entry}/stat", "rb") as file:  # noqa: PTH123 (as well)
                    head, _, rest = file.read().decode(errors="replace").rpartition(")")
                words = rest.split()
                process = (int(entry), int(words[19]))
                # After exec a process has another name.
                key = (process, head)
                name = known[key] = names.get(key) or _name(int(entry), pods)
            except OSError:
                continue  # it ended meanwhile, or is only about to begin
            ticks[process] = int(words[11]) + int(words[12])
            used = ticks[process] - (before or {}).get(process, 0)
            cpu[name] = cpu.get(name, 0.0) + used / _TICK
            mebibytes[name] = mebibytes.get(name, 0.0) + int(words[21]) * _PAGE / 2**20
        if before is not None:
            cores = {name: round(seconds / (at - last), 4) for name, seconds in cpu.items()}
            sizes = {name: round(size, 2) for name, size in mebibytes.items()}
            print(json.dumps({"at": at, "cpu": cores, "mebibytes": sizes}), flush=True)
        before, names = ticks, known
        due = max(due + interval, at)
        if select.select([sys.stdin], [], [], max(0.0, due - time.time()))[0]:
            return


def _name(pid: int, pods: Path) -> str:
    """The pod of a container's process, or the program's own name."""
    space = Path(f"/proc/{pid}/ns/pid").stat().st_ino
    if space != Path("/proc/self/ns/pid").stat().st_ino:
        for note in pods.glob("*/*/running.json"):
            try:
                first = json.loads(note.read_text())["pid"]
                found = Path(f"/proc/{first}/ns/pid").stat().st_ino == space
            except (OSError, ValueError):
                continue
            if found:
                pod, container = note.parent.parent.name.split("_")[1], note.parent.name
                return pod if pod.startswith(container) else f"{pod}/{container}"
        raise ProcessLookupError  # the agent has not noted the container yet
    argv = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    program = Path(argv[0]).name
    if not program.startswith("python"):
        return program or "kernel"
    if "moto.server" in str(argv):
        return "route53"
    module = next((word for word in argv if word.startswith("testbed.")), "")
    script = next((Path(word).stem for word in argv if word.endswith(".py")), program)
    return {"node_agent": "node-agent"}.get(name := module.rpartition(".")[2] or script, name)


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
