"""`grpc-platform teardown`: run the program, say what a destroy of it leaves and how to go."""

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

from grpc_platform_tools.diff.lines import one_line
from grpc_platform_tools.graph import Graph
from grpc_platform_tools.preview.stack_file import read_stack_file
from grpc_platform_tools.progress import progress
from grpc_platform_tools.teardown import findings
from grpc_platform_tools.teardown.findings import Finding
from grpc_platform_tools.teardown.steps import Step, steps

_SHOWN = 12
"""How many lines a section has on a terminal."""


@dataclass(frozen=True, kw_only=True)
class Teardown:
    """What is known of a stack's end before it."""

    stack: str
    protected: list[Finding]
    refused: list[Finding]
    deleted_with_content: list[Finding]
    left_behind: list[Finding]
    steps: list[Step]


def run_teardown(stack: str, directory: Path, *, as_json: bool) -> None:
    """Print the teardown of `stack` of the program in `directory`; changes nothing.

    Raises whatever carries `problems` (grpc_platform_tools.errors) instead of printing it.
    """
    stack_file = read_stack_file(directory, stack)
    with progress(f"previewing {stack}"):
        from grpc_platform_tools.preview.program import run_program

        graph = run_program(directory, stack, stack_file)
    found = teardown(graph, stack)
    if as_json:
        sys.stdout.write(json.dumps(asdict(found), indent=2) + "\n")
    else:
        _print(found, Console(highlight=False))


def teardown(graph: Graph, stack: str) -> Teardown:
    """Collect all of it from a recorded graph."""
    protected, refused = findings.protected(graph), findings.refused(graph)
    left = findings.left_behind(graph)
    return Teardown(
        stack=stack,
        protected=protected,
        refused=refused,
        deleted_with_content=findings.deleted_with_content(graph),
        left_behind=left,
        steps=list(steps(graph, stack, protected=protected, refused=refused, left=left)),
    )


def _print(found: Teardown, console: Console) -> None:
    console.print(Text(f"Teardown of {found.stack}: nothing is changed by this command"))
    for title, section in (
        ("Refuses to be deleted", [*found.protected, *found.refused]),
        ("Is deleted with what others have in it", found.deleted_with_content),
        ("Stays behind", found.left_behind),
    ):
        if section:
            _print_section(title, section, console)
    console.print(Text("\nIn this order", style="bold"))
    for number, step in enumerate(found.steps, 1):
        _line(console, f"  {number}. {step.do}")
        for command in step.commands:
            _line(console, f"       {command}", style="cyan")


def _print_section(title: str, section: list[Finding], console: Console) -> None:
    console.print(Text(f"\n{title}", style="bold"))
    for finding in section[:_SHOWN]:
        _line(console, f"  {finding.what}: {finding.why}")
        if finding.remedy:
            _line(console, f"       {finding.remedy}", style="cyan")
    if more := len(section[_SHOWN:]):
        _line(console, f"  and {more} more: --json prints all")


def _line(console: Console, line: str, style: str = "") -> None:
    console.print(Text(one_line(line), style=style), soft_wrap=True)
