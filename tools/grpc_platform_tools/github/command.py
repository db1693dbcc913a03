"""`grpc-platform comment`: posts what a run found as one comment per project."""

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from grpc_platform_tools.errors import UserError
from grpc_platform_tools.github.api import GitHub, RefusedTextError
from grpc_platform_tools.github.artifact import UnusableError, read_report
from grpc_platform_tools.github.comments import own_comments, post, pull_requests
from grpc_platform_tools.github.event import Run, read_event
from grpc_platform_tools.github.text import marker, with_diff, without_diff


def run_comment(folder: Path, projects: Sequence[str]) -> None:
    """Post what the run of the current event left in `folder`.

    Raises exceptions with `problems` (grpc_platform_tools.errors); prints none.
    """
    markers = {project: marker(project) for project in projects}
    run = read_event(Path(_required("GITHUB_EVENT_PATH")))
    if run is None or run.cause != "pull_request" or run.conclusion == "skipped":
        return _say("nothing to post: the run compared no pull request that still exists")
    url = os.environ.get("GITHUB_API_URL", "https://api.github.com")
    token = _required("GITHUB_TOKEN")
    if not re.fullmatch(r"[!-~]+", token):  # else a traceback shows it
        raise UserError("GITHUB_TOKEN is not a token")
    github = GitHub(url, token)
    numbers = pull_requests(github, run)
    if not numbers:
        return _say(
            f"nothing to post: {run.commit} is no open pull request's newest commit (any more)"
        )
    texts = {project: _texts(folder, project, run, numbers) for project in projects}
    for number in numbers:
        comments = own_comments(github, run, number)
        for project, line in markers.items():
            ids = comments.get(line, ())
            text, refused = texts[project]
            try:
                post(github, run, number, text, ids)
            except RefusedTextError as error:
                sys.stderr.write(f"{error}\n")
                post(github, run, number, refused, ids)
            done = "updated" if ids else "made"
            _say(f"pull request {number}: {done} the comment of {project}")
    return None


def _texts(folder: Path, project: str, run: Run, numbers: Sequence[int]) -> tuple[str, str]:
    """The text of the comment, and another one for when GitHub refuses the first."""
    refused = without_diff(project, ["GitHub refuses the text of its diff."], run)
    if len(numbers) > 1:
        listed = ", ".join(f"#{number}" for number in numbers)
        reason = f"{listed} have the same newest commit, and a run does not tell which it compared."
        return without_diff(project, [reason], run), refused
    try:
        return with_diff(read_report(folder, project), run), refused
    except UnusableError as error:
        reason = str(error)
    except Exception as error:
        # Malicious input, or a bug in the renderer: in either case no older diff may stay.
        sys.stderr.write(f"the diff of {project} cannot be shown: {type(error).__name__}\n")
        reason = "The run left a diff that cannot be shown."
    return without_diff(project, [reason], run), refused


def _required(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise UserError(f"{name} is not set: this command is for a job of GitHub Actions")
    return value


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
