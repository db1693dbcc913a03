"""What each step of a call found: plain data, printed whole by --json.

Times are in milliseconds unless their names say otherwise.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where to call."""

    host: str
    """A DNS name, or an IPv4 address."""
    port: int
    tls: bool
    authority: str
    """The :authority of the calls; with TLS its host is also the name in the certificate."""

    @property
    def server_name(self) -> str:
        """The authority without a port."""
        return self.authority.partition(":")[0]


Kind = Literal["CNAME", "A"]
"""A type of DNS record."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """One DNS record."""

    name: str
    type: Kind
    value: str
    ttl: int
    """Seconds."""


@dataclass(frozen=True, kw_only=True)
class Lookup:
    """What the name led to."""

    outcome: Literal["given", "found", "unknown", "empty", "dangling", "failed", "silent"]
    """`given`: the host is an address. `unknown`: no such name. `empty`: the name has no A record.
    `dangling`: a CNAME leads to a name without addresses. `failed`: the name server's answer is an
    error. `silent`: it does not answer."""
    server: str | None = None
    """The name server that was asked, as ADDRESS:PORT; None: this machine's own look-up."""
    code: str = ""
    """DNS's response code, such as NXDOMAIN."""
    records: tuple[Record, ...] = ()
    addresses: tuple[str, ...] = ()
    cached_seconds: int | None = None
    """How long resolvers may remember that there is no such name or address."""
    ms: float = 0.0


Reached = Literal["open", "refused", "silent", "unreachable"]
"""What a TCP connection to a port met; `silent`: nothing came back."""
Speaks = Literal["h2", "http/1.1", "tls", "closed", "silent", "other"]
"""What a port answers to a client of HTTP/2; `closed`: it closes the connection without a word."""


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """What a certificate says."""

    names: tuple[str, ...]
    """Its subject alternative names."""
    issuer: str
    not_before: datetime
    not_after: datetime


@dataclass(frozen=True, kw_only=True)
class Handshake:
    """A TLS handshake."""

    outcome: Literal["verified", "wrong name", "expired", "not yet valid", "untrusted", "failed"]
    """`failed`: there was no handshake, so no certificate."""
    reason: str = ""
    """Why not, in OpenSSL's words."""
    version: str = ""
    http2: bool = False
    """Whether HTTP/2 was agreed on (ALPN)."""
    certificate: Certificate | None = None
    ms: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One address of the name."""

    address: str
    reached: Reached
    ms: float
    """Until the connection was open, or refused."""
    speaks: Speaks | None = None
    """None where no connection was opened, and where TLS succeeded."""
    handshake: Handshake | None = None
    other_ports: dict[int, Reached] = field(default_factory=dict[int, Reached])
    """What other ports of the address answer, where this one cannot be reached."""

    @property
    def usable(self) -> bool:
        """Whether a call can go through it."""
        if self.handshake:
            return self.handshake.outcome == "verified" and self.handshake.http2
        return self.speaks == "h2"


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call and its answer."""

    method: str
    """`package.Service/Method`."""
    address: str
    """The address it went through."""
    status: str
    """gRPC's name of the status, such as UNAVAILABLE."""
    message: str = ""
    metadata: dict[str, str] = field(default_factory=dict[str, str])
    """The headers and trailers of the answer."""
    reply: dict[str, Any] | None = None
    """The message, as JSON; of a stream the first one."""
    connected_ms: float | None = None
    """Until the connection was ready; None: it never was."""
    ms: float = 0.0

    @property
    def by_envoy(self) -> bool:
        """Whether an Envoy passed the answer on, or made it."""
        return self.metadata.get("server") == "envoy"

    @property
    def by_upstream(self) -> bool:
        """Whether the answer came from the server behind Envoy."""
        return "x-envoy-upstream-service-time" in self.metadata

    @property
    def pod(self) -> str | None:
        """The server's pod, where the reply or a header names it."""
        told = [(self.reply or {}).get("pod"), *(self.metadata.get(name) for name in _POD_HEADERS)]
        return next((one for one in told if isinstance(one, str) and one), None)


_POD_HEADERS = ("pod", "x-pod", "x-pod-name", "x-served-by")


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """What is wrong, and what to do about it."""

    code: str
    """A name that programs can compare."""
    problem: str
    """One sentence."""
    remedy: str
