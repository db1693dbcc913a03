"""Records one stack of a program: a script for the Python of the program's own revision.

`recordings` starts it by its path, with the program's directory, the stack and a folder, and the
key for marks of secrets on its input. It leaves `resources.json` and `beside.json`, or
`problems.json` where the program cannot be recorded. It needs nothing of that Python but the Pulumi
SDK and what that brings.
"""

import importlib
import json
import sys
from pathlib import Path

RESOURCES, BESIDE, PROBLEMS = "resources.json", "beside.json", "problems.json"


def main(directory: Path, stack: str, output: Path, mark_key: bytes) -> None:
    """Record, or say why not."""
    # This tool, and nothing else of where it is installed.
    here = str(Path(__file__).parents[2])
    sys.path.insert(0, here)
    importlib.import_module("grpc_platform")
    sys.path.remove(here)
    from grpc_platform.preview.program import run_program
    from grpc_platform.preview.stack_file import read_stack_file

    try:
        graph = run_program(directory, stack, read_stack_file(directory, stack), mark_key)
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
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), sys.stdin.buffer.read())
