"""One new cluster."""

from collections.abc import Callable

import pytest

from grpc_platform.eks.cluster import Cluster, ClusterArgs
from grpc_platform.specs import ClusterSpec
from grpc_platform.timing import Timing
from grpc_platform_tools.graph import Graph


@pytest.fixture
def cluster(recorded: Callable[[Callable[[], object]], Graph]) -> Callable[[ClusterSpec], Graph]:
    """What a cluster `main` of a spec registers."""

    def cluster(spec: ClusterSpec) -> Graph:
        args = ClusterArgs(
            spec=spec,
            subnet_ids=["subnet-a", "subnet-b"],
            pod_address_cooldown=Timing().dns_convergence,
            tags={"team": "platform"},
        )
        return recorded(lambda: Cluster("main", args))

    return cluster
