"""Deploys a recorded graph: Kubernetes objects into the cluster, zones and records into Route53.

As the engine would: in dependency order, each object after those it needs are there *and* ready,
and what an earlier deployment made and this graph lacks is deleted in the end. Resources of AWS
other than Route53's have no counterpart here and are passed over; so is whoever made them.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from grpc_platform.graph import SECRET, Graph, Resource
from grpc_platform.local.cluster import Cluster
from grpc_platform.local.control_plane import AWS_ENVIRONMENT, GATEWAY, PYTHON
from grpc_platform.local.errors import LocalError
from grpc_platform.preview import fixtures

ZONE = "aws:route53/zone:Zone"
RECORD = "aws:route53/record:Record"
FIELD_MANAGER = "grpc-platform"
READY_TIMEOUT = 180
SKIP_AWAIT = "pulumi.com/skipAwait"

Object = dict[str, Any]


@dataclass(frozen=True)
class Deployed:
    """What a deployment left there, for the next one to compare with."""

    objects: tuple[Object, ...] = ()
    records: tuple[Object, ...] = ()


def deploy(cluster: Cluster, graph: Graph, before: Deployed | None = None) -> Deployed:
    """Bring the cluster to what ``graph`` says. Raises LocalError naming the object that fails."""
    before = before or Deployed()
    zones = {
        fixtures.computed(zone.type, zone.name, zone.inputs)[0]: str(zone.inputs["name"])
        for zone in graph.of_type(ZONE)
    }
    names = list(zones.values())
    ids = _route53(cluster, names, [], [])
    cluster.start_resolver({name: ids[name] for name in names})
    known = {guessed: ids[name] for guessed, name in zones.items()}
    waiting = [r for r in graph if _is_object(r) or r.type == RECORD]
    needs = {r.urn: graph.needs(r) for r in waiting}
    records = {r.urn: _record_set(r) for r in waiting if r.type == RECORD}
    objects = {r.urn: manifest(r, known) for r in waiting if r.type != RECORD}
    awaited = {urn for urn, item in objects.items() if _awaits(item)}
    while waiting:
        batch = _startable(waiting, needs, awaited)
        apply(cluster, [objects[r.urn] for r in batch if r.urn in objects])
        _write_records(cluster, names, [records[r.urn] for r in batch if r.urn in records])
        waiting = [r for r in waiting if r not in batch]
        # What somebody still to come needs, of all that is there by now.
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
    """All that need nothing unready: one call makes them, in their order."""
    batch: list[Resource] = []
    to_come = {r.urn for r in waiting}
    for resource in waiting:
        if not needs[resource.urn] & (to_come | awaited):
            batch.append(resource)
            to_come.discard(resource.urn)
    return batch


def wait_for_all(cluster: Cluster, deployed: Deployed) -> None:
    """Wait until everything of a deployment is ready: also what nothing else needed, and fleets
    that an autoscaler has yet to bring to their least size."""
    for item in deployed.objects:
        if item["kind"] == "HorizontalPodAutoscaler":
            cluster.wait(
                f"{describe(item)} to have scaled",
                lambda item=item: _scaled(cluster.get(*reference(item))),
                timeout=READY_TIMEOUT,
            )
    for item in deployed.objects:
        wait_until_ready(cluster, item)


def manifest(resource: Resource, known: dict[str, str] | None = None) -> Object:
    """The object as kubectl takes it.

    ``known`` replaces values that preview could only guess by those that the emulator gave. Secret
    values are not in the graph: a placeholder stands for each.
    """

    def settle(value: Any) -> Any:
        if isinstance(value, dict):
            items = cast(dict[str, Any], value)
            return {_provider_key(key): settle(item) for key, item in items.items()}
        if isinstance(value, list):
            return [settle(item) for item in cast(list[Any], value)]
        if isinstance(value, str):
            for guessed, real in (known or {}).items():
                value = value.replace(guessed, real)
        return value

    found: Object = settle(resource.inputs)
    if found.get("kind") == "Secret" and "data" in found:
        found["data"] = {
            key: "c2VjcmV0" if value == SECRET else value for key, value in found["data"].items()
        }
    found.setdefault("metadata", {}).setdefault("name", resource.name)
    return found


def _provider_key(key: str) -> str:
    """The provider's schema has no dashes in names: it makes x-kubernetes-* of x_kubernetes_*."""
    return key.replace("_", "-") if key.startswith("x_kubernetes_") else key


def apply(cluster: Cluster, objects: list[Object], *options: str) -> None:
    """Server-side apply with strict validation; LocalError has the server's reason."""
    if not objects:
        return
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    arguments = ("apply", "--server-side", f"--field-manager={FIELD_MANAGER}", "--validate=strict")
    try:
        cluster.kubectl(*arguments, *options, "-f", "-", stdin=listed)
    except LocalError as error:
        raise LocalError(
            f"the API server refused a manifest: {_reason(error.cause)}",
            advice="see the manifest under build/preview/local/manifests",
            log=cluster.sandbox.log("kube-apiserver"),
        ) from None


def wait_until_ready(cluster: Cluster, item: Object, timeout: float = READY_TIMEOUT) -> None:
    """Wait as the engine does: for rollouts, Jobs and CRDs, unless the object says not to."""
    if not _awaits(item):
        return
    is_ready = _READY[item["kind"]]
    what = describe(item)
    cluster.wait(
        f"{what} to be ready",
        lambda: is_ready(cluster.get(*reference(item))),
        timeout=timeout,
        why=lambda: _why_not_ready(cluster, item),
    )


def _awaits(item: Object) -> bool:
    annotations: dict[str, str] = item["metadata"].get("annotations") or {}
    return annotations.get(SKIP_AWAIT) != "true" and item["kind"] in _READY


def _write_records(cluster: Cluster, zones: list[str], records: list[Object]) -> None:
    """Write records, and wait until the name server knows them, as the engine waits for Route53.

    A CNAME is written when its target is known, so that nobody looks up and remembers a no.
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


def reference(item: Object) -> list[str]:
    """The arguments by which kubectl finds an object."""
    group = str(item["apiVersion"]).rpartition("/")[0]
    kind = f"{item['kind']}.{group}" if group else str(item["kind"])
    if group:
        version = str(item["apiVersion"]).rpartition("/")[2]
        kind = f"{item['kind']}.{version}.{group}"
    namespace = item["metadata"].get("namespace")
    scope = ["-n", str(namespace)] if namespace else []
    return [*scope, kind, str(item["metadata"]["name"])]


def describe(item: Object) -> str:
    """`Deployment projectcontour/contour`."""
    metadata = item["metadata"]
    namespace = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
    return f"{item['kind']} {namespace}{metadata['name']}"


def _rolled_out(item: Object) -> bool:
    status, spec = item.get("status", {}), item["spec"]
    wanted = spec.get("replicas", 1)
    return (
        status.get("observedGeneration", 0) >= item["metadata"]["generation"]
        and status.get("updatedReplicas", 0) == wanted
        # Ready, not available: minReadySeconds paces rollouts, and dependents need not sit it out.
        and status.get("readyReplicas", 0) >= wanted
        and status.get("replicas", 0) == wanted
    )


def _scaled(item: Object) -> bool:
    return item.get("status", {}).get("currentReplicas", 0) >= item["spec"]["minReplicas"]


def _has_condition(item: Object, kind: str) -> bool:
    conditions = item.get("status", {}).get("conditions", [])
    return any(c["type"] == kind and c["status"] == "True" for c in conditions)


_READY: dict[str, Callable[[Object], bool]] = {
    "Deployment": _rolled_out,
    "Job": lambda item: _has_condition(item, "Complete"),
    "CustomResourceDefinition": lambda item: _has_condition(item, "Established"),
}


def _why_not_ready(cluster: Cluster, item: Object) -> LocalError:
    """What the pods of an object say, for the one that is worst off."""
    namespace = str(item["metadata"].get("namespace", "default"))
    labels = item["spec"].get("selector", {}).get("matchLabels", {})
    if item["kind"] == "Job":
        labels = {"batch.kubernetes.io/job-name": item["metadata"]["name"]}
    selector = ",".join(f"{key}={value}" for key, value in labels.items())
    for pod in cluster.get("pods", "-n", namespace, "-l", selector)["items"]:
        status, name = pod["status"], pod["metadata"]["name"]
        if _has_condition(pod, "Ready"):
            continue
        every = status.get("initContainerStatuses", []) + status.get("containerStatuses", [])
        for container in every:
            state: Object = container["state"]
            reason: dict[str, str] = state.get("waiting") or state.get("terminated") or {}
            if container["ready"] or reason.get("reason") == "Completed":
                continue
            said = f"{reason.get('reason', 'not ready')} {reason.get('message', '')}".strip()
            return LocalError(
                f"{describe(item)} did not get ready: container {container['name']} of pod "
                f"{name}: {said}",
                advice="KEEP=1 leaves the cluster up for a look: kubectl describe pod",
                log=cluster.pod_log(namespace, name, container["name"]),
            )
    return LocalError(
        f"{describe(item)} did not get ready: {json.dumps(item.get('status', {}))[:300]}",
        log=cluster.sandbox.log("node-agent"),
    )


def _prune(cluster: Cluster, zones: list[str], before: Deployed, after: Deployed) -> None:
    kept = {tuple(reference(item)) for item in after.objects}
    # The last made is the first to go.
    for item in reversed(before.objects):
        if tuple(reference(item)) not in kept:
            cluster.kubectl("delete", "--ignore-not-found", "--wait=false", *reference(item))
    names = {(record["Name"], record["Type"]) for record in after.records}
    gone = [r for r in before.records if (r["Name"], r["Type"]) not in names]
    if gone:
        _route53(cluster, zones, [], gone)


def _is_object(resource: Resource) -> bool:
    return "kind" in resource.inputs and "apiVersion" in resource.inputs


def _record_set(resource: Resource) -> Object:
    inputs = resource.inputs
    return {
        "Name": inputs["name"],
        "Type": inputs["type"],
        "TTL": inputs["ttl"],
        "ResourceRecords": [{"Value": value} for value in inputs["records"]],
    }


def _route53(
    cluster: Cluster, zones: list[str], records: list[Object], gone: Iterable[Object]
) -> dict[str, str]:
    order = {"zones": zones, "records": records, "gone": list(gone)}
    if not zones:
        return {}
    environment = [f"{key}={value}" for key, value in AWS_ENVIRONMENT.items()]
    command = ("env", *environment, PYTHON, "-m", f"{__package__}.route53")
    return json.loads(cluster.inside(*command, stdin=json.dumps(order)).stdout)


def _reason(said: str) -> str:
    lines = [line for line in said.splitlines() if "rror" in line]
    return lines[0] if lines else said.strip()[-500:]


def provide_route53(cluster: Cluster, name: str, namespace: str, credentials: Object) -> None:
    """The Service at which pods find the emulator, and the Secret external-dns signs in with."""
    metadata = {"name": name, "namespace": namespace}
    apply(
        cluster,
        [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": metadata,
                "spec": {"clusterIP": "None", "ports": [{"name": "http", "port": 5000}]},
            },
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {**metadata, "labels": {"kubernetes.io/service-name": name}},
                "addressType": "IPv4",
                "ports": [{"name": "http", "port": 5000, "protocol": "TCP"}],
                "endpoints": [{"addresses": [GATEWAY], "conditions": {"ready": True}}],
            },
            credentials,
        ],
    )
