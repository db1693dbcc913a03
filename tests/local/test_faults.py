"""Faults on a running cluster, and ends of the command: one message each, and nothing stays
behind."""

import fcntl
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

import pytest

from testbed.cluster import deploy, readiness, sandbox
from testbed.cluster.cluster import Cluster
from testbed.cluster.errors import LocalError
from tests.command import FROM_ANYWHERE, Command, gone

FAILING: readiness.Object = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "never-ready", "namespace": "default"},
    "spec": {
        "selector": {"matchLabels": {"app": "never-ready"}},
        "template": {
            "metadata": {"labels": {"app": "never-ready"}},
            "spec": {
                "terminationGracePeriodSeconds": 0,
                "containers": [
                    {
                        "name": "main",
                        "image": "test/shell:1",
                        "command": ["/bin/sh", "-c", "echo no configuration; exit 3"],
                    }
                ],
            },
        },
    },
}


def test_a_pod_that_never_gets_ready_is_named_with_its_log(cluster: Cluster) -> None:
    deploy.apply(cluster, [FAILING])
    with pytest.raises(LocalError, match=r"container main of pod never-ready-\S+: ") as caught:
        readiness.wait_until_ready(cluster, FAILING, timeout=4)
    assert "no configuration" in caught.value.log_end()
    cluster.kubectl("delete", "deployment", "never-ready")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"serviceAccountName": "nobody"}, 'serviceaccount "nobody" not found'),
        ({"volumes": [{"name": "v", "secret": {"secretName": "none"}}]}, 'secret "none" not found'),
    ],
)
def test_why_a_pod_never_starts_is_told(
    cluster: Cluster, changes: dict[str, Any], reason: str
) -> None:
    wrong = with_pod(changes)
    deploy.apply(cluster, [wrong])
    with pytest.raises(LocalError, match=reason):
        readiness.wait_until_ready(cluster, wrong, timeout=4)
    cluster.kubectl("delete", "deployment", "never-ready")


def test_what_a_probe_says_of_a_pod_that_runs_is_told(cluster: Cluster) -> None:
    (main,) = FAILING["spec"]["template"]["spec"]["containers"]
    check = {"exec": {"command": ["sh", "-c", "echo still empty; exit 1"]}}
    probe = {**check, "periodSeconds": 1, "timeoutSeconds": 10, "failureThreshold": 1}
    runs = {**main, "command": ["sleep", "600"], "readinessProbe": probe}
    unready = with_pod({"containers": [runs]})
    deploy.apply(cluster, [unready])
    with pytest.raises(LocalError, match=r"Readiness probe of main failed: .*still empty"):
        readiness.wait_until_ready(cluster, unready, timeout=4)
    cluster.kubectl("delete", "deployment", "never-ready")


def with_pod(changes: dict[str, Any]) -> readiness.Object:
    """FAILING with another pod."""
    spec = FAILING["spec"]
    pod = {**spec["template"]["spec"], **changes}
    return {**FAILING, "spec": {**spec, "template": {**spec["template"], "spec": pod}}}


def test_a_manifest_the_server_refuses_is_told_by_its_reason(cluster: Cluster) -> None:
    wrong: dict[str, Any] = {**FAILING, "spec": {**FAILING["spec"], "replicas": -1}}
    with pytest.raises(LocalError, match=r"refused a manifest: .*never-ready.*replicas"):
        deploy.apply(cluster, [wrong])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_tears_everything_down(tmp_path: Path, number: signal.Signals) -> None:
    former = tmp_path / "build" / "local" / "report.json"
    former.parent.mkdir(parents=True)
    former.touch()
    command = Command(tmp_path)
    command.wait_until_it_says("control plane and node")
    command.process.send_signal(number)
    assert command.process.wait(30) == 128 + number
    assert gone(command)
    assert not command.state.exists()
    assert not former.exists(), "a former run's report would be taken for this one's"


def test_after_a_kill_the_sandbox_dies_and_the_next_run_cleans_up(tmp_path: Path) -> None:
    command = Command(tmp_path)
    command.wait_until_it_says("control plane and node")
    command.process.kill()
    command.process.wait()
    assert gone(command)
    assert sandbox.end_leftover(command.state)
    assert not command.state.exists()


def test_a_run_ends_green_can_be_used_as_it_says_and_leaves_only_its_report(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    command = Command(tmp_path, "--keep")
    request.addfinalizer(lambda: sandbox.end_leftover(command.state))
    assert command.process.wait(240) == 0, command.said()
    output = tmp_path / "build" / "local"
    report = json.loads((output / "report.json").read_text())
    assert report["green"]
    assert report["calls"] == {"made": 648, "failed": 0}
    assert report["first_call_seconds"] > 0
    assert "Envoy adds" in (output / "report.md").read_text()
    hints = {line[2:22].strip(): line[23:] for line in command.said().splitlines()}

    def run(hint: str) -> str:
        done = subprocess.run(
            hint,
            shell=True,
            check=True,
            cwd=tmp_path,
            env=FROM_ANYWHERE,
            capture_output=True,
            text=True,
        )
        return done.stdout

    assert "greeter" in run(hints["Kubernetes"])
    assert "level=info" in run(hints["logs"])
    assert "BootstrapConfigDump" in run(hints["Envoy's config"])
    for calls in ("a client in a pod", "calls from the host"):
        assert json.loads(run(hints[calls]))["targets"][0]["codes"] == {"OK": 100}
    inside = f"{hints['a shell in a pod']} -- sh -c 'echo up; exec sleep 600'"
    assert interrupted(inside, tmp_path) == 128 + signal.SIGINT
    down = [sys.executable, "-m", "testbed", "down"]
    subprocess.run(down, check=True, cwd=tmp_path, env=FROM_ANYWHERE)
    assert gone(command)
    left = {path.name for path in output.iterdir()}
    assert left == {"report.json", "report.md", "lock", "preview.log"}
    shutil.rmtree(output)


def interrupted(command: str, directory: Path) -> int:
    """The exit status of a command that prints "up" on a terminal and then gets Ctrl-C there."""
    terminal, its_end = pty.openpty()

    def take_terminal() -> None:
        fcntl.ioctl(its_end, termios.TIOCSCTTY, 0)
        # A run in a shell's background ignores SIGINT, and its children would inherit that.
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    with subprocess.Popen(
        command,
        shell=True,
        cwd=directory,
        env=FROM_ANYWHERE,
        stdin=its_end,
        stdout=its_end,
        start_new_session=True,
        preexec_fn=take_terminal,
    ) as process:
        said = b""
        while b"up" not in said:
            said += os.read(terminal, 100)
        os.write(terminal, b"\x03")
    os.close(its_end)
    os.close(terminal)
    return process.returncode
