"""What surrounds a run: the lock, the sandbox that cannot be made, what a killed run left."""

import io
import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest
from rich.console import Console
from typer.testing import CliRunner

from grpc_platform.local import cli, deploy, run, sandbox
from grpc_platform.local.build import Builder, Progress
from grpc_platform.local.cluster import Cluster
from grpc_platform.local.display import Display
from grpc_platform.local.errors import LocalError
from grpc_platform.local.report import Report, Route
from grpc_platform.local.sandbox import Sandbox


def test_a_missing_program_of_the_host_is_named_with_its_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LocalError, match="unshare is not installed") as caught:
        Sandbox(tmp_path / "state").start()
    assert "util-linux" in str(caught.value.advice)


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("unshare: unshare failed: Operation not permitted", "permits no namespaces"),
        ("unshare: unshare failed: No space left on device", "grants no more namespaces"),
        ("make the bridge pods0: Operation not supported", "no network bridges"),
        ("something else", "something else"),
    ],
)
def test_a_kernel_that_refuses_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: str, cause: str
) -> None:
    refuse = ["sh", "-c", f"echo '{said}' >&2; exit 1"]
    monkeypatch.setattr(sandbox, "_UNSHARE", refuse)
    with pytest.raises(LocalError, match=cause):
        Sandbox(tmp_path / "state").start()


def test_a_setting_that_forbids_namespaces_is_named_with_one_that_permits(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sandbox, "_UNSHARE", ["false"])
    monkeypatch.setattr(sandbox, "_SETTINGS", {"kernel/ostype": ("Linux", "1")})
    with pytest.raises(LocalError, match=r"kernel\.ostype is Linux") as caught:
        Sandbox(tmp_path / "state").start()
    assert "sysctl -w kernel.ostype=1" in str(caught.value.advice)


@pytest.mark.parametrize(
    ("said", "full"),
    [
        ("wal: write 0.tmp: no space left on device", True),
        ("unshare: unshare failed: No space left on device", False),
        ("panic: out of range", False),
    ],
)
def test_a_program_that_ended_for_want_of_disk_says_so(
    tmp_path: Path, said: str, full: bool
) -> None:
    log = tmp_path / "etcd.log"
    log.write_text(f"{said}\n" + "goroutine\n" * 40)
    with (
        pytest.raises(LocalError) as caught,
        run.telling_of_a_full_disk(tmp_path),
    ):
        raise LocalError("etcd ended with status 2", log=log)
    assert ("disk is full" in caught.value.cause) is full
    assert "etcd ended" in caught.value.cause


def test_what_a_killed_run_left_is_removed(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    with subprocess.Popen(["sleep", "600"]) as left:
        start = Path(f"/proc/{left.pid}/stat").read_text().rpartition(")")[2].split()[19]
        (state / "sandbox.pid").write_text(f"{left.pid} {start}")
        assert sandbox.running(state) == left.pid
        assert sandbox.end_leftover(state)
        assert left.wait(10) < 0
    assert not state.exists()


def test_a_process_that_merely_got_the_same_number_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "sandbox.pid").write_text(f"{os.getpid()} 1")
    assert sandbox.running(tmp_path) is None


def test_a_second_run_beside_the_first_is_refused(tmp_path: Path) -> None:
    holder = (
        "import fcntl, sys, time; f = open(sys.argv[1], 'a+'); fcntl.flock(f, fcntl.LOCK_EX); "
        "f.truncate(0); f.write('4711'); f.flush(); print('held', flush=True); time.sleep(600)"
    )
    (tmp_path / "build" / "local").mkdir(parents=True)
    lock = tmp_path / "build" / "local" / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(lock)], stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        run = pytest.importorskip("grpc_platform.local.run", reason="needs the local group")
        with pytest.raises(LocalError, match="by process 4711"):
            run.down(tmp_path)
        other.kill()


def test_a_program_that_ended_is_told_of_and_not_what_failed_for_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    box = Sandbox(tmp_path)
    monkeypatch.setattr(box, "command", lambda *_: ["false"])
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
    console = Console(file=io.StringIO(), width=80)
    display = Display(console, builder)
    display.tick()
    display.tick()
    assert console.file.getvalue() == "  built contour in 101 s\n"


def test_a_report_is_green_only_if_every_service_was_called_without_a_failure() -> None:
    def report(made: int, failed: int) -> Report:
        codes = {"OK": made - failed, "UNAVAILABLE": failed}
        route = Route(
            service="greeter",
            chain=("a", "b"),
            made=made,
            failed=failed,
            codes=codes,
            envoys={},
            servers={},
            milliseconds={},
        )
        return Report(stack="local", routes=(route,), parts=(), seconds={}, first_call_seconds=1)

    assert report(10, 0).green
    assert not report(10, 1).green
    assert not report(0, 0).green


def test_a_report_is_left_for_programs_and_for_people(tmp_path: Path) -> None:
    Report(stack="local", routes=(), parts=(), seconds={"sandbox": 0.1}, first_call_seconds=2).save(
        tmp_path
    )
    assert '"made": 0' in (tmp_path / "report.json").read_text()
    assert "| sandbox | 0.1 |" in (tmp_path / "report.md").read_text()
