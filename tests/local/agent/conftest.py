"""A namespace for the node agent's own tests, with a real API server and its controllers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.cluster.cluster import Cluster
from testbed.cluster.readiness import Object
from tests.local.agent.bench import NAMESPACE, Bench


@pytest.fixture(scope="session")
def namespace(cluster: Cluster) -> None:
    """The namespace, with what its pods need."""
    cluster.kubectl("create", "namespace", NAMESPACE)
    files = (Path(__file__).parent / "programs").glob("*.py")
    programs: Object = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "programs"},
        "data": {file.name: file.read_text() for file in files},
    }
    Bench(cluster).apply(programs)
    account = ("get", "serviceaccount", "default", "-n", NAMESPACE, "--ignore-not-found")
    cluster.wait("the default service account", lambda: bool(cluster.kubectl(*account)))


@pytest.fixture
def bench(cluster: Cluster, namespace: None) -> Iterator[Bench]:
    """An empty namespace for pods; remaining ones are killed afterwards."""
    yield Bench(cluster)
    kinds = "deployments,jobs,cronjobs,pods,pdb,hpa"
    cluster.kubectl(
        "delete", kinds, "--all", "-n", NAMESPACE, "--grace-period=0", "--force", "--wait=false"
    )
    cluster.wait(
        "pods to go", lambda: not cluster.kubectl("get", "pods", "-n", NAMESPACE, "-o", "name")
    )
