"""Opens a TCP connection to each address, and finds out what the port speaks."""

import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from grpc_platform_tools.call.clock import ms_since, now
from grpc_platform_tools.call.steps import Endpoint, Reached, Speaks, Target
from grpc_platform_tools.call.tls import Roots, shake_hands, speaks_tls

OTHER_PORTS = (8080, 8443, 8002, 443, 80)
"""Those of the platform's Envoys (calls, calls over TLS, metrics), and the usual ones."""
_MOST_AT_ONCE = 50
# The preface of a client (RFC 9113, section 3.4) and an empty SETTINGS frame.
_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
_SETTINGS = 4  # the frame's type, its fourth byte
_HEADER_SIZE = 9


def look_at_all(
    target: Target, addresses: Sequence[str], roots: Roots, timeout: float
) -> tuple[Endpoint, ...]:
    """Look at every address at the same time; in the order of `addresses`."""
    with ThreadPoolExecutor(min(len(addresses), _MOST_AT_ONCE)) as pool:
        return tuple(pool.map(partial(_look_at, target, roots, timeout), addresses))


def _look_at(target: Target, roots: Roots, timeout: float, address: str) -> Endpoint:
    started = now()
    reached, connection = connect(address, target.port, timeout)
    ms = ms_since(started)
    if connection is None:
        others = _reach_others(address, target.port, timeout)
        return Endpoint(address=address, reached=reached, ms=ms, other_ports=others)
    with connection:
        handshake = shake_hands(connection, target, roots) if target.tls else None
        speaks = None if target.tls else _answer(connection)
    if handshake and handshake.outcome == "failed":
        speaks = _speaks_in_plaintext(address, target.port, timeout)
    elif speaks not in (None, "h2") and speaks_tls(address, target, timeout):
        speaks = "tls"
    return Endpoint(address=address, reached=reached, ms=ms, speaks=speaks, handshake=handshake)


def connect(address: str, port: int, timeout: float) -> tuple[Reached, socket.socket | None]:
    """Open a connection; or None, and why not."""
    try:
        return "open", socket.create_connection((address, port), timeout)
    except TimeoutError:
        return "silent", None
    except ConnectionError:
        return "refused", None
    except OSError:
        return "unreachable", None


def _reach_others(address: str, port: int, timeout: float) -> dict[int, Reached]:
    def reach(other: int) -> Reached:
        reached, connection = connect(address, other, timeout)
        if connection:
            connection.close()
        return reached

    others = [one for one in OTHER_PORTS if one != port]
    with ThreadPoolExecutor() as pool:
        return dict(zip(others, pool.map(reach, others), strict=True))


def _speaks_in_plaintext(address: str, port: int, timeout: float) -> Speaks:
    _, connection = connect(address, port, timeout)
    if connection is None:
        return "closed"
    with connection:
        return _answer(connection)


def _answer(connection: socket.socket) -> Speaks:
    """What the other side answers to a client of HTTP/2."""
    said = b""
    try:
        connection.sendall(_HELLO)
        while len(said) < _HEADER_SIZE and (more := connection.recv(_HEADER_SIZE - len(said))):
            said += more
    except TimeoutError:
        return "silent"
    except OSError:
        return "closed"
    if said.startswith(b"HTTP/1"):
        return "http/1.1"
    if len(said) == _HEADER_SIZE and said[3] == _SETTINGS:
        return "h2"
    return "other" if said else "closed"
