"""`pulumi destroy` in one go, after all else."""

from experiments.lab import STACK, ZONE
from grpc_platform_tools.teardown.command import teardown
from testbed.engine import deployment
from tests.engine.life.conftest import Life
from tests.engine.life.objects import all_objects

CRDS = {
    " CustomResourceDefinition/httpproxies.projectcontour.io",
    " CustomResourceDefinition/tlscertificatedelegations.projectcontour.io",
}


def test_a_destroy_leaves_the_crds_and_nothing_else(life: Life) -> None:
    cluster = life.lab.cluster
    deployment.tear_down(life.engine(), cluster, life.platform.now.graph)
    left = all_objects(cluster) - life.before
    assert left == CRDS
    said = teardown(life.platform.now.graph, STACK).left_behind
    assert {f" {finding.what.replace(' ', '/')}" for finding in said} == CRDS
    assert not cluster.published(ZONE, "SOA")
