"""The messages about a run: each cause is printed once."""

import io
import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest
from rich.console import Console
from typer.testing import CliRunner

pytest.importorskip("testbed.cluster.run", reason="needs the local group")

from testbed import __main__ as cli
from testbed.cluster import deploy, run, sandbox, supervisor
from testbed.cluster.build import Builder, Progress
from testbed.cluster.cluster import Cluster
from testbed.cluster.display import Display
from testbed.cluster.errors import LocalError, tell
from testbed.cluster.sandbox import Sandbox
from tests.tree import ROOT


def test_an_ended_program_is_reported_and_not_its_consequences(
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


def test_a_build_says_once_that_it_may_be_interrupted() -> None:
    builder = mock.create_autospec(Builder, instance=True)
    builder.progress.return_value = [Progress("contour", "building", 1, 2)]
    out = io.StringIO()
    display = Display(Console(file=out, width=80), builder)
    display.tick()
    display.tick()
    assert out.getvalue().count("after Ctrl-C the next run continues") == 1


@pytest.mark.parametrize("unfinished", [True, False])
def test_an_interrupted_run_says_whether_a_build_continues(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, unfinished: bool
) -> None:
    builder = mock.create_autospec(Builder, instance=True, unfinished=unfinished)
    builder.progress.return_value = []
    monkeypatch.setattr(run, "Builder", mock.Mock(return_value=builder))
    monkeypatch.setattr(run, "_load", mock.Mock())
    monkeypatch.setattr(run, "_start", mock.Mock(side_effect=SystemExit(130)))
    out = io.StringIO()
    with pytest.raises(SystemExit):
        run.up(tmp_path, Console(file=out, width=80), stack="local", graph=tmp_path / "graph")
    assert ("the next run continues the build" in out.getvalue()) is unfinished


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        (("up", "nosuch"), "no stack 'nosuch'"),
        (("up", "--program", "{empty}"), "not a Pulumi program"),
        (("up", "--program", "{empty}/none"), "does not exist"),
        (("up", "--graph", "{empty}/none"), "does not exist"),
        (("up", "--graph", "pyproject.toml"), "is not the resources.json of a preview"),
        (("deploy", "pyproject.toml"), "no local cluster is up"),
        (("exec", "default/x"), "no local cluster is up"),
    ],
)
def test_a_mistake_is_told_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], cause: str
) -> None:
    """Any start raises."""
    started = mock.Mock(side_effect=AssertionError("something started"))
    monkeypatch.setattr(run, "Sandbox", mock.Mock(kept=Sandbox.kept, side_effect=started))
    monkeypatch.setattr(sandbox, "running", mock.Mock(return_value=None))
    given = [one.replace("{empty}", str(tmp_path)) for one in arguments]
    ended = CliRunner(env={"COLUMNS": "400"}).invoke(cli.app, given)
    assert ended.exit_code in (1, 2)
    assert isinstance(ended.exception, SystemExit)
    assert cause in ended.output.replace("\n", " ")


def test_the_supervisor_changes_nothing_outside_of_a_sandbox(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_network = mock.Mock(side_effect=AssertionError("it would change this machine"))
    monkeypatch.setattr(supervisor, "make_network", make_network)
    monkeypatch.setattr(sys, "argv", ["supervisor", "--help"])
    with pytest.raises(SystemExit, match="first process of a sandbox"):
        supervisor.main()


def test_colours_of_a_log_are_for_its_program_alone(tmp_path: Path) -> None:
    log = tmp_path / "envoy.log"
    log.write_text("\x1b[31mno\x1b[0m cluster\r\n")
    out = io.StringIO()
    tell(LocalError("\x1b[1menvoy ended", log=log), Console(file=out, width=80))
    assert out.getvalue() == f"envoy ended\nlog: {log}\n  no cluster\n"


@pytest.mark.parametrize("command", [(), ("up",), ("deploy",), ("down",), ("exec",)])
def test_help_is_plain_on_every_terminal(command: tuple[str, ...]) -> None:
    said = CliRunner(env={"FORCE_COLOR": "1"}).invoke(cli.app, [*command, "--help"], color=True)
    assert said.exit_code == 0
    assert said.output.isascii()
    assert "\x1b" not in said.output


def test_a_terminal_without_the_characters_gets_others(tmp_path: Path) -> None:
    """In a process: a stream has its encoding from the start."""
    program = "import sys; from testbed.__main__ import main; main(); print('\u2713 sandbox')"
    said = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        check=True,
        capture_output=True,
        text=True,
    )
    assert said.stdout == "? sandbox\n"
