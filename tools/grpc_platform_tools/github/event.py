"""The run that ended, from the event that GitHub hands to a `workflow_run` job.

Only this event comes from GitHub itself. Everything that the run left was made by code of the pull
request.
"""

from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked

from grpc_platform_tools.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Run:
    """A finished run of another workflow, and the commit that it ran for."""

    repository: str
    """`<owner>/<name>`, where the workflow is."""
    cause: str
    """The event that started it: `pull_request`."""
    conclusion: str
    """`success`, `failure`, `cancelled`, `skipped`, ..."""
    url: str
    commit: str
    branch: str
    fork_id: int
    """The repository of the commit: this one or a fork of it."""
    fork_owner: str


@checked(frozen=True)
class _Owner:
    login: str


@checked(frozen=True)
class _Repository:
    id: int
    full_name: str
    owner: _Owner


@checked(frozen=True)
class _WorkflowRun:
    event: str
    conclusion: str
    html_url: str
    head_sha: str
    head_branch: str
    head_repository: _Repository | None  # None once the fork is deleted


@checked(frozen=True)
class _Event:
    repository: _Repository
    workflow_run: _WorkflowRun


_EVENT = TypeAdapter(_Event)


def read_event(path: Path) -> Run | None:
    """The run in the event at `path`; None when its repository is gone.

    Raises UserError for anything but the event of a finished run.
    """
    try:
        event = _EVENT.validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise UserError(f"{path} is not the event of a workflow_run that completed") from error
    run = event.workflow_run
    fork = run.head_repository
    if fork is None:
        return None
    return Run(
        repository=event.repository.full_name,
        cause=run.event,
        conclusion=run.conclusion,
        url=run.html_url,
        commit=run.head_sha,
        branch=run.head_branch,
        fork_id=fork.id,
        fork_owner=fork.owner.login,
    )
