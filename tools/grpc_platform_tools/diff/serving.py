"""Which workloads serve calls: those whose pods a Service selects."""

from collections import defaultdict

from grpc_platform_tools.graph import Graph
from grpc_platform_tools.preview.dns import namespace, pod_labels, selector
from grpc_platform_tools.preview.manifests import kubernetes_objects


def serving(graph: Graph) -> frozenset[str]:
    """Their URNs."""
    selectors: defaultdict[tuple[str | None, str], list[dict[str, str]]] = defaultdict(list)
    objects = kubernetes_objects(graph)
    for service in objects:
        if service.inputs["kind"] == "Service" and (selected := selector(service)):
            selectors[service.provider, namespace(service)].append(selected)
    return frozenset(
        workload.urn
        for workload in objects
        if (labels := pod_labels(workload).items())
        and any(
            selected.items() <= labels
            for selected in selectors[workload.provider, namespace(workload)]
        )
    )
