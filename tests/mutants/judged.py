"""What a fault does to the committed stacks: which it changes, and which policies it breaks."""

import hashlib
import json
from datetime import date
from typing import Any

from grpc_platform_tools.policy.exemptions import judge_stack, read_policy_file
from grpc_platform_tools.preview.program import run_program
from grpc_platform_tools.preview.stack_file import read_stack_file
from tests.tree import committed_stacks

Judged = dict[str, dict[str, Any]]
"""For each stack the `digest` of its recorded graph and the `verdicts` of the policies."""


def judged(today: date) -> Judged:
    """Record every committed stack with the components as they are in this process."""
    return {name: _judged(name, today) for name in committed_stacks()}


def _judged(name: str, today: date) -> dict[str, Any]:
    directory, stack = committed_stacks()[name]
    try:
        graph = run_program(directory, stack, read_stack_file(directory, stack))
    except Exception as error:  # whatever a faulty program raises
        return {"digest": "", "verdicts": [f"no preview: {type(error).__name__}"]}
    resources = json.dumps([vars(resource) for resource in graph], sort_keys=True)
    found = judge_stack(graph, stack, read_policy_file(directory), today)
    return {
        "digest": hashlib.sha256(resources.encode()).hexdigest(),
        "verdicts": sorted(verdict.line for verdict in found.verdicts),
    }


def broken(before: Judged, after: Judged) -> str:
    """The first verdict that the fault adds, or nothing."""
    return next(
        (
            line
            for name, found in after.items()
            for line in found["verdicts"]
            if line not in before[name]["verdicts"]
        ),
        "",
    )


def changed(before: Judged, after: Judged) -> list[str]:
    """The stacks that the fault changes."""
    return [name for name in before if before[name]["digest"] != after[name]["digest"]]
