"""One stack on two clusters of a sandbox."""

from dataclasses import dataclass, field

from grpc_platform_tools.graph import Graph
from testbed.cluster import deploy
from testbed.cluster.cluster import Cluster

_PROVIDER = "pulumi:providers:kubernetes"


@dataclass
class TwoClusters:
    """Running clusters by the contexts of the stack's providers, and what was deployed to each."""

    clusters: dict[str, Cluster]
    _deployed: dict[str, deploy.Deployed] = field(default_factory=dict[str, deploy.Deployed])

    def bring_to(self, graph: Graph) -> None:
        """Deploy a graph in place of the last one, and wait for all of it."""
        parts = {context: _part(graph, context) for context in self.clusters}
        # Like the engine: create new objects before deleting old ones.
        for context in sorted(parts, key=lambda context: -len(parts[context])):
            before = self._deployed.get(context)
            self._deployed[context] = deploy.deploy(self.clusters[context], parts[context], before)
        for context, deployed in self._deployed.items():
            deploy.wait_for_all(self.clusters[context], deployed)


def _part(graph: Graph, context: str) -> Graph:
    """The resources of a graph that need nothing of another cluster."""
    others = {p.urn for p in graph.of_type(_PROVIDER) if p.inputs["context"] != context}
    kept = (r for r in graph if not {r.urn, r.provider, *graph.needs(r)} & others)
    return Graph(tuple(kept))
