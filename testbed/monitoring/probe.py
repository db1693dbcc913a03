"""Counts the answers to a DNS question, in the metrics of the blackbox exporter's `dns` prober.

``python -m testbed.monitoring.probe ADDRESS PORT NAME``; ``/probe?target=HOST:PORT`` asks that name
server for the A records of NAME. The blackbox exporter itself is in no registry that the testbed
builds from. Runs inside the sandbox.
"""

import importlib
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

# Not typed, and only installed with the local cluster.
dnslib: Any = importlib.import_module("dnslib")

_TIMEOUT = 2.0  # seconds


def probe(name: str, server: str) -> str:
    """The metrics of one question."""
    host, _, port = server.rpartition(":")
    began = time.monotonic()
    records: Any = None
    try:
        said = dnslib.DNSRecord.question(name, "A").send(
            host, int(port), tcp=True, timeout=_TIMEOUT
        )
        records = dnslib.DNSRecord.parse(said)
    except OSError as error:
        print(f"{server}: {error}", file=sys.stderr, flush=True)
    good = records is not None and records.header.rcode == dnslib.RCODE.NOERROR
    values = {
        "probe_success": int(good),
        "probe_duration_seconds": round(time.monotonic() - began, 6),
        "probe_dns_query_succeeded": int(records is not None),
        "probe_dns_answer_rrs": len(records.rr) if records else 0,
        "probe_dns_authority_rrs": len(records.auth) if records else 0,
        "probe_dns_additional_rrs": len(records.ar) if records else 0,
    }
    return "".join(f"# TYPE {key} gauge\n{key} {value}\n" for key, value in values.items())


def main(address: str, port: str, name: str) -> None:
    """Serve until the sandbox ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            (target,) = parse_qs(urlsplit(self.path).query)["target"]
            body = probe(name, target).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """One line a scrape says nothing."""

    ThreadingHTTPServer((address, int(port)), Handler).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
