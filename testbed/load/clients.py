"""Servers and clients of the load generator, in pods of the local cluster."""

import itertools
import shlex
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed.cluster import apps
from testbed.cluster.cluster import Cluster
from testbed.cluster.readiness import Object

PORT = 50051
DIRECT = f"load.default.svc.cluster.local:{PORT}"
"""The servers without Envoy: the service's headless name."""
FAMILIES = {"grpc-go": ("load", "client"), "C-core": ("load-ccore",)}
"""The client's command for each implementation of gRPC."""
_NAMESPACE = "default"
_PATIENCE = 900.0  # seconds until a client must have ended
_numbers = itertools.count()


@dataclass(frozen=True)
class Client:
    """A client in a pod."""

    cluster: Cluster
    pod: str

    def stop(self) -> dict[str, Any]:
        """Tell it to stop calling. Returns its report."""
        apps.stop_client(self.cluster, self.pod)
        return self.report()

    def report(self) -> dict[str, Any]:
        """Wait until it ends. Returns its measurements, with a mapping by target."""
        return apps.client_report(self.cluster, self.pod, timeout=_PATIENCE)

    def remove(self) -> None:
        """Delete its pod, if it still exists."""
        gone = ("--ignore-not-found", "--wait=false")
        self.cluster.kubectl("delete", "pod", "-n", _NAMESPACE, self.pod, *gone)


def install(cluster: Cluster, program: Path) -> None:
    """Let pods run the load generator: ``program``, and the same on C-core."""
    cluster.link("load", program)
    script = cluster.state / "parts" / FAMILIES["C-core"][0]
    shutil.copy(Path(__file__).with_name("ccore.py"), script.with_suffix(".py"))
    python = shlex.quote(sys.executable)
    script.write_text(f'#!/bin/sh\nexec {python} -B /parts/{script.name}.py "$@"\n')
    script.chmod(0o755)


def start_client(cluster: Cluster, command: Sequence[str], arguments: Sequence[str]) -> Client:
    """Start a client in a pod of its own."""
    name = f"client-{next(_numbers)}"
    apps.start_client(cluster, name, arguments, command)
    return Client(cluster, name)


def server_manifest(
    replicas: int, arguments: Sequence[str] = (), *, pre_stop_seconds: int = 10
) -> Object:
    """A Deployment of servers that keep the contract (not with ``pre_stop_seconds`` 0)."""
    labels = {"app.kubernetes.io/name": "load"}
    container: dict[str, Any] = {
        "name": "load",
        "image": "localhost/load:dev",
        "command": ["load", "server", *arguments],
        "ports": [{"name": "grpc", "containerPort": PORT}],
        # A stall of a busy machine is to make no server unready.
        "readinessProbe": {"grpc": {"port": PORT}, "periodSeconds": 1, "timeoutSeconds": 5},
    }
    if pre_stop_seconds:
        container["lifecycle"] = {"preStop": {"sleep": {"seconds": pre_stop_seconds}}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "load", "namespace": _NAMESPACE},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "automountServiceAccountToken": False,
                    "terminationGracePeriodSeconds": pre_stop_seconds + 25,
                    "containers": [container],
                },
            },
        },
    }
