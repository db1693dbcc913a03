"""What the command line says about where to call."""

import re
from ipaddress import AddressValueError, IPv4Address

from grpc_platform_tools.call.steps import Target
from grpc_platform_tools.errors import UserError

PLAIN_PORT, TLS_PORT = 8080, 8443
"""Those of the platform's Envoys unless the stack says otherwise."""
_TLS_PORTS = (TLS_PORT, 443)
_LONGEST_NAME = 253
_NAME = re.compile(r"[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")


def parse_target(text: str, *, tls: bool | None, authority: str | None) -> Target:
    """Read HOST[:PORT], also as a gRPC target (dns:///HOST:PORT). Without `tls` the port decides.

    Raises UserError, also for what no handshake or call could carry.
    """
    given = text.removeprefix("dns:///")
    if "/" in given or given.count(":") > 1:
        raise UserError(f"{text}: give HOST[:PORT], with a DNS name or an IPv4 address")
    host, colon, number = given.partition(":")
    host = host.removesuffix(".")
    if not host:
        raise UserError(f"{text}: the host is missing")
    if not _is_name(host):
        raise UserError(
            f"{text!r}: {host!r} is no DNS name: it has labels of up to 63 letters, digits, - and "
            "_ (others as xn--...)"
        )
    if authority is not None:
        name, with_port, its_port = authority.partition(":")
        if not _is_name(name) or (with_port and not _is_port(its_port)):
            raise UserError(f"--authority {authority!r}: give NAME or NAME:PORT")
    default = TLS_PORT if tls else PLAIN_PORT
    port = _port(number, text) if colon else default
    return Target(
        host=host,
        port=port,
        tls=port in _TLS_PORTS if tls is None else tls,
        # As gRPC's clients make it of the target.
        authority=authority or f"{host}:{port}",
    )


def parse_resolver(text: str | None) -> tuple[str, int] | None:
    """Read ADDRESS[:PORT] of a name server. Raises UserError."""
    if text is None:
        return None
    address, colon, number = text.partition(":")
    try:
        IPv4Address(address)
    except AddressValueError:
        raise UserError(f"--resolver {text}: give the IPv4 address of a name server") from None
    return address, _port(number, f"--resolver {text}") if colon else 53


def _port(number: str, text: str) -> int:
    if not _is_port(number):
        raise UserError(f"{text}: the port must be a number from 1 to 65535")
    return int(number)


def _is_name(text: str) -> bool:
    return len(text) <= _LONGEST_NAME and bool(_NAME.fullmatch(text))


def _is_port(number: str) -> bool:
    return bool(re.fullmatch(r"[0-9]{1,5}", number)) and 0 < int(number) < 65536
