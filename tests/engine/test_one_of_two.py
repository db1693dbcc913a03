"""A serving cluster is removed from a stack of two while calls flow to the other one."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from experiments.lab import SERVICES, STACK, ZONE, Lab
from testbed.cluster import run
from testbed.cluster.cluster import Cluster
from testbed.cluster.place import POD_CIDR, SECOND
from tests.engine.conftest import Programs
from tests.engine.life.objects import all_objects, records
from tests.engine.life.test_teardown import CRDS
from tests.engine.load import Load
from tests.engine.platform import Platform, Recorded, deployed
from tests.tree import ROOT

pytestmark = pytest.mark.prove

ONE: dict[str, Any] = {
    "callers": {"neighbours": {"cidr": POD_CIDR}},
    "services": {name: {"cluster": "local"} for name in (*SERVICES, "greeter", "ticker")},
}
"""The stack file for the first cluster alone, with what two of them need."""
NAMES = [f"second.{ZONE}", f"_external-dns-a.second.{ZONE}"]


@pytest.fixture
def second(lab: Lab) -> Cluster:
    first = lab.cluster
    cluster = Cluster(first.sandbox, first.builder, place=SECOND, propagation=first.propagation)
    cluster.start()
    cluster.start_resolver([ZONE])
    run.prepare(cluster)
    return cluster


@pytest.fixture
def platform(lab: Lab, programs: Programs, second: Cluster) -> Iterator[Platform]:
    """The stack on both clusters; the services are in the first."""
    kubeconfig = str(second.state / "pki" / "admin.conf")
    second_cluster = {"existing": {"context": "local", "kubeconfig": kubeconfig}}
    both = lab.program(clusters={"second": second_cluster}, **ONE)
    home = programs.home(lab.directory / "two", lab.cluster)
    with deployed(lab, home, Recorded.of(both)) as platform:
        yield platform


def test_removing_one_cluster_of_two_leaves_its_two_records_and_loses_no_call(
    lab: Lab, second: Cluster, platform: Platform
) -> None:
    before = all_objects(second)
    second.wait("its name", lambda: lab.cluster.published(NAMES[0], "A"), timeout=120)
    with Load(lab, rate=25) as load:
        step = platform.bring_to(ONE)
        lab.wait_until_settled()
    load.assert_nothing_lost()
    assert step.did == step.told
    assert set(step.did.values()) == {"delete"}

    left = all_objects(second)
    assert left < before
    assert left >= CRDS
    assert not [item for item in left if item.startswith(("projectcontour ", "external-dns "))]

    leftover = [record for record in records(lab.cluster) if record["Name"] in NAMES]
    assert {record["Name"] for record in leftover} == set(NAMES)
    teardown = (ROOT / "docs" / "life.md").read_text().partition("## Teardown")[2]
    assert set(re.findall(r"`(\S*<cluster>\.<zone>)`", teardown)) == {
        name.replace(f"second.{ZONE}", "<cluster>.<zone>") for name in NAMES
    }
    gone = [{"Action": "DELETE", "ResourceRecordSet": record} for record in leftover]
    rest = records(lab.cluster, {"Changes": gone})
    assert "second" not in json.dumps(rest)
    assert platform.home.engine(platform.now.program, STACK).refresh().changed == {}
