"""`enter`: a command in a running container, with the container's identity and environment."""

import argparse
import json
import os
import sys
from pathlib import Path

from testbed.node_agent import launch


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m testbed.node_agent enter")
    parser.add_argument("--state", type=Path, required=True, help="the agent's --state")
    parser.add_argument("-c", "--container", help="default: the first one running")
    parser.add_argument("pod", metavar="NAMESPACE/POD", help="or the beginning of the pod's name")
    parser.add_argument("command", nargs="*", default=["/bin/sh"])
    options = parser.parse_args(words)
    pod = options.pod.replace("/", "_", 1)
    container = f"{options.container or '*'}/running.json"
    notes: list[Path] = []
    for pattern in (f"{pod}/{container}", f"{pod}-*/{container}"):
        notes = notes or sorted((options.state / "pods").glob(pattern))
    if not notes:
        sys.stderr.write(f"no container of {options.pod} is running\n")
        return 1
    note: launch.Join = json.loads(notes[0].read_text())
    os.environ.setdefault("TERM", "dumb")
    note["command"]["argv"] = options.command
    note["command"]["env"]["TERM"] = os.environ["TERM"]
    launch.join(note, interactive=True)
    return 0
