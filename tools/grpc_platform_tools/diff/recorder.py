"""Records one stack of a program: a script for the Python of the program's own revision.

`recordings` starts it by its path, with the root of the checkout, the program's directory in it,
the stack and a folder, and the key for marks of secrets on its input. It leaves `resources.json`
and `beside.json`, or `problems.json` where the program cannot be recorded. It needs nothing of that
Python but the Pulumi SDK and what that brings.
"""

import importlib
import json
import sys
from pathlib import Path

RESOURCES, BESIDE, PROBLEMS = "resources.json", "beside.json", "problems.json"


def main(checkout: Path, inside: Path, stack: str, output: Path, mark_key: bytes) -> None:
    """Record, or say why not."""
    # This tool, and nothing else of where it is installed.
    here = str(Path(__file__).parents[2])
    sys.path.insert(0, here)
    importlib.import_module("grpc_platform_tools")
    sys.path.remove(here)
    from grpc_platform_tools.preview.program import run_program
    from grpc_platform_tools.preview.stack_file import read_stack_file

    directory = checkout / inside
    try:
        stack_file = read_stack_file(directory, stack)
        graph = run_program(directory, stack, stack_file, checkout=checkout, mark_key=mark_key)
    except Exception as error:
        problems = getattr(error, "problems", None)
        if not isinstance(problems, list):
            raise
        (output / PROBLEMS).write_text(json.dumps(problems))
        return
    beside = {"warnings": graph.warnings, "marks": graph.marks}
    (output / BESIDE).write_text(json.dumps(beside))
    graph.save(output / RESOURCES)


if __name__ == "__main__":
    given = sys.argv
    main(Path(given[1]), Path(given[2]), given[3], Path(given[4]), sys.stdin.buffer.read())
