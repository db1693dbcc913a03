"""One platform for all of these tests. Its first `pulumi up` is killed, and it comes up all the
same."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from experiments.lab import STACK, ZONE, Lab
from testbed.cluster import run
from testbed.cluster.errors import LocalError
from testbed.engine.home import Engine
from testbed.engine.outcome import Outcome, Step
from testbed.engine.running import Running
from tests.engine.conftest import Programs
from tests.engine.life.objects import all_objects, planned_objects
from tests.engine.platform import Platform, Recorded


@dataclass
class Life:
    """The platform, and how it came up."""

    platform: Platform
    before: set[str]
    """All objects of the cluster before it."""
    refused: str
    """What the second `up` said while the killed one held the lock."""
    pending: list[str]
    """What the killed one was creating, by URN."""
    recovered: Outcome
    """The `up` after that."""

    @property
    def lab(self) -> Lab:
        return self.platform.lab

    def engine(self) -> Engine:
        """The engine for the platform as it is."""
        return self.platform.home.engine(self.platform.now.program, STACK)

    def assert_whole(self) -> None:
        """The engine has nothing more to do, and the cluster has what its state says, nothing
        double."""
        assert self.engine().preview(refresh=True).changed == {}
        ours = all_objects(self.lab.cluster, "-l", "app.kubernetes.io/managed-by=grpc-platform")
        assert ours
        assert ours <= planned_objects(self.platform.now.graph)


@pytest.fixture(scope="package")
def life(lab: Lab, programs: Programs) -> Iterator[Life]:
    home = programs.home(lab.directory / "life", lab.cluster)
    lab.cluster.start_resolver([ZONE])
    run.prepare(lab.cluster)
    before = all_objects(lab.cluster)
    first = Recorded.of(lab.program())
    engine = home.engine(first.program, STACK)

    def kill(step: Step, running: Running) -> None:
        if step.urn.endswith("::local-contour-deployment"):
            lab.cluster.wait(
                "the state to have it", lambda: step.urn in engine.pending(), timeout=60
            )
            running.kill()

    with pytest.raises(LocalError, match="killed by signal 9"):
        engine.up(when=kill)
    pending = engine.pending()
    with pytest.raises(LocalError) as refused:
        engine.up()
    # docs/operations.md, "When `pulumi up` was interrupted"
    engine.pulumi("cancel", "--yes")
    engine.pulumi("refresh", "--yes", "--clear-pending-creates")
    recovered = engine.up(environment={"PULUMI_K8S_UPSERT_EXISTING_OBJECTS": "true"})
    platform = Platform(lab, home, first)
    try:
        lab.wait_for_name()
        yield Life(platform, before, refused.value.cause, pending, recovered)
    finally:
        home.engine(platform.now.program, STACK).destroy()
