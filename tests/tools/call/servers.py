"""Servers on this machine's own addresses that speak no gRPC."""

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager

from tests.tools.call.certificates import Pair

SETTINGS = bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
"""HTTP/2's first frame of either side, with no setting in it."""


def free_port(address: str = "127.0.0.1") -> int:
    """A port that nothing listens on."""
    with socket.create_server((address, 0)) as server:
        return server.getsockname()[1]


def is_open(port: int) -> bool:
    """Whether something listens on this port of 127.0.0.1."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


@contextmanager
def silent_port(address: str) -> Generator[int]:
    """A port that answers nothing to a new connection: its queue is full, so the kernel drops what
    comes."""
    with socket.create_server((address, 0), backlog=0) as server, contextlib.ExitStack() as queue:
        port: int = server.getsockname()[1]
        for _ in range(4):
            waiting = queue.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex((address, port))
        yield port


@contextmanager
def server(answer: Callable[[socket.socket], None]) -> Generator[int]:
    """Lets `answer` speak on each connection, one after the other, then closes it. Yields the
    port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ended = threading.Event()

        def serve() -> None:
            while not ended.is_set():
                with listener.accept()[0] as connection, contextlib.suppress(OSError):
                    answer(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        port: int = listener.getsockname()[1]
        try:
            yield port
        finally:
            ended.set()
            is_open(port)  # it waits for a connection
            thread.join()


def closes(connection: socket.socket) -> None:
    """Closes, with a reset, as soon as the client says something."""
    connection.recv(1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def mute(connection: socket.socket) -> None:
    """Reads until the client leaves."""
    while connection.recv(1024):
        pass


def http1(connection: socket.socket) -> None:
    """Answers as a server of HTTP/1.1 to what it does not understand."""
    connection.recv(1024)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")


def breaks_off(connection: socket.socket) -> None:
    """Speaks HTTP/2 until the first call, then leaves."""
    connection.sendall(SETTINGS)
    said = b""
    while b"Health/Check" not in said and (more := connection.recv(1024)):
        said += more


def turns_grpc_away(connection: socket.socket) -> None:
    """Speaks HTTP/2 to a client without settings, and closes the connection of any other."""
    said = connection.recv(1024)
    if said.endswith(SETTINGS):
        connection.sendall(SETTINGS)
        mute(connection)


def https(pair: Pair) -> Callable[[socket.socket], None]:
    """A TLS handshake with this certificate, that agrees on no HTTP/2."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)

    def answer(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as tls:
            tls.recv(1)

    return answer
