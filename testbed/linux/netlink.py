"""Network links, addresses and routes, by rtnetlink(7). Standard library only, for the launcher.

Each function acts on the caller's network namespace. It raises OSError that says what failed.
"""

import ipaddress
import os
import socket
import struct
import sys
import time

_NEWLINK, _DELLINK, _NEWADDR, _NEWROUTE, _NEWRULE, _DELRULE = 16, 17, 20, 24, 32, 33
_REQUEST, _ACK, _NEW = 0x1, 0x4, 0x600  # of NLM_F_; the last is EXCL | CREATE
_UP = 1  # IFF_UP
_LINK_ADDRESS, _LINK_NAME, _LINK_MASTER, _LINK_INFO, _LINK_NAMESPACE_OF = 1, 3, 10, 18, 19
_INFO_KIND, _INFO_DATA, _VETH_PEER = 1, 2, 1
_ADDRESS, _ADDRESS_LOCAL, _ROUTE_GATEWAY = 1, 2, 5
_TABLE_MAIN, _PROTOCOL_STATIC, _UNICAST = 254, 4, 1
_RULE_BLACKHOLE, _RULE_INPUT, _RULE_PRIORITY = 6, 3, 6


def add_bridge(name: str) -> None:
    info = _attribute(_INFO_KIND, b"bridge")
    body = _link() + _attribute(_LINK_NAME, _text(name)) + _attribute(_LINK_INFO, info)
    _ask(_NEWLINK, _NEW, body, f"make the bridge {name}")


def add_veth(name: str, hardware_address: str, peer: str, process: int) -> None:
    """Create a veth pair with its other end, ``peer``, in the network namespace of a process."""
    other = (
        _link()
        + _attribute(_LINK_NAME, _text(peer))
        + _attribute(_LINK_NAMESPACE_OF, struct.pack("=I", process))
    )
    info = _attribute(_INFO_KIND, b"veth") + _attribute(_INFO_DATA, _attribute(_VETH_PEER, other))
    body = (
        _link()
        + _attribute(_LINK_NAME, _text(name))
        + _attribute(_LINK_ADDRESS, bytes.fromhex(hardware_address.replace(":", "")))
        + _attribute(_LINK_INFO, info)
    )
    _ask(_NEWLINK, _NEW, body, f"make the veth pair {name}, {peer}")


def bring_up(name: str, bridge: str | None = None) -> None:
    """Set a link up, as a port of ``bridge`` if one is given."""
    body = _link(_index(name), _UP)
    if bridge:
        body += _attribute(_LINK_MASTER, struct.pack("=I", _index(bridge)))
    _ask(_NEWLINK, 0, body, f"bring {name} up")


def remove(name: str) -> None:
    _ask(_DELLINK, 0, _link(_index(name)), f"remove {name}")


def add_address(name: str, address: str) -> None:
    """Give a link an IPv4 address with its prefix length."""
    own = ipaddress.IPv4Interface(address)
    body = struct.pack("=4BI", socket.AF_INET, own.network.prefixlen, 0, 0, _index(name))
    body += _attribute(_ADDRESS_LOCAL, own.ip.packed) + _attribute(_ADDRESS, own.ip.packed)
    _ask(_NEWADDR, _NEW, body, f"give {name} the address {address}")


def add_default_route(gateway: str) -> None:
    kind = (_TABLE_MAIN, _PROTOCOL_STATIC, 0, _UNICAST)
    body = struct.pack("=8BI", socket.AF_INET, 0, 0, 0, *kind, 0)
    body += _attribute(_ROUTE_GATEWAY, ipaddress.IPv4Address(gateway).packed)
    _ask(_NEWROUTE, _NEW, body, f"add the route by {gateway}")


def silence() -> None:
    """Drop every packet that this network namespace sends, except over loopback. Peers get no RST,
    and connection attempts no answer."""
    _ask(_NEWRULE, _NEW, _silence(), "drop what is sent")


def unsilence() -> None:
    _ask(_DELRULE, 0, _silence(), "let through what is sent")


def stall(seconds: str) -> None:
    """Silence for exactly that long."""
    silence()
    time.sleep(float(seconds))
    unsilence()


def _silence() -> bytes:
    """A rule after the one for local addresses (0), and before all others."""
    head = struct.pack("=8BI", socket.AF_INET, 0, 0, 0, 0, 0, 0, _RULE_BLACKHOLE, 0)
    # Packets sent from here have "lo" as their input interface.
    sent = _attribute(_RULE_INPUT, _text("lo"))
    return head + sent + _attribute(_RULE_PRIORITY, struct.pack("=I", 1))


def _ask(kind: int, flags: int, body: bytes, what: str) -> None:
    header = struct.pack("=IHHII", 16 + len(body), kind, _REQUEST | _ACK | flags, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as kernel:
        kernel.send(header + body)
        (number,) = struct.unpack_from("=i", kernel.recv(65536), 16)
    if number:
        raise OSError(-number, f"{what}: {os.strerror(-number)}")


def _link(index: int = 0, flags: int = 0) -> bytes:
    """A struct ifinfomsg that sets ``flags`` and changes no other flag."""
    return struct.pack("=BxHiII", socket.AF_UNSPEC, 0, index, flags, flags)


def _attribute(kind: int, value: bytes) -> bytes:
    length = 4 + len(value)
    return struct.pack("=HH", length, kind) + value + bytes(-length % 4)


def _text(name: str) -> bytes:
    return os.fsencode(name) + b"\0"


def _index(name: str) -> int:
    try:
        return socket.if_nametoindex(name)
    except OSError as error:
        raise OSError(error.errno, f"{name}: {error.strerror or error}") from None


if __name__ == "__main__":
    act, *given = sys.argv[1:]
    {"silence": silence, "unsilence": unsilence, "stall": stall}[act](*given)
