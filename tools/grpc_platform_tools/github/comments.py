"""The pull requests that a run belongs to, and this account's comments on one."""

from collections.abc import Sequence

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass as checked

from grpc_platform_tools.github.api import GitHub
from grpc_platform_tools.github.event import Run

ACCOUNT = "github-actions[bot]"
"""The account that a job's token writes as. No person can have a name with brackets."""


@checked(frozen=True)
class _Repository:
    id: int


@checked(frozen=True)
class _Head:
    sha: str
    repo: _Repository | None  # None once the fork is deleted


@checked(frozen=True)
class _PullRequest:
    number: int
    head: _Head


@checked(frozen=True)
class _Author:
    login: str


@checked(frozen=True)
class _Comment:
    id: int
    body: str | None
    user: _Author | None  # None once the account is deleted


_PULL_REQUESTS = TypeAdapter(list[_PullRequest])
_COMMENTS = TypeAdapter(list[_Comment])


def pull_requests(github: GitHub, run: Run) -> list[int]:
    """The open pull requests whose newest commit is the one of the run.

    For forks the event names no pull request, so they are looked up by their branch.
    """
    path = f"repos/{run.repository}/pulls"
    branch = f"{run.fork_owner}:{run.branch}"
    return [
        pull.number
        for pull in github.each(path, _PULL_REQUESTS, state="open", head=branch)
        if pull.head.sha == run.commit and pull.head.repo and pull.head.repo.id == run.fork_id
    ]


def own_comments(github: GitHub, run: Run, number: int) -> dict[str, list[int]]:
    """The ids of this account's comments on a pull request, by their first lines."""
    found: dict[str, list[int]] = {}
    path = f"repos/{run.repository}/issues/{number}/comments"
    for written in github.each(path, _COMMENTS):
        if written.user and written.user.login == ACCOUNT:
            found.setdefault(_first_line(written.body or ""), []).append(written.id)
    return found


def post(github: GitHub, run: Run, number: int, text: str, ids: Sequence[int]) -> None:
    """Update the comments `ids` to `text`, or create one if there are none.

    There are several only after a race of two posters; then all get the same text.
    """
    for comment_id in ids:
        github.change(f"repos/{run.repository}/issues/comments/{comment_id}", {"body": text})
    if not ids:
        github.create(
            f"repos/{run.repository}/issues/{number}/comments",
            {"body": text},
            exists=lambda: _first_line(text) in own_comments(github, run, number),
        )


def _first_line(text: str) -> str:
    return text.partition("\n")[0].rstrip()
