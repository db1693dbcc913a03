"""The text of a project's comment: a hidden marker, the diff or why there is none, and a footer."""

import re
from collections.abc import Sequence

from grpc_platform_tools.diff.comment import comment
from grpc_platform_tools.diff.report import Report
from grpc_platform_tools.errors import UserError
from grpc_platform_tools.github.event import Run

_PROJECT = re.compile(r"[A-Za-z0-9_.-]{1,100}")  # the project names that Pulumi accepts


def marker(project: str) -> str:
    """The hidden first line of the project's comment.

    It counts only on the first line, so nothing in a diff can pass for it.
    """
    if not _PROJECT.fullmatch(project):
        raise UserError(f"{project!r} is not the name of a Pulumi project")
    return f"<!-- grpc-platform diff: {project} -->"


def with_diff(report: Report, run: Run) -> str:
    """The comment of a run that left a diff."""
    lines = [marker(report.project)]
    if run.conclusion != "success":
        lines += [f"**The run that compares ended as `{run.conclusion}`.** It left this diff:", ""]
    return "\n".join([*lines, comment(report), *_footer(run)])


def without_diff(project: str, reasons: Sequence[str], run: Run) -> str:
    """The comment of a run whose diff cannot be shown; it replaces the diff of an earlier
    commit."""
    if run.conclusion != "success":
        reasons = [f"The run that compares ended as `{run.conclusion}`.", *reasons]
    head = f"### {project}: no diff of this commit"
    return "\n".join([marker(project), head, "", " ".join(reasons), *_footer(run)])


def _footer(run: Run) -> list[str]:
    """The facts that do not depend on what the diff claims."""
    return ["", f"<sub>Of commit {run.commit[:7]}, by [this run]({run.url}).</sub>"]
