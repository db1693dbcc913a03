"""The program of this tree, with other values in a stack's file."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from grpc_platform_tools.graph import Graph

ROOT = Path(__file__).parents[1]

# Runs the real program in a process whose times are shortened.
_SHORTENED = """import runpy
from testbed.times import shorten
shorten({factor})
runpy.run_path({program!r}, run_name="__main__")
"""


def preview(stack: str, output: Path, program: Path = ROOT) -> Graph:
    """What the program registers for a stack."""
    command = (sys.executable, "-m", "grpc_platform_tools", "preview", stack)
    subprocess.run(
        [*command, "--program", str(program), "--output", str(output)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return Graph.load(output / "resources.json")


def changed_program(
    directory: Path, stack: str, factor: float = 1, **sections: Mapping[str, Any]
) -> Path:
    """The program of this tree with other keys in one stack's file, and times shortened by
    ``factor``."""
    for name in ("Pulumi.yaml", "config", "experiments"):
        (directory / name).symlink_to(ROOT / name)
    main = directory / "__main__.py"
    if factor == 1:
        main.symlink_to(ROOT / "__main__.py")
    else:
        main.write_text(_SHORTENED.format(factor=factor, program=str(ROOT / "__main__.py")))
    file = f"Pulumi.{stack}.yaml"
    text = yaml.safe_load((ROOT / file).read_text())
    for section, keys in sections.items():
        found = text["config"].setdefault(f"grpc-platform:{section}", {})
        found.update(keys)
    (directory / file).write_text(yaml.safe_dump(text))
    return directory
