"""DNS: names lead somewhere from the first moment, to ready pods, and belong to one owner."""

from collections.abc import Iterator

from grpc_platform_tools.graph import Graph, Resource
from grpc_platform_tools.policy.kubernetes import arguments, containers, dns_name, flag, hostnames
from grpc_platform_tools.policy.rule import Finding, rule
from grpc_platform_tools.policy.values import at, each, is_true
from grpc_platform_tools.preview.dns import RECORD_TYPE, ZONE_TYPE
from grpc_platform_tools.preview.manifests import kubernetes_objects, object_label

_ROUTE53S_OWN = ("SOA", "NS")
"""Records that Route53 makes with each zone, so that a program can only overwrite them."""


@rule(
    RECORD_TYPE,
    reason="Resolvers keep the answer that a target does not exist, for as long as the zone's SOA "
    "says: clients of a name that comes before its target fail that long.",
    remedy="Let the record depend on what publishes its target: the external-dns Deployment, or "
    "the target's own record.",
)
def cname_after_target(record: Resource, graph: Graph) -> Iterator[Finding]:
    """A CNAME of a name that this stack makes too comes after it."""
    if at(record.inputs, "type") != "CNAME":
        return
    needed = graph.needs(record)
    targets = {dns_name(value) for value in each(record.inputs, "records")}
    for other in graph.of_type(RECORD_TYPE):
        if dns_name(at(other.inputs, "name") or other.name) in targets and other.urn not in needed:
            yield Finding(f"does not wait for its target, the record {other.name}", (other,))
    for service in kubernetes_objects(graph):
        if service.inputs["kind"] == "Service" and targets & set(hostnames(service)):
            publishers = [r for r in _publishers(graph) if r.provider == service.provider]
            waits = [service, *publishers]
            if missing := [r for r in waits if r.urn not in needed]:
                names = ", ".join(map(object_label, missing))
                yield Finding(f"does not wait for {names}", (service, *missing))


@rule(
    "Deployment",
    reason="external-dns changes and deletes every record whose TXT record has its owner id. Two "
    "with one id take each other's addresses away; `default` is everybody's id.",
    remedy="Give each external-dns a --txt-owner-id of its own.",
)
def owner_ids_unique(deployment: Resource, graph: Graph) -> Iterator[Finding]:
    """No two instances of external-dns have one owner id."""
    if (words := _publisher_arguments(deployment)) is None:
        return
    owner = flag(words, "txt-owner-id") or "default"
    if owner == "default":
        yield Finding("has no --txt-owner-id of its own")
    for other in _publishers(graph):
        same = flag(_publisher_arguments(other) or [], "txt-owner-id") == owner
        if other.urn != deployment.urn and same:
            yield Finding(f"has the owner id {owner} of {other.name}", (other,))


@rule(
    "Deployment",
    reason="Without a registry external-dns overwrites names that others made. With --policy=sync "
    "it deletes a fleet's name while no pod is ready, and resolvers keep that answer.",
    remedy="Run external-dns with --registry=txt and --policy=upsert-only.",
)
def names_kept(deployment: Resource, graph: Graph) -> Iterator[Finding]:
    """external-dns neither takes names nor deletes them."""
    if (words := _publisher_arguments(deployment)) is None:
        return
    registry, policy = flag(words, "registry") or "txt", flag(words, "policy") or "sync"
    if registry == "noop":
        yield Finding("runs with --registry=noop")
    if policy == "sync":
        yield Finding("runs with --policy=sync, external-dns's default before 0.22")


@rule(
    "Service",
    reason="Clients would be sent to pods that do not serve yet, or that no longer do.",
    remedy="Set publishNotReadyAddresses to false.",
)
def ready_pods_only(service: Resource, graph: Graph) -> Iterator[Finding]:
    """external-dns publishes ready pods only."""
    if hostnames(service) and is_true(at(service.inputs, "spec", "publishNotReadyAddresses")):
        yield Finding("publishes pods that are not ready")


@rule(
    ZONE_TYPE,
    reason="Deleting the zone would delete every record in it, also those of other stacks.",
    remedy="Set protect on the zone, or remove force_destroy.",
    development=None,
)
def zone_not_force_destroyed(zone: Resource, graph: Graph) -> Iterator[Finding]:
    """A zone is not deleted with others' records in it."""
    if is_true(at(zone.inputs, "forceDestroy")) and not zone.options.get("protect"):
        yield Finding("has force_destroy and no protect")


@rule(
    RECORD_TYPE,
    reason="The record silently replaces one that something else made, and deleting it deletes "
    "that one.",
    remedy="Remove allow_overwrite; import the record if it is yours.",
    severity="warning",
)
def record_overwrites_nothing(record: Resource, graph: Graph) -> Iterator[Finding]:
    """A record does not overwrite another, but for those that Route53 makes itself."""
    own = at(record.inputs, "type") in _ROUTE53S_OWN
    if not own and is_true(at(record.inputs, "allowOverwrite")):
        yield Finding("has allow_overwrite")


def _publishers(graph: Graph) -> list[Resource]:
    """The Deployments of external-dns."""
    found = (r for r in kubernetes_objects(graph) if r.inputs["kind"] == "Deployment")
    return [r for r in found if _publisher_arguments(r) is not None]


def _publisher_arguments(deployment: Resource) -> list[str] | None:
    """The arguments of external-dns, if a Deployment runs it."""
    for container in containers(deployment):
        image = at(container, "image")
        if "external-dns" in str(image).rpartition("/")[2]:
            return arguments(container)
    return None
