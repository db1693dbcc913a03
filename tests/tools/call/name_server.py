"""A name server on 127.0.0.1 for a test."""

import socket
import socketserver
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

_SOA = "ns.test. hostmaster.test. 1 7200 900 1209600 60"


@contextmanager
def name_server(
    records: str, *, code: dns.rcode.Rcode | None = None, most_aliases: int = 8
) -> Generator[str]:
    """A name server with the given records, a line each: name, TTL, type, values. With `code` it
    answers that to everything. An answer follows at most so many aliases, as if the next name were
    in another's zone. Yields what --resolver takes."""
    with _NameServer(records, code, most_aliases) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def silent_name_server() -> Generator[str]:
    """One that reads no question."""
    with socket.socket(type=socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{server.getsockname()[1]}"


class _NameServer(socketserver.UDPServer):
    def __init__(self, records: str, code: dns.rcode.Rcode | None, most_aliases: int) -> None:
        super().__init__(("127.0.0.1", 0), _Question)
        self.code = code
        self.most_aliases = most_aliases
        lines = [line.split() for line in records.strip().splitlines()]
        self.records: list[Any] = [
            dns.rrset.from_text(f"{name}.", int(ttl), "IN", kind, *values)
            for name, ttl, kind, *values in lines
        ]

    def find(self, name: Any, kind: Any) -> Any:
        found = (one for one in self.records if (one.name, one.rdtype) == (name, kind))
        return next(found, None)


class _Question(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        data, listener = self.request
        response = dns.message.make_response(dns.message.from_wire(data))
        self._fill(response)
        listener.sendto(response.to_wire(), self.client_address)

    def _fill(self, response: dns.message.Message) -> None:
        """A name that is in none of the records does not exist."""
        server = self.server
        assert isinstance(server, _NameServer)
        if server.code is not None:
            response.set_rcode(server.code)
            return
        name: Any = response.question[0].name
        while alias := server.find(name, dns.rdatatype.CNAME):
            if len(response.answer) == server.most_aliases:
                return
            response.answer.append(alias)
            name = alias[0].target
        if len(response.answer) == server.most_aliases:
            return
        if found := server.find(name, dns.rdatatype.A):
            response.answer.append(found)
            return
        response.authority.append(dns.rrset.from_text("test.", 900, "IN", "SOA", _SOA))
        if not any(one.name == name for one in server.records):
            response.set_rcode(dns.rcode.NXDOMAIN)
