"""What goes wrong around the engine is told in one line, and nothing of the user's is touched."""

import contextlib
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from testbed.cluster import parts
from testbed.cluster.errors import LocalError
from testbed.engine.parts import installed_plugin
from tests.command import Command, gone
from tests.engine.conftest import Programs

_PASSPHRASE = "PULUMI_CONFIG_PASSPHRASE"
_ANOTHER_VERSION = """#!/bin/sh
[ "$1 $PULUMI_SKIP_UPDATE_CHECK" = "version true" ] || touch {run}
echo v3.100.0
"""
_WAITS = """
import pathlib, time
pathlib.Path({began!r}).touch()
while not pathlib.Path({end!r}).exists():
    time.sleep(0.05)
"""


class User:
    """Someone with a login, a backend, a stack, and Pulumi's programs of other versions, each of
    which says that it was run."""

    def __init__(self, home: Path) -> None:
        self._pulumi = home / ".pulumi"
        self._run = home / "run"
        plugins = self._pulumi / "plugins"
        programs = (
            home / "bin" / "pulumi",
            home / "bin" / "pulumi-resource-kubernetes",
            plugins / "resource-kubernetes-v4.0.0" / "pulumi-resource-kubernetes",
        )
        for program in programs:
            program.parent.mkdir(parents=True, exist_ok=True)
            program.write_text(_ANOTHER_VERSION.format(run=self._run))
            program.chmod(0o755)
        (self._pulumi / "credentials.json").write_text('{"current": "https://theirs.example"}')
        self._before = self._files()
        self.environment = {
            "HOME": str(home),
            "PATH": f"{home}/bin{os.pathsep}{os.environ['PATH']}",
            "XDG_CACHE_HOME": str(parts.cache_root().parent),
            "PULUMI_ACCESS_TOKEN": "theirs",
            "PULUMI_BACKEND_URL": "https://theirs.example",
            "PULUMI_STACK": "theirs",
        }

    def assert_left_alone(self) -> None:
        assert self._files() == self._before
        assert not self._run.exists(), "one was asked for more than its version"

    def _files(self) -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in self._pulumi.rglob("*") if path.is_file()}


@pytest.fixture
def user(tmp_path: Path) -> User:
    return User(tmp_path / "user")


@pytest.fixture
def program(tmp_path: Path, user: User, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program without resources, in the user's hands."""
    for name, value in user.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv(_PASSPHRASE, raising=False)
    directory = tmp_path / "program"
    directory.mkdir()
    (directory / "Pulumi.yaml").write_text(
        "name: small\nruntime: python\nbackend: { url: https://theirs.example }\n"
    )
    (directory / "Pulumi.dev.yaml").write_text("# theirs\nconfig:\n  small:size: 3\n")
    (directory / "__main__.py").write_text(
        "import pulumi\npulumi.export('size', pulumi.Config().require_int('size'))\n"
    )
    return directory


def test_nothing_of_the_users_is_touched(
    programs: Programs, program: Path, user: User, tmp_path: Path
) -> None:
    before = {path.name: path.read_bytes() for path in program.iterdir()}
    engine = programs.home(tmp_path / "home").engine(program, "dev")
    engine.up()
    stack = engine.export()["resources"][0]
    assert stack["outputs"] == {"size": 3}
    assert {path.name: path.read_bytes() for path in program.iterdir()} == before
    user.assert_left_alone()


def test_a_lock_held_by_another_update_is_named(
    programs: Programs, program: Path, tmp_path: Path
) -> None:
    home = programs.home(tmp_path / "home")
    began, end = tmp_path / "began", tmp_path / "end"
    (program / "__main__.py").write_text(_WAITS.format(began=str(began), end=str(end)))
    engine = home.engine(program, "dev")
    with ThreadPoolExecutor(1) as other:
        update = other.submit(engine.up)
        while not began.exists() and not update.done():
            pass
        try:
            with pytest.raises(LocalError, match="locked by another update") as caught:
                engine.up()
        finally:
            end.touch()
        update.result()
    assert "\n" not in caught.value.cause


def test_a_backend_that_refuses_is_named(programs: Programs, program: Path, tmp_path: Path) -> None:
    home = programs.home(tmp_path / "home")
    home.backend = f"file://{tmp_path}/nowhere"
    with pytest.raises(LocalError, match="nowhere") as caught:
        home.engine(program, "dev").up()
    assert "\n" not in caught.value.cause


def test_a_program_that_raises_is_told_by_its_exception(
    programs: Programs, program: Path, tmp_path: Path
) -> None:
    (program / "__main__.py").write_text("raise ValueError('no such\\nzone')\n")
    with pytest.raises(LocalError, match=r"runtime error: no such zone$") as caught:
        programs.home(tmp_path / "home").engine(program, "dev").up()
    assert caught.value.log
    assert "__main__.py" in caught.value.log.read_text()


def test_a_missing_passphrase_is_asked_for(
    programs: Programs, program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(_PASSPHRASE, "theirs")
    theirs = programs.home(tmp_path / "theirs").engine(program, "dev")
    theirs.up()
    (program / "Pulumi.dev.yaml").write_text((theirs.directory / "Pulumi.dev.yaml").read_text())
    monkeypatch.delenv(_PASSPHRASE)
    with pytest.raises(LocalError, match="passphrase is missing or") as caught:
        programs.home(tmp_path / "home").engine(program, "dev").up()
    assert _PASSPHRASE in str(caught.value.advice)


def test_a_plugin_of_another_version_is_not_taken(
    user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", user.environment["HOME"])
    monkeypatch.delenv("PULUMI_HOME", raising=False)
    folder = installed_plugin().parent
    assert not folder.exists()
    assert [other.name for other in folder.parent.iterdir()] == ["resource-kubernetes-v4.0.0"]


@pytest.mark.usefixtures("builder")
def test_an_engine_that_is_killed_ends_the_run_in_order(tmp_path: Path, user: User) -> None:
    directory = tmp_path / "program"
    directory.mkdir()
    command = Command(directory, "--engine", **user.environment)
    try:
        os.kill(engine_of(command), signal.SIGKILL)
        assert command.process.wait(60) == 1
    finally:
        command.process.terminate()
        command.process.wait()
    assert "pulumi up of stack local was killed by signal 9\n" in command.said()
    assert "Traceback" not in command.said()
    log = command.said().partition("log: ")[2].partition("\n")[0]
    assert Path(log).exists(), "it is named, and went with the cluster"
    assert gone(command)
    assert not command.state.exists()
    user.assert_left_alone()


def engine_of(command: Command) -> int:
    """The process that runs `pulumi up`, as soon as it makes something."""
    until = time.monotonic() + 600
    steps = command.state / "engine" / "logs" / "grpc-platform-local-2-up.jsonl"
    while not (steps.exists() and '"create"' in steps.read_text()):
        assert command.process.poll() is None, command.said()
        assert time.monotonic() < until, command.said()
        time.sleep(0.05)
    found: list[int] = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it may have ended
            runs = (process / "cmdline").read_bytes().split(b"\0")
            where = (process / "cwd").readlink()
            if b"testbed.engine.child" in runs and where.is_relative_to(command.state):
                found.append(int(process.name))
    (child,) = found
    return child
