"""What is in a cluster and in the zone, and how a person changes a record there."""

import json
from typing import Any

from grpc_platform_tools.graph import Graph
from testbed.cluster.cluster import Cluster
from testbed.cluster.control_plane import AWS_ENVIRONMENT, PYTHON
from testbed.engine import deployment
from tests.tree import ROOT

KINDS = (
    *("namespaces", "configmaps", "secrets", "services", "serviceaccounts", "deployments"),
    *("jobs", "cronjobs", "ingresses", "ingressclasses", "networkpolicies", "roles"),
    *("rolebindings", "clusterroles", "clusterrolebindings", "horizontalpodautoscalers"),
    *("poddisruptionbudgets", "customresourcedefinitions"),
)
OPERATIONS = ROOT / "docs" / "operations.md"
_ROUTE53 = """
import boto3, json, sys
client = boto3.client("route53")
zone = client.list_hosted_zones()["HostedZones"][0]["Id"]
for changes in json.load(sys.stdin):
    client.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=changes)
pages = client.get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone)
json.dump([record for page in pages for record in page["ResourceRecordSets"]], sys.stdout)
"""

Record = dict[str, Any]


def all_objects(cluster: Cluster, *selector: str) -> set[str]:
    """The objects that no controller makes: `projectcontour Deployment/contour`."""
    path = "{range .items[*]}{.metadata.namespace} {.kind}/{.metadata.name}{'\\n'}{end}"
    said = cluster.kubectl("get", ",".join(KINDS), "-A", *selector, "-o", f"jsonpath={path}")
    return set(said.splitlines())


def planned_objects(graph: Graph) -> set[str]:
    """The same of what a program registers."""
    found = deployment.objects(graph)
    return {
        f"{item['metadata'].get('namespace', '')} {item['kind']}/{item['metadata']['name']}"
        for item in found
    }


def records(cluster: Cluster, *batches: dict[str, Any]) -> list[Record]:
    """The zone's records, after a person has sent these batches of changes."""
    environment = [f"{key}={value}" for key, value in AWS_ENVIRONMENT.items()]
    command = ("env", *environment, PYTHON, "-c", _ROUTE53)
    said = cluster.inside(*command, stdin=json.dumps(batches)).stdout
    found: list[Record] = json.loads(said)
    return [{**record, "Name": record["Name"].rstrip(".")} for record in found]


def documented(file_name: str) -> str:
    """The JSON in docs/operations.md that it calls by that name."""
    _, _, after = OPERATIONS.read_text().partition(f"`{file_name}`")
    return after.partition("```json\n")[2].partition("```")[0]
