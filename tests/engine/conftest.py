"""The real engine, and one local cluster for it where a test asks for one."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from experiments.lab import Lab, open_lab
from testbed.cluster import parts
from testbed.cluster.build import Builder
from testbed.cluster.cluster import Cluster
from testbed.cluster.errors import LocalError
from testbed.engine.home import Home
from testbed.engine.parts import ENGINE_PARTS, KUBERNETES_PLUGIN, PULUMI
from testbed.load.part import LOAD

FACTOR = 10
"""By which the platform's times are shortened."""


@dataclass(frozen=True)
class Programs:
    """The engine's, built."""

    pulumi: Path
    plugin: Path

    def home(self, directory: Path, cluster: Cluster | None = None) -> Home:
        """A home for tests."""
        return Home(directory, pulumi=self.pulumi, plugin=self.plugin, cluster=cluster)


@pytest.fixture(scope="session")
def builder() -> Iterator[Builder]:
    builder = Builder(wanted=(*parts.GO_PARTS, LOAD, *ENGINE_PARTS))
    try:
        builder.start()
        yield builder
    except LocalError as error:
        pytest.exit("\n".join([error.cause, *error.log_end()]), returncode=1)
    finally:
        builder.stop()


@pytest.fixture(scope="session")
def programs(builder: Builder) -> Programs:
    """What the engine runs of."""
    return Programs(builder.result(PULUMI.name), builder.result(KUBERNETES_PLUGIN.name))


@pytest.fixture(scope="session")
def lab(builder: Builder) -> Iterator[Lab]:
    """A cluster with servers on it, and nothing of the platform yet."""
    with open_lab(builder, factor=FACTOR, quick=True) as lab:
        yield lab
