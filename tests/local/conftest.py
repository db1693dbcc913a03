"""One local cluster for the whole run, with the local stack on it for the tests that call."""

from collections.abc import Iterator

import pytest

from testbed.cluster import apps, readiness, run, traffic
from testbed.cluster.build import Builder
from testbed.cluster.cluster import Cluster
from testbed.cluster.errors import LocalError
from testbed.cluster.sandbox import Sandbox, end_leftover
from testbed.program import preview
from tests.local.stack import Platform


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A control plane and a node."""
    state = tmp_path_factory.mktemp("local") / "state"
    builder, sandbox = Builder(), Sandbox(state)
    builder.start()
    try:
        sandbox.start()
        running = Cluster(sandbox, builder)
        running.start()
        apps.install(running)
        yield running
    except LocalError as error:
        pytest.exit("\n".join([error.cause, *error.log_end()]), returncode=1)
    finally:
        builder.stop()
        sandbox.close()
        end_leftover(state)


@pytest.fixture(scope="session")
def platform(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """The local stack with its sample servers, the whole fleet under its name."""
    run.prepare(cluster)
    found = Platform(cluster, preview("local", tmp_path_factory.mktemp("preview") / "local"))
    found.bring_to(found.graph)
    for manifest in apps.manifests():
        readiness.wait_until_ready(cluster, manifest)
    traffic.wait_for_fleet(cluster, list(found.services.values()))
    return found
