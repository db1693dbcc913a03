"""Prints a report on a terminal of any width, or into a pipe."""

from rich.console import Console
from rich.text import Text

from grpc_platform_tools.diff.lines import all_lines, one_line
from grpc_platform_tools.diff.report import Report, StackDiff
from grpc_platform_tools.diff.wording import PAST, Group, counts, groups
from grpc_platform_tools.preview.outline import plural

_STYLES = {"-": "red", "+": "green", "!": "yellow"}
_OPERATIONS = {
    "replace": "bold red",
    "delete": "bold red",
    "change": "bold",
    "create": "bold green",
    "rename": "dim",
}
_MOST_LINES = 30


def print_report(report: Report, console: Console) -> None:
    """Print every stack; long changes are cut, since diff.json has them whole."""
    for stack in report.stacks:
        _print_stack(stack, console)
    _print(
        console, f"{report.base} to {report.head}; code against code, not what is deployed", "dim"
    )


def _print_stack(stack: StackDiff, console: Console) -> None:
    said = {"new": "a new stack, ", "removed": "its file is gone; what it deployed stays"}
    status = "" if stack.status == "removed" else counts(stack)
    if stack.status == "failed":
        status = "could not be compared"
    heading = Text(one_line(f"{stack.stack}: "), style="bold")
    heading.append(said.get(stack.status, "") + status, style="not bold")
    console.print(heading, soft_wrap=True)
    for side, problems in stack.problems.items():
        what = {"base": "before the change", "head": "with the change"}[side]
        _print(console, f"  {what}, the program cannot be recorded:", "bold red")
        for problem in problems:
            _print(console, f"    {problem}")
    for verdict in stack.broken[:_MOST_LINES]:
        style = "bold red" if verdict.outcome == "error" else "yellow"
        _print(console, f"  new {verdict.outcome} {verdict.rule}: {verdict.line}", style)
    if left := len(stack.broken[_MOST_LINES:]):
        _print(console, f"  … {left} more new verdicts in diff.json", "dim")
    for group in groups(stack):
        _print_group(group, console)
    for title, changes in (
        ("derived times", stack.times),
        ("config", stack.config),
        ("outputs", stack.outputs),
    ):
        if changes:
            _print(console, f"  {title}", "bold")
            _print_lines(list(all_lines(changes)), console)
    for warning in stack.warnings:
        _print(console, f"  new warning: {warning}", "yellow")
    if old := len(stack.verdicts) - len(stack.broken):
        _print(console, f"  {plural(old, 'policy verdict')} that the base has too", "dim")
    console.print()


def _print_group(group: Group, console: Console) -> None:
    done = "refused," if group.refused else PAST[group.operation]
    text = Text(f"  {done} ", style=_OPERATIONS[group.operation])
    text.append(one_line("".join(group.heading).replace("**", "")), style="not bold default")
    console.print(text, soft_wrap=True)
    if group.operation != "create":
        _print_lines(list(group.lines), console)


def _print_lines(found: list[str], console: Console) -> None:
    for line in found[:_MOST_LINES]:
        _print(console, f"      {line}", _STYLES.get(line[0], ""))
    if left := len(found[_MOST_LINES:]):
        _print(console, f"       … {left} more lines in diff.json", "dim")


def _print(console: Console, line: str, style: str = "") -> None:
    console.print(Text(one_line(line), style=style), soft_wrap=True)
