"""Prints the programs of a sandbox as JSON: ``{name: [processes, resident bytes]}``.

Runs inside the sandbox. A Python program is listed under its module's name. Shared pages count in
each process.
"""

import json
import os
from pathlib import Path

import psutil


def main() -> None:
    found: dict[str, tuple[int, int]] = {}
    for process in psutil.process_iter():
        try:
            argv, resident = process.cmdline(), process.memory_info().rss
        except psutil.Error:
            continue  # it ended meanwhile
        if not argv or process.pid == os.getpid():
            continue
        count, total = found.get(name := _name(argv), (0, 0))
        found[name] = (count + 1, total + resident)
    print(json.dumps(found))


def _name(argv: list[str]) -> str:
    name = Path(argv[0]).name
    if not name.startswith("python"):
        return name
    if "moto.server" in argv:
        return "route53"
    module = next((word for word in argv if word.startswith("testbed.")), argv[-1])
    return module.rpartition(".")[2] if module.startswith("testbed.") else module


if __name__ == "__main__":
    main()
