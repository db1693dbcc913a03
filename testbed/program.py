"""Runs the program of this tree with other values in a stack file."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from grpc_platform_tools.graph import Graph

ROOT = Path(__file__).parents[1]


def preview(stack: str, output: Path, program: Path = ROOT) -> Graph:
    """The resources that the program registers for a stack."""
    command = (sys.executable, "-m", "grpc_platform_tools", "preview", stack)
    subprocess.run(
        [*command, "--program", str(program), "--output", str(output)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return Graph.load(output / "resources.json")


def changed_program(directory: Path, stack: str, **sections: Mapping[str, Any] | str) -> Path:
    """A copy of this tree's program with other keys in one stack file; None removes a key."""
    for name in ("Pulumi.yaml", "__main__.py", "config"):
        (directory / name).symlink_to(ROOT / name)
    file = f"Pulumi.{stack}.yaml"
    text = yaml.safe_load((ROOT / file).read_text())
    for section, keys in sections.items():
        if isinstance(keys, Mapping):
            merged = {**text["config"].get(f"grpc-platform:{section}", {}), **keys}
            kept = {key: value for key, value in merged.items() if value is not None}
            text["config"][f"grpc-platform:{section}"] = kept
        else:
            text["config"][f"grpc-platform:{section}"] = keys
    (directory / file).write_text(yaml.safe_dump(text))
    return directory
