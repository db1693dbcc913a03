"""The two sample services and the client, run in pods of the local cluster."""

import json
import shutil
import time
from pathlib import Path
from typing import Any

import yaml

from grpc_platform.local import deploy
from grpc_platform.local.cluster import Cluster
from grpc_platform.local.control_plane import PYTHON
from grpc_platform.local.errors import LocalError

SOURCES = Path(__file__).parents[2] / "examples" / "apps"
SERVERS = ("greeter", "ticker")
_CLIENT = "client"


def install(cluster: Cluster) -> None:
    """Put the sample programs where the node agent looks for them, under their images' names."""
    parts = cluster.state / "parts"
    shutil.copytree(SOURCES, parts / "apps", ignore=shutil.ignore_patterns("__pycache__"))
    for name in (*SERVERS, _CLIENT):
        program = parts / name
        # The sources import each other and read their .proto files beside them.
        script = f'cd /parts/apps && exec {PYTHON} -B {name}.py "$@"'
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)


def manifests() -> list[deploy.Object]:
    """The sample servers' Deployments."""
    return [yaml.safe_load((SOURCES / f"{name}.yaml").read_text()) for name in SERVERS]


def run_client(
    cluster: Cluster, name: str, *arguments: str, timeout: float = 120, namespace: str = "default"
) -> dict[str, Any]:
    """Run the client in a pod of its own and return what it reports."""
    start_client(cluster, name, *arguments, namespace=namespace)
    return client_report(cluster, name, timeout=timeout, namespace=namespace)


def start_client(
    cluster: Cluster, name: str, *arguments: str, namespace: str = "default"
) -> None:
    """Start the client in a pod called ``name``."""
    deploy.apply(cluster, [_client_pod(name, namespace, arguments)])


def client_report(
    cluster: Cluster, name: str, *, timeout: float = 120, namespace: str = "default"
) -> dict[str, Any]:
    """Wait for the pod ``name`` to end, return what its client reported, and delete it."""
    phase = ""

    def ended() -> bool:
        nonlocal phase
        phase = cluster.get("pod", "-n", namespace, name).get("status", {}).get("phase", "")
        return phase in ("Succeeded", "Failed")

    cluster.wait(f"client {name} to end", ended, timeout=timeout)
    log = cluster.pod_log(namespace, name, _CLIENT)
    if phase == "Failed":
        raise LocalError(f"the client in pod {name} failed", log=log)
    report = json.loads(log.read_text().splitlines()[-1])
    cluster.kubectl("delete", "pod", "-n", namespace, name, "--wait=false")
    return report


def wait_for_name(cluster: Cluster, name: str, *, timeout: float = 60) -> None:
    """Wait until ``name`` has addresses, as the pods' resolver tells."""
    lookup = (
        "import socket, sys; socket.create_connection((sys.argv[1], 53)).close()"
    )
    raise NotImplementedError(lookup, time.monotonic(), name, timeout, cluster)


def _client_pod(name: str, namespace: str, arguments: tuple[str, ...]) -> deploy.Object:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {"app.kubernetes.io/name": "sample-client"},
        },
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 1,
            "containers": [
                {
                    "name": _CLIENT,
                    "image": f"localhost/{_CLIENT}:dev",
                    "command": [_CLIENT, *arguments],
                }
            ],
        },
    }
