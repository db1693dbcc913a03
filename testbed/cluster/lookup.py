"""Asks the zone's name server whether it knows a name, past every cache. Runs inside the sandbox.

A resolver that is asked too early remembers the no; this asks where nothing is remembered.
"""

import socket
import struct
import sys

from testbed.cluster.control_plane import NAME_SERVER_PORT
from testbed.cluster.name_server import TYPES
from testbed.cluster.place import FIRST


def answers(name: str, kind: str) -> int:
    """How many records of a type the name server holds (RFC 1035, section 4)."""
    header = struct.pack(">6H", 1, 0, 1, 0, 0, 0)
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.rstrip(".").split("."))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(2)
        asking.sendto(
            header + labels + b"\0" + struct.pack(">2H", TYPES[kind], 1),
            (FIRST.dns_address, NAME_SERVER_PORT),
        )
        return struct.unpack(">6H", asking.recv(4096)[:12])[3]


if __name__ == "__main__":
    sys.exit(0 if answers(sys.argv[1], sys.argv[2]) else 1)
