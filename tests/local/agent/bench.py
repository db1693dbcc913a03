"""Pods of the node agent's own tests."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from testbed.cluster.cluster import Cluster
from testbed.cluster.readiness import Object

NAMESPACE = "agent-tests"
PROGRAMS = "/programs"
"""The path of the files of `programs` in a container with `MOUNTS`, in a pod with `VOLUMES`."""
MOUNTS = [{"name": "programs", "mountPath": PROGRAMS}]
VOLUMES: list[Object] = [{"name": "programs", "configMap": {"name": "programs"}}]


@dataclass(frozen=True)
class Bench:
    """Creates and inspects pods."""

    cluster: Cluster

    def apply(self, *objects: Object) -> None:
        text = yaml.safe_dump_all(objects)
        self.cluster.kubectl("apply", "-n", NAMESPACE, "--validate=strict", "-f-", stdin=text)

    def pod(self, name: str, *containers: Object, **spec: Any) -> None:
        """A pod whose containers' ``run`` is a shell script; TERM ends them at once."""
        self.apply(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": name, "labels": {"app": name}},
                "spec": {
                    "terminationGracePeriodSeconds": 5,
                    "automountServiceAccountToken": False,
                    "containers": [shell(**container) for container in containers],
                    **spec,
                },
            }
        )

    def get(self, kind: str, name: str) -> Object:
        return self.cluster.get(kind, name, "-n", NAMESPACE)

    def kubectl(self, *arguments: str) -> str:
        return self.cluster.kubectl("-n", NAMESPACE, *arguments)

    def log(self, pod: str, container: str = "main", run: int = 0) -> str:
        directory = self.cluster.state / "node" / "pods" / f"{NAMESPACE}_{pod}"
        path = directory / container / f"{run}.log"
        return path.read_text() if path.exists() else ""

    def run_log(self, pod: str) -> Path:
        """The log of a running pod's container."""
        log = self.cluster.pod_log(NAMESPACE, pod, "main")
        assert log is not None
        return log

    def wait(self, what: str, holds: Callable[[], object], timeout: float = 20) -> None:
        self.cluster.wait(what, lambda: bool(holds()), timeout=timeout, blame="node-agent")

    def wait_phase(self, pod: str, phase: str) -> Object:
        self.wait(f"{pod} to be {phase}", lambda: self.get("pod", pod)["status"]["phase"] == phase)
        return self.get("pod", pod)

    def ready(self, pod: str) -> bool:
        conditions = self.get("pod", pod)["status"].get("conditions", [])
        return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)

    def wait_ready(self, pod: str) -> Object:
        self.wait(f"{pod} to be ready", lambda: self.ready(pod))
        return self.get("pod", pod)

    def container(self, pod: str, name: str = "main") -> Object:
        status = self.get("pod", pod)["status"]
        every: list[Object] = status.get("containerStatuses", []) + status.get(
            "initContainerStatuses", []
        )
        missing: Object = {"restartCount": 0, "state": {}}
        return next((one for one in every if one["name"] == name), missing)

    def events(self, pod: str, reason: str) -> list[str]:
        field = f"involvedObject.name={pod},reason={reason}"
        found = self.cluster.get("events", "-n", NAMESPACE, "--field-selector", field)
        return [item["message"] for item in found["items"]]

    def gone(self, pod: str) -> bool:
        return not self.kubectl("get", "pod", pod, "--ignore-not-found", "-o", "name")

    def processes(self, word: str) -> int:
        """How many processes of the sandbox have this word on their command line."""
        listing = "for p in /proc/[0-9]*/cmdline; do tr '\\0\\n' '  ' < $p; echo; done 2>/dev/null"
        listed = self.cluster.inside("sh", "-c", listing).stdout
        return sum(word in line for line in listed.splitlines())

    def enter(self, pod: str, *command: str) -> str:
        return self.cluster.enter(f"{NAMESPACE}/{pod}", "--", *command)


def shell(run: str = "sleep infinity", **fields: Any) -> Object:
    """A container that runs a shell script and obeys SIGTERM although it is process 1."""
    script = f"trap 'exit 0' TERM\n{run}".replace("sleep infinity", "while :; do sleep 0.1; done")
    return {
        "name": "main",
        "image": "test/shell:1",
        "command": ["/bin/sh", "-c", script],
        **fields,
    }
