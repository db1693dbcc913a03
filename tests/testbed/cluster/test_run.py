"""Around a run: the lock, a sandbox that cannot be made, remains of a killed run."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from grpc_platform_tools.graph import STACK_TYPE, Graph, Resource
from testbed.cluster import guards, sandbox
from testbed.cluster.errors import LocalError
from testbed.cluster.report import Report, Route
from testbed.cluster.sandbox import Sandbox


@pytest.fixture
def run() -> Any:
    return pytest.importorskip("testbed.cluster.run", reason="needs the local group")


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
        guards.telling_of_a_full_disk(tmp_path),
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


def test_a_second_run_beside_the_first_is_refused(run: Any, tmp_path: Path) -> None:
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
        with pytest.raises(LocalError, match="by process 4711"):
            run.down(tmp_path)
        other.kill()


RESOURCES = (
    Resource(urn="urn:stack", type=STACK_TYPE, name="shop-dev"),
    Resource(urn="urn:zone", type="aws:route53/zone:Zone", name="zone", id="Z1"),
)


@pytest.mark.parametrize(
    ("up", "said", "cause"),
    [
        (False, "[]", "no local cluster is up"),
        (True, "name: shop", "resources.json is not the resources.json of a preview"),
        (True, None, "the stack has a zone of its own"),
    ],
)
def test_a_stack_that_cannot_be_deployed_beside_others_is_refused(
    run: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    up: bool,
    said: str | None,
    cause: str,
) -> None:
    monkeypatch.setattr(sandbox, "running", mock.Mock(return_value=os.getpid() if up else None))
    file = tmp_path / "resources.json"
    Graph(RESOURCES).save(file)
    if said is not None:
        file.write_text(said)
    with pytest.raises(LocalError, match=cause):
        run.deploy_beside(tmp_path, file)


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
