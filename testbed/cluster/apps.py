"""The two sample services and the client, run in pods of the local cluster."""

import json
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from grpc_platform.conventions import ENVOY_ADMIN_PORT
from grpc_platform_tools.graph import Graph
from testbed.cluster import deploy, fetch, readiness
from testbed.cluster.cluster import Cluster
from testbed.cluster.control_plane import NODE, PYTHON
from testbed.cluster.errors import LocalError

SOURCES = Path(__file__).parents[2] / "examples" / "apps"
SERVERS = ("greeter", "ticker")
CLIENT = "client"
CONFIG_DUMP = "config-dump"
"""Prints the configuration of the Envoy in the same pod."""
# Contour has every Envoy serve its admin pages here, read-only.
CONFIG_DUMP_URL = f"http://127.0.0.1:{ENVOY_ADMIN_PORT}/config_dump"
"""What it reads, within the pod."""
_SERVICE = "grpc-platform:index:GrpcService"


@dataclass(frozen=True)
class Service:
    """A GrpcService with a sample app behind it."""

    name: str
    target: str
    """What clients dial, `host:port`."""
    direct: str
    """The pods themselves, past Envoy, `host:port`."""


def services(graph: Graph) -> list[Service]:
    """The graph's services that have a sample app, with the target from their client contracts."""
    found: dict[str, Service] = {}
    for component in graph.of_type(_SERVICE):
        service = next(
            r for r in graph if r.parent == component.urn and r.inputs.get("kind") == "Service"
        )
        metadata, port = service.inputs["metadata"], service.inputs["spec"]["ports"][0]["port"]
        name = str(metadata["name"])
        if name in SERVERS:
            # A service in two clusters has one name.
            found[name] = Service(
                name,
                component.outputs["client_contract"]["target_uri"].removeprefix("dns:///"),
                f"{name}.{metadata['namespace']}.svc.cluster.local:{port}",
            )
    return list(found.values())


def install(cluster: Cluster) -> None:
    """Put the sample programs into the node agent's directory of parts, under their images'
    names."""
    parts = cluster.state / "parts"
    shutil.copytree(SOURCES, parts / "apps", ignore=shutil.ignore_patterns("__pycache__"))
    python = shlex.quote(PYTHON)
    scripts = {
        # The sources import each other and read the .proto files in the same folder.
        name: f'cd /parts/apps && exec {python} -B {name}.py "$@"'
        for name in (*SERVERS, CLIENT)
    }
    scripts[CONFIG_DUMP] = f"exec {python} -P {shlex.quote(fetch.__file__)} {CONFIG_DUMP_URL}"
    for name, script in scripts.items():
        program = parts / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)


def manifests() -> list[readiness.Object]:
    """The sample servers' Deployments."""
    return [yaml.safe_load((SOURCES / f"{name}.yaml").read_text()) for name in SERVERS]


def start_client(
    cluster: Cluster, name: str, arguments: Sequence[str], command: Sequence[str] = (CLIENT,)
) -> None:
    """Start the client, or another client's ``command``, in a pod called ``name``."""
    pod: readiness.Object = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "default",
            "labels": {"app.kubernetes.io/name": "sample-client"},
        },
        "spec": {
            "nodeName": NODE,  # beside the nodes that a scheduler knows, if there are several
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 1,
            "containers": [
                {
                    "name": CLIENT,
                    "image": f"localhost/{command[0]}:dev",
                    "command": [*command, *arguments],
                }
            ],
        },
    }
    deploy.apply(cluster, [pod])


def stop_client(cluster: Cluster, name: str) -> None:
    """Tell the client in pod ``name`` to stop calling and report."""
    # The pod ends with its first process, and the shell may end with it.
    cluster.enter("-c", CLIENT, f"default/{name}", "--", "sh", "-c", "kill -TERM 1", check=False)


def client_report(cluster: Cluster, name: str, *, timeout: float = 120) -> dict[str, Any]:
    """Wait for the client in pod ``name`` to end, return what it reported, and delete the pod."""

    def phase() -> str:
        return cluster.get("pod", "-n", "default", name)["status"].get("phase", "")

    cluster.wait(
        f"the client in pod {name} to end",
        lambda: phase() in ("Succeeded", "Failed"),
        timeout=timeout,
    )
    log = cluster.pod_log("default", name, CLIENT)
    if phase() == "Failed":
        raise LocalError(f"the client in pod {name} failed", log=log)
    assert log is not None
    report = json.loads(log.read_text().splitlines()[-1])
    cluster.kubectl("delete", "pod", "-n", "default", name, "--wait=false")
    return report
