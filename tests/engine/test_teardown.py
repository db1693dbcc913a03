"""`grpc-platform teardown` names what a destroy leaves, here in a zone of others."""

import json
from collections.abc import Iterator

import pytest

from experiments.lab import STACK, ZONE, Lab
from grpc_platform_tools.teardown.command import teardown
from testbed.cluster import run
from testbed.cluster.control_plane import AWS_ENVIRONMENT, PYTHON
from tests.engine.conftest import Programs
from tests.engine.life.objects import all_objects, records
from tests.engine.platform import Recorded

pytestmark = pytest.mark.prove

_MAKE = """
import boto3, sys
client = boto3.client("route53")
for number in range(10_000):  # Route53's ids begin with Z, the emulator's are random
    made = client.create_hosted_zone(Name=sys.argv[1], CallerReference=str(number))
    zone_id = made["HostedZone"]["Id"].rpartition("/")[2]
    if zone_id.startswith("Z"):
        break
    client.delete_hosted_zone(Id=zone_id)
print(zone_id)
"""
_DELETE = """
import boto3, sys
boto3.client("route53").delete_hosted_zone(Id=sys.argv[1])
"""


def at_route53(lab: Lab, script: str, argument: str) -> str:
    """Run a script with the emulator's credentials, and return what it printed."""
    environment = [f"{key}={value}" for key, value in AWS_ENVIRONMENT.items()]
    command = ("env", *environment, PYTHON, "-c", script, argument)
    return lab.cluster.inside(*command).stdout.strip()


@pytest.fixture
def existing_zone(lab: Lab) -> Iterator[str]:
    zone_id = at_route53(lab, _MAKE, ZONE)
    lab.cluster.start_resolver([ZONE])
    try:
        yield zone_id
    finally:
        at_route53(lab, _DELETE, zone_id)


def in_zone(lab: Lab) -> set[str]:
    return {f"{record['Type']} {record['Name']}" for record in records(lab.cluster)}


def test_what_teardown_names_is_what_a_destroy_leaves(
    lab: Lab, programs: Programs, existing_zone: str
) -> None:
    cluster = lab.cluster
    run.prepare(cluster)
    cluster.kubectl("delete", "crd", "--all")  # an earlier destroy has left them
    before = all_objects(cluster) | in_zone(lab)
    stack = Recorded.of(lab.program(zone={"zone_id": existing_zone}))
    engine = programs.home(lab.directory / "teardown", cluster).engine(stack.program, STACK)
    engine.up()
    lab.wait_for_name()
    said = {finding.what for finding in teardown(stack.graph, STACK).left_behind}

    engine.destroy()
    left = (all_objects(cluster) | in_zone(lab)) - before
    assert {item.strip().replace("/", " ") for item in left} == said
    assert said >= {f"A local.{ZONE}", f"TXT _external-dns-a.local.{ZONE}"}

    for crd in (item.partition("/")[2] for item in left if "CustomResource" in item):
        cluster.kubectl("delete", "crd", crd)
    ours = [r for r in records(cluster) if r["Type"] in ("A", "TXT")]
    rest = records(
        cluster, {"Changes": [{"Action": "DELETE", "ResourceRecordSet": r} for r in ours]}
    )
    assert "local." not in json.dumps([r["Name"] for r in rest])
