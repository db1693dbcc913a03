"""Runs `grpc-platform call` in this process."""

import json
from dataclasses import dataclass
from typing import Any

from typer.testing import CliRunner

from grpc_platform_tools.cli import app


@dataclass(frozen=True)
class Said:
    """What a user and a program saw of the same arguments."""

    status: int
    text: str
    found: dict[str, Any]
    """The output of --json."""

    @property
    def diagnosis(self) -> str | None:
        """Its code."""
        diagnosis = self.found["diagnosis"]
        return diagnosis and diagnosis["code"]

    @property
    def problem(self) -> str:
        return self.found["diagnosis"]["problem"]


def call(*arguments: str, timeout: float = 5.0) -> Said:
    """Call twice, once for each kind of output, and hold the two together."""
    command = ["call", *arguments, "--timeout", str(timeout)]
    shown = CliRunner().invoke(app, command, catch_exceptions=False)
    data = CliRunner().invoke(app, [*command, "--json"], catch_exceptions=False)
    assert shown.exit_code == data.exit_code, shown.output + data.output
    assert not data.stderr
    found = json.loads(data.stdout)
    said = Said(shown.exit_code, shown.stdout, found)
    assert said.status == (1 if said.diagnosis else 0)
    assert ("Problem" in said.text) == (said.status == 1)
    return said
