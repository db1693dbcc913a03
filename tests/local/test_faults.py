"""Faults on a running cluster and the command's own end: one message each, and nothing left."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from grpc_platform.local import deploy, readiness, sandbox
from grpc_platform.local.cluster import Cluster
from grpc_platform.local.errors import LocalError
from tests.local.stack import ROOT

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


def test_a_manifest_the_server_refuses_is_told_by_its_reason(cluster: Cluster) -> None:
    wrong: dict[str, Any] = {**FAILING, "spec": {**FAILING["spec"], "replicas": -1}}
    with pytest.raises(LocalError, match=r"refused a manifest: .*never-ready.*replicas"):
        deploy.apply(cluster, [wrong])


class Command:
    """`grpc-platform local up` in a program directory of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        for name in ("__main__.py", "Pulumi.yaml", "Pulumi.local.yaml", "config"):
            (directory / name).symlink_to(ROOT / name)
        self.state = directory / "build" / "local" / "state"
        self._log = directory / "log"
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "grpc_platform.local.cli", "up"],
                cwd=directory,
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )

    def said(self) -> str:
        return self._log.read_text()

    def wait_until_it_says(self, text: str) -> None:
        until = time.monotonic() + 120
        while text not in self.said():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < until, self.said()
            time.sleep(0.05)

    def processes(self) -> list[str]:
        """Command lines of what still runs with this directory in it."""
        found: list[str] = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                line = path.read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if str(self.state) in line:
                found.append(line)
        return found


def gone(command: Command) -> bool:
    until = time.monotonic() + 20
    while command.processes() and time.monotonic() < until:
        time.sleep(0.05)
    return not command.processes()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_tears_everything_down(tmp_path: Path, number: signal.Signals) -> None:
    command = Command(tmp_path)
    command.wait_until_it_says("control plane and node")
    command.process.send_signal(number)
    assert command.process.wait(30) == 128 + number
    assert gone(command)
    assert not command.state.exists()


def test_after_a_kill_the_sandbox_dies_and_the_next_run_cleans_up(tmp_path: Path) -> None:
    command = Command(tmp_path)
    command.wait_until_it_says("control plane and node")
    command.process.kill()
    command.process.wait()
    assert gone(command)
    assert sandbox.end_leftover(command.state)
    assert not command.state.exists()


def test_a_run_ends_green_and_leaves_only_its_report(tmp_path: Path) -> None:
    command = Command(tmp_path)
    assert command.process.wait(240) == 0, command.said()
    output = tmp_path / "build" / "local"
    report = json.loads((output / "report.json").read_text())
    assert report["green"]
    assert report["calls"] == {"made": 648, "failed": 0}
    assert report["first_call_seconds"] < 60
    assert "Envoy adds" in (output / "report.md").read_text()
    assert gone(command)
    left = {path.name for path in output.iterdir()}
    assert left == {"report.json", "report.md", "lock", "preview.log"}
    shutil.rmtree(output)
