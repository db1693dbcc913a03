"""Pods for the node agent's own tests, run by a real API server and its controllers."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from testbed.cluster.cluster import Cluster

NAMESPACE = "agent-tests"


@dataclass(frozen=True)
class Bench:
    """Makes pods and looks at them."""

    cluster: Cluster

    def apply(self, *objects: dict[str, Any]) -> None:
        text = yaml.safe_dump_all(objects)
        self.cluster.kubectl("apply", "-n", NAMESPACE, "--validate=strict", "-f-", stdin=text)

    def pod(self, name: str, *containers: dict[str, Any], **spec: Any) -> None:
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

    @staticmethod
    def shell(**fields: Any) -> dict[str, Any]:
        return shell(**fields)

    def get(self, kind: str, name: str) -> dict[str, Any]:
        return self.cluster.get(kind, name, "-n", NAMESPACE)

    def kubectl(self, *arguments: str) -> str:
        return self.cluster.kubectl("-n", NAMESPACE, *arguments)

    def log(self, pod: str, container: str = "main", run: int = 0) -> str:
        directory = self.cluster.state / "node" / "pods" / f"{NAMESPACE}_{pod}"
        path = directory / container / f"{run}.log"
        return path.read_text() if path.exists() else ""

    def wait(self, what: str, holds: Callable[[], object], timeout: float = 20) -> None:
        self.cluster.wait(what, lambda: bool(holds()), timeout=timeout, blame="node-agent")

    def wait_phase(self, pod: str, phase: str) -> dict[str, Any]:
        self.wait(f"{pod} to be {phase}", lambda: self.get("pod", pod)["status"]["phase"] == phase)
        return self.get("pod", pod)

    def ready(self, pod: str) -> bool:
        conditions = self.get("pod", pod)["status"].get("conditions", [])
        return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)

    def wait_ready(self, pod: str) -> dict[str, Any]:
        self.wait(f"{pod} to be ready", lambda: self.ready(pod))
        return self.get("pod", pod)

    def container(self, pod: str, name: str = "main") -> dict[str, Any]:
        status = self.get("pod", pod)["status"]
        everyone = status.get("containerStatuses", []) + status.get("initContainerStatuses", [])
        return next(
            (one for one in everyone if one["name"] == name), {"restartCount": 0, "state": {}}
        )

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


def shell(run: str = "sleep infinity", **fields: Any) -> dict[str, Any]:
    """A container that runs a shell script and obeys SIGTERM although it is process 1."""
    script = f"trap 'exit 0' TERM\n{run}".replace("sleep infinity", "while :; do sleep 0.1; done")
    return {
        "name": "main",
        "image": "test/shell:1",
        "command": ["/bin/sh", "-c", script],
        **fields,
    }


@pytest.fixture(scope="session")
def _space(cluster: Cluster) -> None:
    cluster.kubectl("create", "namespace", NAMESPACE)
    account = (
        "get",
        "serviceaccount",
        "default",
        "-n",
        NAMESPACE,
        "--ignore-not-found",
        "-o",
        "name",
    )
    cluster.wait("the default service account", lambda: bool(cluster.kubectl(*account)))


@pytest.fixture
def bench(cluster: Cluster, _space: None) -> Iterator[Bench]:
    """An empty namespace to make pods in; what is left is killed afterwards."""
    yield Bench(cluster)
    kinds = "deployments,jobs,cronjobs,pods,pdb,hpa"
    cluster.kubectl(
        "delete", kinds, "--all", "-n", NAMESPACE, "--grace-period=0", "--force", "--wait=false"
    )
    cluster.wait(
        "pods to go", lambda: not cluster.kubectl("get", "pods", "-n", NAMESPACE, "-o", "name")
    )
