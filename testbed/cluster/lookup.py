"""Asks a name server and prints its answer: ``lookup NAME TYPE ADDRESS PORT``.

Runs inside the sandbox. Over TCP, which has room for a whole fleet in one answer.
"""

import importlib
import sys
from typing import Any

_TIMEOUT = 5.0  # seconds


def main(name: str, kind: str, address: str, port: str) -> None:
    dnslib: Any = importlib.import_module("dnslib")  # not typed
    question = dnslib.DNSRecord.question(name, kind)
    said = question.send(address, int(port), tcp=True, timeout=_TIMEOUT)
    for record in dnslib.DNSRecord.parse(said).rr:
        if dnslib.QTYPE[record.rtype] == kind:
            print(str(record.rdata).rstrip("."))


if __name__ == "__main__":
    main(*sys.argv[1:])
