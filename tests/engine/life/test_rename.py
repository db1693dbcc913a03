"""`pulumi stack rename`."""

import pytest

from experiments.lab import STACK
from testbed.engine import agreement
from tests.engine.life.conftest import Life
from tests.engine.load import Load
from tests.engine.platform import NOTHING, Recorded


@pytest.mark.prove
def test_a_renamed_stack_restarts_external_dns_which_still_owns_its_record(life: Life) -> None:
    lab = life.lab
    # The record follows a new fleet only if external-dns owns it.
    life.platform.now = Recorded.of(lab.program(envoy={"min_replicas": 3}))
    engine = life.engine()
    engine.rename("staging")
    with Load(lab, rate=25) as load:
        done = engine.up()
        lab.cluster.wait("3 Envoys", lambda: len(lab.envoys()) == 3, timeout=120)
        lab.wait_until_settled()
    engine.rename(STACK)
    load.assert_nothing_lost()
    changed = {urn.rpartition("::")[2] for urn in agreement.operations(done)}
    assert changed == {"local-envoy-autoscaler", "local-external-dns-deployment"}
    (publisher,) = (step for step in done.steps if step.urn.endswith("-external-dns-deployment"))
    (argument,) = publisher.differs
    flags = publisher.inputs["spec"]["template"]["spec"]["containers"][0]["args"]
    index = int(argument.removesuffix("]").rpartition("[")[2])
    assert flags[index] == "--migrate-from-txt-owner=grpc-platform/staging/local"
    life.platform.bring_to(NOTHING)
