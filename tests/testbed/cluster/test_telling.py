"""What a person is told of a run: its own cause, once."""

import io
from pathlib import Path
from unittest import mock

import pytest
from rich.console import Console
from typer.testing import CliRunner

pytest.importorskip("testbed.cluster.run", reason="needs the local group")

from testbed import __main__ as cli
from testbed.cluster import deploy, run
from testbed.cluster.build import Builder, Progress
from testbed.cluster.cluster import Cluster
from testbed.cluster.display import Display
from testbed.cluster.errors import LocalError
from testbed.cluster.sandbox import Sandbox


def test_a_program_that_ended_is_told_of_and_not_what_failed_for_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    box = Sandbox(tmp_path)
    monkeypatch.setattr(box, "command", mock.Mock(return_value=["false"]))
    box.exits.put(("etcd", -9))
    with pytest.raises(LocalError, match="etcd was killed by signal 9"):
        deploy.apply(Cluster(box, Builder(tmp_path)), [{"kind": "ConfigMap"}])


def test_a_directory_of_another_user_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> bool:
        raise PermissionError(13, "Permission denied", "/their[s]/lock")

    monkeypatch.setattr(run, "down", refuse)
    ended = CliRunner().invoke(cli.app, ["down"])
    assert ended.exit_code == 1
    assert "permission denied: /their[s]/lock" in ended.output


def test_a_part_that_was_built_is_told_once_with_the_time_it_took() -> None:
    builder = mock.create_autospec(Builder, instance=True)
    builder.progress.return_value = [Progress("contour", "built", seconds=101.4)]
    out = io.StringIO()
    display = Display(Console(file=out, width=80), builder)
    display.tick()
    display.tick()
    assert out.getvalue() == "  built contour in 101 s\n"
