"""The counter of connections sees each connection once."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

from testbed.clients import connections


def test_counts_the_connections_of_a_process_to_one_port() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_server(("127.0.0.1", 0)) as other,
    ):
        port = server.getsockname()[1]
        kept = [socket.create_connection(server.getsockname()) for _ in range(2)]
        kept.append(socket.create_connection(other.getsockname()))
        script = str(Path(connections.__file__))
        counter = subprocess.Popen(
            [sys.executable, "-IS", script, str(port), f"me={os.getpid()}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        told, _ = counter.communicate("\n")
        for connection in kept:
            connection.close()
    assert json.loads(told) == {"me": 2}
