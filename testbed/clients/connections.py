"""Counts the connections that each client opens: ``python connections.py PORT NAME=PID...``.

Runs inside the sandbox until its standard input ends, then prints ``{NAME: connections}``. A
connection to PORT that lives for less than half a second may be missed. Standard library only.
"""

import json
import select
import sys
from pathlib import Path

_ESTABLISHED = "01"
_INTERVAL = 0.5


def main(port: int, processes: dict[str, int]) -> None:
    seen: dict[str, set[tuple[str, str]]] = {name: set() for name in processes}
    while True:
        for name, pid in processes.items():
            for table in ("tcp", "tcp6"):  # Java's and Node's sockets are IPv6 ones
                try:
                    lines = Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
                except OSError:
                    continue  # it has ended
                for line in lines:
                    _, local, remote, state, *_ = line.split()
                    if state == _ESTABLISHED and int(remote.rpartition(":")[2], 16) == port:
                        seen[name].add((local, remote))
        if select.select([sys.stdin], [], [], _INTERVAL)[0]:
            break
    print(json.dumps({name: len(several) for name, several in seen.items()}))


if __name__ == "__main__":
    main(int(sys.argv[1]), {n: int(p) for n, _, p in (w.partition("=") for w in sys.argv[2:])})
