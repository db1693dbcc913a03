"""The local stack on the running cluster, as the tests see it."""

from dataclasses import dataclass, field
from itertools import count
from typing import Any

from grpc_platform.conventions import CONTOUR_NAMESPACE
from grpc_platform_tools.graph import Graph
from testbed.cluster import apps, deploy
from testbed.cluster.cluster import Cluster
from testbed.disruptions import pods

_numbers = count()


@dataclass
class Platform:
    """The local stack, deployed, and its sample services."""

    cluster: Cluster
    graph: Graph
    services: dict[str, apps.Service] = field(init=False)
    deployed: deploy.Deployed = field(default_factory=deploy.Deployed)

    def bring_to(self, graph: Graph) -> None:
        """Deploy a graph in place of the last one, and wait for all of it."""
        self.deployed = deploy.deploy(self.cluster, graph, self.deployed)
        deploy.wait_for_all(self.cluster, self.deployed)
        self.graph = graph
        self.services = {service.name: service for service in apps.services(graph)}

    def start(self, *arguments: str) -> str:
        """Start a client in a pod. Returns the pod's name."""
        name = f"client-{next(_numbers)}"
        apps.start_client(self.cluster, name, arguments)
        return name

    def end(self, name: str) -> dict[str, Any]:
        """Tell a client to stop calling. Returns its report."""
        apps.stop_client(self.cluster, name)
        return self.report(name)

    def report(self, name: str) -> dict[str, Any]:
        """A client's report on its (first) target."""
        return apps.client_report(self.cluster, name)["targets"][0]

    def call(self, *arguments: str) -> dict[str, Any]:
        """Call from a pod and return the result."""
        return self.report(self.start(*arguments))

    def served_by_each(self, target: str, *arguments: str) -> bool:
        """Whether each Envoy serves a host: one may hear of it later than another."""
        each = (pod["status"]["podIP"] for pod in self.envoys())
        return all(self.served_by(envoy, target, *arguments) for envoy in each)

    def served_by(self, envoy: str, target: str, *arguments: str) -> bool:
        """Whether the Envoy with this address serves a host; asked past DNS."""
        host, _, port = target.rpartition(":")
        ask = (f"--authority={host}", "--calls=1", *arguments)
        return "OK" in self.call(f"{envoy}:{port}", *ask)["codes"]

    def envoys(self) -> list[dict[str, Any]]:
        """Envoy's pods that are not terminating."""
        return pods.of_app(self.cluster, "envoy")

    def config_dump(self) -> str:
        """The configuration of one Envoy."""
        pod = self.envoys()[0]["metadata"]["name"]
        return self.cluster.enter(
            "-c", "envoy", f"{CONTOUR_NAMESPACE}/{pod}", "--", apps.CONFIG_DUMP
        )
