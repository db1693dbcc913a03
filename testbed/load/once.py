"""One call of each host through one Envoy: `python -m testbed.load.once ADDRESS HOST...`."""

import sys

import grpc

CALL = "/load.v1.Load/Call"


def main(address: str, *hosts: str) -> int:
    """Call the servers of each host; returns the number of calls that failed."""
    failed = 0
    for host in hosts:
        # A channel of its own: the host is the channel's, not the call's.
        with grpc.insecure_channel(address, [("grpc.default_authority", host)]) as channel:
            try:
                channel.unary_unary(CALL)(b"", timeout=10)
            except grpc.RpcError as error:
                print(host, error, file=sys.stderr)
                failed += 1
    return failed


if __name__ == "__main__":
    sys.exit(1 if main(*sys.argv[1:]) else 0)
