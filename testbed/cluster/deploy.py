"""Deploys a recorded graph: Kubernetes objects into the cluster, zones and records into Route53.

It follows the engine: dependency order, each object after its dependencies exist *and* are ready.
At the end it deletes objects of an earlier deployment that this graph lacks. AWS resources other
than Route53's have no counterpart here: they and their components are skipped.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from grpc_platform_tools.graph import SECRET, Graph, Resource
from grpc_platform_tools.preview.manifests import dashed
from testbed.cluster.cluster import Cluster, CommandError
from testbed.cluster.control_plane import AWS_ENVIRONMENT, GATEWAY, PYTHON, ROUTE53
from testbed.cluster.errors import LocalError
from testbed.cluster.readiness import (
    READY_TIMEOUT,
    Object,
    awaits,
    reference,
    wait_until_ready,
    wait_until_scaled,
)

ZONE = "aws:route53/zone:Zone"
RECORD = "aws:route53/record:Record"
FIELD_MANAGER = "grpc-platform"


@dataclass(frozen=True)
class Deployed:
    """What a deployment created, for the next one to compare with."""

    objects: tuple[Object, ...] = ()
    records: tuple[Object, ...] = ()


def deploy(cluster: Cluster, graph: Graph, before: Deployed | None = None) -> Deployed:
    """Bring the cluster to the state in ``graph``. Raises LocalError naming the object that
    fails."""
    before = before or Deployed()
    zones = {zone.id: str(zone.inputs["name"]) for zone in graph.of_type(ZONE)}
    names = list(zones.values())
    ids = _route53(cluster, names, [], [])
    if names:  # else its names are in a zone of another stack, which CoreDNS already answers
        cluster.start_resolver(names)
    known = {guessed: ids[name] for guessed, name in zones.items()}
    waiting = [r for r in graph if _is_object(r) or r.type == RECORD]
    needs = {r.urn: graph.needs(r) for r in waiting}
    records = {r.urn: _record_set(r) for r in waiting if r.type == RECORD}
    objects = {r.urn: manifest(r, known) for r in waiting if r.type != RECORD}
    awaited = {urn for urn, item in objects.items() if awaits(item)}
    while waiting:
        batch = _startable(waiting, needs, awaited)
        apply(cluster, [objects[r.urn] for r in batch if r.urn in objects])
        _write_records(cluster, names, [records[r.urn] for r in batch if r.urn in records])
        waiting = [r for r in waiting if r not in batch]
        # The objects created so far that remaining objects need.
        needed = set[str]().union(*(needs[r.urn] for r in waiting)) & awaited
        for urn in needed - {r.urn for r in waiting}:
            wait_until_ready(cluster, objects[urn])
        awaited -= needed - {r.urn for r in waiting}
    after = Deployed(tuple(objects.values()), tuple(records.values()))
    _prune(cluster, names, before, after)
    return after


def _startable(
    waiting: list[Resource], needs: Mapping[str, set[str]], awaited: set[str]
) -> list[Resource]:
    """All objects that depend on nothing unready: one call applies them, in order.

    A record has a wait of its own that covers ready pods (`_write_records`).
    """
    batch: list[Resource] = []
    to_come = {r.urn for r in waiting}
    for resource in waiting:
        unready = set[str]() if resource.type == RECORD else awaited
        if not needs[resource.urn] & (to_come | unready):
            batch.append(resource)
            to_come.discard(resource.urn)
    return batch


def wait_for_all(cluster: Cluster, deployed: Deployed) -> None:
    """Wait until everything of a deployment is ready. That includes objects that no other needs,
    and fleets that an autoscaler must still bring to their minimum size."""
    for item in deployed.objects:
        if item["kind"] == "HorizontalPodAutoscaler":
            wait_until_scaled(cluster, item)
    for item in deployed.objects:
        wait_until_ready(cluster, item)


def manifest(resource: Resource, known: dict[str, str] | None = None) -> Object:
    """The object in kubectl's form.

    ``known`` maps values that a preview could only guess to the emulator's values. Secret values
    are not in the graph: each gets a placeholder.
    """

    def settle(value: Any) -> Any:
        if isinstance(value, dict):
            items = cast(dict[str, Any], value)
            return {key: settle(item) for key, item in items.items()}
        if isinstance(value, list):
            return [settle(item) for item in cast(list[Any], value)]
        if isinstance(value, str):
            for guessed, real in (known or {}).items():
                value = value.replace(guessed, real)
        return value

    found: Object = settle(dashed(resource.inputs))
    if found.get("kind") == "Secret" and "data" in found:
        found["data"] = {
            key: "c2VjcmV0" if value == SECRET else value for key, value in found["data"].items()
        }
    found.setdefault("metadata", {}).setdefault("name", resource.name)
    return found


def apply(cluster: Cluster, objects: list[Object], *options: str) -> None:
    """Server-side apply with strict validation; LocalError has the server's reason."""
    if not objects:
        return
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    arguments = ("apply", "--server-side", f"--field-manager={FIELD_MANAGER}", "--validate=strict")
    try:
        cluster.kubectl(*arguments, *options, "-f", "-", stdin=listed)
    except CommandError as error:
        reason = "\n".join(x for x in error.said.splitlines() if not x.startswith("Warning: "))
        raise LocalError(
            f"the API server refused a manifest: {reason}",
            advice="see its manifest under build/preview",
        ) from None


def _write_records(cluster: Cluster, zones: list[str], records: list[Object]) -> None:
    """Write records and wait until the name server knows them, as the engine waits for Route53.

    A CNAME is written after its target: no resolver may cache an NXDOMAIN.
    """
    names = [record for record in records if record["Type"] == "CNAME"]
    for record in names:
        for target in record["ResourceRecords"]:
            _wait_until_published(cluster, str(target["Value"]), "A")
    if records:
        _route53(cluster, zones, records, [])
    for record in names:
        _wait_until_published(cluster, str(record["Name"]), "CNAME")


def _wait_until_published(cluster: Cluster, name: str, kind: str) -> None:
    cluster.wait(
        f"the name server to know {kind} {name}",
        lambda: cluster.published(name, kind),
        timeout=READY_TIMEOUT,
        blame="coredns",
    )


def _prune(cluster: Cluster, zones: list[str], before: Deployed, after: Deployed) -> None:
    # Delete in reverse order; names were created last.
    names = {_record_key(record) for record in after.records}
    gone = [record for record in before.records if _record_key(record) not in names]
    if gone:
        _route53(cluster, zones, [], gone)
    kept = {tuple(reference(item)) for item in after.objects}
    for item in reversed(before.objects):
        if tuple(reference(item)) not in kept:
            cluster.kubectl("delete", "--ignore-not-found", "--wait=false", *reference(item))


def _record_key(record: Object) -> tuple[str, ...]:
    return record["Name"], record["Type"], record.get("SetIdentifier", "")


def _is_object(resource: Resource) -> bool:
    return "kind" in resource.inputs and "apiVersion" in resource.inputs


def _record_set(resource: Resource) -> Object:
    inputs = resource.inputs
    weighted: Object = {}
    for policy in inputs.get("weightedRoutingPolicies", ()):
        weighted = {"SetIdentifier": inputs["setIdentifier"], "Weight": policy["weight"]}
    return {
        "Name": inputs["name"],
        "Type": inputs["type"],
        "TTL": inputs["ttl"],
        "ResourceRecords": [{"Value": value} for value in inputs["records"]],
        **weighted,
    }


def write_records(cluster: Cluster, zones: list[str], records: list[Object]) -> None:
    """Write records as another program would."""
    _route53(cluster, zones, records, [])


def _route53(
    cluster: Cluster, zones: list[str], records: list[Object], gone: list[Object]
) -> dict[str, str]:
    order = {"zones": zones, "records": records, "gone": gone}
    if not any(order.values()):
        return {}
    environment = [f"{key}={value}" for key, value in AWS_ENVIRONMENT.items()]
    command = ("env", *environment, PYTHON, "-m", f"{__package__}.route53")
    return json.loads(cluster.inside(*command, stdin=json.dumps(order)).stdout)


def provide_route53(cluster: Cluster, name: str, namespace: str, credentials: Object) -> None:
    """The Service by which pods reach the emulator, and the Secret with external-dns's
    credentials."""
    metadata = {"name": name, "namespace": namespace}
    apply(
        cluster,
        [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": metadata,
                "spec": {"clusterIP": "None", "ports": [{"name": "http", "port": ROUTE53[1]}]},
            },
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {**metadata, "labels": {"kubernetes.io/service-name": name}},
                "addressType": "IPv4",
                "ports": [{"name": "http", "port": ROUTE53[1], "protocol": "TCP"}],
                "endpoints": [{"addresses": [GATEWAY], "conditions": {"ready": True}}],
            },
            credentials,
        ],
    )
