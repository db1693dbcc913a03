"""Records one stack of a program: a script for the Python of the program's own revision.

`recordings` starts it by its path, with the program's directory, the stack and a folder to leave
`resources.json` and `warnings.json` in, or `problems.json` where the program cannot be recorded. It
needs nothing of that Python but the Pulumi SDK and what that brings.
"""

import importlib
import json
import sys
from pathlib import Path


def main(directory: Path, stack: str, output: Path) -> None:
    """Record, or say why not."""
    # This tool, and nothing else of where it is installed.
    here = str(Path(__file__).parents[2])
    sys.path.insert(0, here)
    importlib.import_module("grpc_platform")
    sys.path.remove(here)
    from grpc_platform.preview.program import run_program
    from grpc_platform.preview.stack_file import read_stack_file

    try:
        graph = run_program(directory, stack, read_stack_file(directory, stack))
    except Exception as error:
        problems = getattr(error, "problems", None)
        if not isinstance(problems, list):
            raise
        (output / "problems.json").write_text(json.dumps(problems))
        return
    (output / "warnings.json").write_text(json.dumps(graph.warnings))
    graph.save(output / "resources.json")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
