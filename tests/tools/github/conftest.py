"""A pull request at a fake GitHub, the run that compared it, and the poster on it."""

from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from grpc_platform_tools.diff.report import Report
from grpc_platform_tools.github.api import GitHub
from tests.tools.github.fake import TOKEN, FakeGitHub, serving
from tests.tools.github.scene import RUN_URL, SHA, Clock, Posting


@pytest.fixture
def github(monkeypatch: pytest.MonkeyPatch) -> Generator[FakeGitHub]:
    """A GitHub with one open pull request, number 7, from a branch of the repository itself."""
    with serving() as fake:
        fake.pull(7, SHA, branch="feature")
        monkeypatch.setenv("GITHUB_API_URL", fake.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield fake


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The poster's clock."""
    clock = Clock()
    on_clock = partial(GitHub, now=clock.now, sleep=clock.sleep)
    monkeypatch.setattr("grpc_platform_tools.github.command.GitHub", on_clock)
    return clock


@pytest.fixture
def posting(
    tmp_path: Path, github: FakeGitHub, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> Posting:
    """A successful run for pull request 7."""
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    monkeypatch.setenv("GITHUB_EVENT_PATH", str(tmp_path / "event.json"))
    repository = {"id": 1, "full_name": "acme/platform", "owner": {"login": "acme"}}
    run: dict[str, Any] = {
        "event": "pull_request",
        "conclusion": "success",
        "html_url": RUN_URL,
        "head_sha": SHA,
        "head_branch": "feature",
        "head_repository": repository,
        "pull_requests": [],
    }
    return Posting(tmp_path, {"repository": repository, "workflow_run": run})


@pytest.fixture
def renders(monkeypatch: pytest.MonkeyPatch) -> Callable[[str | Exception], None]:
    """Make the renderer say this, or fail so."""

    def set_renderer(said: str | Exception) -> None:
        def comment(_: Report, limit: int = 60_000) -> str:
            if isinstance(said, Exception):
                raise said
            return said

        monkeypatch.setattr("grpc_platform_tools.github.text.comment", comment)

    return set_renderer
