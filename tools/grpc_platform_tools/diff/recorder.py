"""Records one stack of a program: a script for the Python of the program's own revision.

`recordings` starts it by its path, with the root of the checkout, the program's directory in it,
the stack and a folder. Its stdin is JSON with what only the tool's own process can know or read:
the key for marks of secrets, and the program's fixtures. It writes `resources.json` and
`beside.json`, or `problems.json` when the program cannot be recorded. That Python needs only the
Pulumi SDK and its dependencies.
"""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

RESOURCES, BESIDE, PROBLEMS = "resources.json", "beside.json", "problems.json"


def main(checkout: Path, inside: Path, stack: str, output: Path, given: dict[str, Any]) -> None:
    """Record the stack, or write its problems; `given` comes from `recordings.given`."""
    # Only this tool, not the other packages installed beside it.
    here = str(Path(__file__).parents[2])
    sys.path.insert(0, here)
    importlib.import_module("grpc_platform_tools")
    sys.path.remove(here)
    from grpc_platform_tools.preview.fixtures import Fixtures
    from grpc_platform_tools.preview.program import run_program
    from grpc_platform_tools.preview.stack_file import read_stack_file

    directory = checkout / inside
    try:
        stack_file = read_stack_file(directory, stack)
        graph = run_program(
            directory,
            stack,
            stack_file,
            fixtures=Fixtures.of(given["fixtures"]),
            checkout=checkout,
            mark_key=bytes.fromhex(given["mark_key"]),
        )
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
    argv = sys.argv
    main(Path(argv[1]), Path(argv[2]), argv[3], Path(argv[4]), json.load(sys.stdin))
