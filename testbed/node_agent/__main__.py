"""The command line: run the node, list the fields that it does not honour, enter a pod."""

import argparse
import asyncio
import contextlib
import logging
import sys
from pathlib import Path

from testbed.node_agent import agent, enter, fields


def main() -> int:
    if sys.argv[1:2] == ["enter"]:
        return enter.main(sys.argv[2:])
    if sys.argv[1:] == ["--unsupported"]:
        sys.stdout.write(fields.describe())
        return 0
    parser = argparse.ArgumentParser(
        prog="python -m testbed.node_agent",
        description=__doc__,
        epilog="`enter` runs a command in a pod; `--unsupported` alone lists fields not honoured.",
    )
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--state", type=Path, required=True, help="directory for logs and volumes")
    parser.add_argument("--parts", type=Path, required=True, help="directory of executables")
    parser.add_argument("--bridge", required=True, help="name of the pods' bridge")
    parser.add_argument("--pod-cidr", required=True)
    parser.add_argument(
        "--first-pod", type=int, default=16, help="number of the first pod's address in it"
    )
    parser.add_argument("--dns", required=True, help="address of the cluster's name server")
    parser.add_argument(
        "--nodes", type=_zones, required=True, help="names of the Node objects: NAME=ZONE,..."
    )
    parser.add_argument("--address", required=True, help="the bridge's, so the pods' gateway")
    parser.add_argument("--port", type=int, required=True, help="where metrics are served")
    parser.add_argument("--serving-cert", type=Path, required=True)
    parser.add_argument("--serving-key", type=Path, required=True)
    parser.add_argument(
        "--scheduled", action="store_true", help="leave it to a scheduler to bind pods"
    )
    options = agent.Options(**vars(parser.parse_args()))
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(agent.run(options))
    return 0


def _zones(text: str) -> dict[str, str]:
    """Zones by node."""
    return dict(one.split("=", 1) for one in text.split(","))


sys.exit(main())
