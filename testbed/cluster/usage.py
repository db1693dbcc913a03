"""How to use a kept cluster, and the resources that its programs use."""

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from testbed.cluster import parts, pki
from testbed.cluster.apps import CLIENT, CONFIG_DUMP, SOURCES, Service
from testbed.cluster.cluster import Cluster
from testbed.cluster.control_plane import PYTHON
from testbed.cluster.place import FIRST
from testbed.cluster.report import Part
from testbed.cluster.sandbox import Sandbox

KEPT = "kept"
KUBECONFIG = "kubeconfig"

VERSIONS = {
    "etcd": parts.ETCD,
    "kube-apiserver": parts.KUBERNETES,
    "kube-controller-manager": parts.KUBERNETES,
    "coredns": parts.COREDNS,
    "contour": parts.CONTOUR,
    "envoy": parts.ENVOY,
    "external-dns": parts.EXTERNAL_DNS,
}


@dataclass(frozen=True)
class Doors:
    """Sockets on loopback by which the host reaches a kept cluster."""

    kubernetes: socket.socket
    services: socket.socket

    @classmethod
    def open(cls) -> "Doors":
        """Listen on ports that the kernel picks."""
        return cls(*(socket.create_server(("127.0.0.1", 0)) for _ in range(2)))


def connect(cluster: Cluster, doors: Doors, services: list[Service], output: Path) -> list[str]:
    """Open the host's ports. Returns lines on how to use the cluster."""
    kubeconfig = output / KUBECONFIG
    port = doors.kubernetes.getsockname()[1]
    pki.write_kubeconfig(kubeconfig, cluster.state / "pki", f"https://127.0.0.1:{port}")
    cluster.sandbox.relay(doors.kubernetes, FIRST.kubernetes_address, 443)
    kubectl = f"{_shown(parts.wheel_program('kubectl'))} --kubeconfig {_shown(kubeconfig)}"
    enter = f"{_shown(Path(PYTHON))} -m testbed exec"
    lines = {
        "Kubernetes": f"{kubectl} get pods -A",
        "logs": f"{kubectl} logs -n projectcontour deploy/contour",
        "Envoy's config": f"{enter} -c envoy projectcontour/envoy -- {CONFIG_DUMP}",
    }
    if services:
        first = services[0]
        host, _, envoy_port = first.target.rpartition(":")
        port = doors.services.getsockname()[1]
        cluster.sandbox.relay(doors.services, host, int(envoy_port))
        client = f"{_shown(Path(PYTHON))} {_shown(SOURCES / f'{CLIENT}.py')}"
        lines["a shell in a pod"] = f"{enter} default/{first.name}"
        lines["a client in a pod"] = f"{lines['a shell in a pod']} -- {CLIENT} {first.target}"
        lines["calls from the host"] = f"{client} 127.0.0.1:{port} --authority {host}"
    return [f"{what:20} {how}" for what, how in lines.items()]


def _shown(path: Path) -> Path:
    """The path as a person would type it here."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def measure(cluster: Cluster) -> list[Part]:
    """The programs of the cluster with their memory, the largest first."""
    said = cluster.inside(PYTHON, "-m", "testbed.cluster.programs").stdout
    found: Mapping[str, tuple[int, int]] = json.loads(said)
    named = {
        "node_agent": "node-agent",
        "greeter.py": "greeter",
        "name_server": "name-server",
        "ticker.py": "ticker",
    }
    started = _container_starts(cluster.get("pods", "-A")["items"])
    started |= cluster.started | cluster.sandbox.listening
    measured = [
        Part(
            name=named.get(name, name),
            version=VERSIONS.get(name, ""),
            processes=count,
            mebibytes=resident / 2**20,
            ready_seconds=started.get(named.get(name, name)),
        )
        for name, (count, resident) in found.items()
        if name in {*VERSIONS, *named, "route53"}
    ]
    return sorted(measured, key=lambda part: -part.mebibytes)


def _container_starts(pods: list[dict[str, Any]]) -> dict[str, float]:
    """Seconds from a container's start to its pod's readiness, by container; the slowest of each.

    Kubernetes keeps whole seconds.
    """
    slowest: dict[str, float] = {}
    for pod in pods:
        status = pod["status"]
        ready = {c["type"]: c for c in status.get("conditions", ())}.get("Ready", {})
        if ready.get("status") != "True":
            continue
        for container in status.get("containerStatuses", ()):
            if began := container["state"].get("running", {}).get("startedAt"):
                took = datetime.fromisoformat(ready["lastTransitionTime"]) - datetime.fromisoformat(
                    began
                )
                name = container["name"]
                slowest[name] = max(slowest.get(name, 0.0), took.total_seconds())
    return slowest


def leave_up(box: Sandbox, lines: list[str], console: Console) -> None:
    """Keep the sandbox after this process ends, and print how to use it."""
    box.keep()
    (box.state / KEPT).touch()
    console.print("\n[bold]The cluster stays up.[/] make local-down ends it.")
    for line in lines:
        console.print(f"  {line}", markup=False, soft_wrap=True)


def pod_command(state: Path, arguments: list[str]) -> list[str]:
    """The command line that runs something in a pod of a kept cluster."""
    agent = (PYTHON, "-m", "testbed.node_agent", "enter", "--state", str(state / "node"))
    return Sandbox.kept(state).command(*agent, *arguments)
