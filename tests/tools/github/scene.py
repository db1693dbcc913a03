"""One run of the poster: its clock, its environment, and its input."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from grpc_platform_tools.cli import app
from grpc_platform_tools.diff.report import Report, ResourceChange, StackDiff
from tests.tools.github.fake import TOKEN

SHA = "1a2b3c4d5e6f7a8b9c0d1e2f3a4b5c6d7e8f9a0b"
RUN_URL = "https://github.com/acme/platform/actions/runs/42"


@dataclass
class Clock:
    """Time that passes only in calls of `sleep`, so a test never waits."""

    time: float = 1_800_000_000.0
    slept: list[float] = field(default_factory=list[float])

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds


@dataclass
class Posting:
    """The poster's surroundings; `poster()` is one run of it."""

    folder: Path
    event: dict[str, Any]

    def leave(self, project: str, content: bytes | Report) -> None:
        """Put a diff where the unprivileged run would."""
        folder = self.folder / "diffs" / project
        folder.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Report):
            content.save(folder / "diff.json")
        else:
            (folder / "diff.json").write_bytes(content)

    def poster(self, *projects: str) -> Result:
        """Run the command for these projects."""
        (self.folder / "event.json").write_text(json.dumps(self.event))
        options = [word for project in projects for word in ("--project", project)]
        arguments = ["comment", str(self.folder / "diffs"), *options]
        result = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert TOKEN not in result.output
        return result


def report(project: str = "shop", changes: int = 0, **names: str) -> Report:
    """A diff of one stack with that many new resources."""
    resources = tuple(
        ResourceChange(
            operation="create",
            urn=f"urn:pulumi:prod::{project}::kubernetes:core/v1:Service::s{number}",
            type="kubernetes:core/v1:Service",
            label=names.get("label", f"Service shop/s{number}"),
            component="GrpcService billing",
        )
        for number in range(changes)
    )
    stack = StackDiff(stack="prod", status="compared", problems={}, resources=resources)
    return Report(project=project, base="main (0000000)", head="HEAD (1a2b3c4)", stacks=(stack,))
