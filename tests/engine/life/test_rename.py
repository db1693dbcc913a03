"""`pulumi stack rename`."""

from experiments.lab import STACK
from testbed.engine import agreement
from tests.engine.life.conftest import Life
from tests.engine.load import Load
from tests.engine.platform import NOTHING


def test_a_renamed_stack_restarts_external_dns_which_still_owns_its_record(life: Life) -> None:
    lab = life.lab
    engine = life.engine()
    engine.rename("staging")
    plan = engine.preview()
    assert [urn.rpartition("::")[2] for urn in agreement.operations(plan)] == [
        "local-external-dns-deployment"
    ]
    (step,) = (step for step in plan.steps if step.op == "update")
    (argument,) = step.differs
    flags = step.inputs["spec"]["template"]["spec"]["containers"][0]["args"]
    index = int(argument.removesuffix("]").rpartition("[")[2])
    assert flags[index] == "--migrate-from-txt-owner=grpc-platform/staging/local"

    with Load(lab, rate=25) as load:
        engine.up()
        # The record follows a new fleet only if external-dns owns it.
        program = lab.program(envoy={"min_replicas": 3})
        (program / f"Pulumi.{STACK}.yaml").rename(program / "Pulumi.staging.yaml")
        life.platform.home.engine(program, "staging").up()
        lab.wait_until_settled()
    assert len(lab.envoys()) == 3
    load.assert_nothing_lost()

    life.platform.home.engine(program, "staging").rename(STACK)
    life.platform.bring_to(NOTHING)
    lab.wait_until_settled()
