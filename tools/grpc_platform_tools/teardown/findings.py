"""What `pulumi destroy` of a recorded graph meets: what refuses, what goes too, and what stays."""

from collections.abc import Iterator
from dataclasses import dataclass

from grpc_platform_tools.graph import Graph, Resource
from grpc_platform_tools.plain import is_list, is_mapping
from grpc_platform_tools.preview.dns import RECORD_TYPE, ZONE_TYPE, published_names
from grpc_platform_tools.preview.manifests import (
    clusters,
    is_object,
    kubernetes_objects,
    object_label,
)

EKS_CLUSTER = "aws:eks/cluster:Cluster"
_LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
_AUTHORIZATION = "aws:route53/vpcAssociationAuthorization:VpcAssociationAuthorization"
_NAMESPACE = "kubernetes:core/v1:Namespace"
_PROTECTIONS = (
    *("deletionProtection", "enableDeletionProtection", "deletionProtectionEnabled"),
    "disableApiTermination",
)
"""Inputs that make AWS refuse a deletion."""
_EMPTIED = {
    ZONE_TYPE: ("forceDestroy", "records of others"),
    "aws:s3/bucket:Bucket": ("forceDestroy", "objects"),
    "aws:s3/bucketV2:BucketV2": ("forceDestroy", "objects"),
    "aws:ecr/repository:Repository": ("forceDelete", "images"),
}
"""What AWS deletes with its content only if this input is true."""
_PENDING = {
    "aws:kms/key:Key": ("deletionWindowInDays", "aws kms cancel-key-deletion --key-id ID"),
    "aws:secretsmanager/secret:Secret": (
        "recoveryWindowInDays",
        "aws secretsmanager restore-secret --secret-id ID",
    ),
}
"""What AWS deletes days later: the input with their number, 30 by default, and the way back."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing; `urn` is that of the resource that it comes from."""

    what: str
    why: str
    remedy: str = ""
    """The command or edit that removes it or lets the deletion happen."""
    urn: str = ""


def protected(graph: Graph) -> list[Finding]:
    """What the engine refuses to delete."""
    return [
        Finding(what=_label(graph, r), why="`protect` is set: the engine refuses", urn=r.urn)
        for r in graph
        if r.options.get("protect")
    ]


def refused(graph: Graph) -> list[Finding]:
    """What AWS refuses to delete."""
    found: list[Finding] = []
    for r in _deleted(graph):
        found += [
            Finding(
                what=_label(graph, r),
                why=f"{key} is on: AWS refuses",
                remedy=f"turn {key} off and run pulumi up",
                urn=r.urn,
            )
            for key in _PROTECTIONS
            if r.inputs.get(key) in (True, "ACTIVE")
        ]
        if r.type in _EMPTIED and not r.inputs.get(_EMPTIED[r.type][0]):
            key, content = _EMPTIED[r.type]
            found.append(
                Finding(
                    what=_label(graph, r),
                    why=f"{key} is off: AWS refuses while it holds {content}",
                    remedy=f"delete its {content}",
                    urn=r.urn,
                )
            )
    return found


def deleted_with_content(graph: Graph) -> list[Finding]:
    """What takes things with it that this stack does not manage."""
    found: list[Finding] = []
    for r in _deleted(graph):
        if r.type == ZONE_TYPE and r.inputs.get("forceDestroy"):
            found.append(
                Finding(what=_label(graph, r), why="with the records of others", urn=r.urn)
            )
        elif r.type == EKS_CLUSTER:
            found.append(Finding(what=_label(graph, r), why="with all that runs in it", urn=r.urn))
        elif r.type == _NAMESPACE and not _cluster_of(graph, r):
            found.append(Finding(what=_label(graph, r), why="with every object in it", urn=r.urn))
    return found


def left_behind(graph: Graph) -> list[Finding]:
    """What stays, or comes back."""
    return [
        *_retained(graph),
        *_published_names(graph),
        *_associations(graph),
        *_log_groups(graph),
        *_pending(graph),
        *_interfaces(graph),
    ]


def deleted_clusters(graph: Graph) -> list[Resource]:
    """The EKS clusters that the stack deletes."""
    return [r for r in _deleted(graph) if r.type == EKS_CLUSTER]


def _retained(graph: Graph) -> Iterator[Finding]:
    for r in graph:
        if r.is_component:
            continue
        if r.options.get("retain_on_delete") and not _goes_with_another(graph, r):
            yield Finding(
                what=_label(graph, r),
                why="`retainOnDelete` is set",
                remedy=_kubectl_delete(r) if is_object(r) else "delete it by hand",
                urn=r.urn,
            )
        elif r.inputs.get("skipDestroy"):
            yield Finding(
                what=_label(graph, r),
                why="skipDestroy is on",
                remedy="delete it by hand",
                urn=r.urn,
            )


def _published_names(graph: Graph) -> Iterator[Finding]:
    """external-dns deletes no record that it is not told to, nor any after its own end."""
    names = clusters(graph)
    zones = [str(z.inputs.get("name", z.name)).rstrip(".") for z in _deleted_zones(graph)]
    arguments = {names[r.provider]: found for r in kubernetes_objects(graph) if (found := _args(r))}
    for hostname, (_, pods) in published_names(graph, names).items():
        flags = arguments.get(pods.cluster)
        if flags is None or any(f".{hostname}".endswith(f".{zone}") for zone in zones):
            continue
        policy = flags.get("--policy", "sync")
        why = f"external-dns publishes it with --policy={policy}"
        if policy == "sync":
            why += " and may end before it deletes it"
        records = {f"A {hostname}": why}
        if flags.get("--registry", "txt") == "txt":
            records[f"TXT {_txt_name(hostname, flags)}"] = "external-dns's note who owns the name"
        for what, reason in records.items():
            yield Finding(
                what=what,
                why=reason,
                remedy="aws route53 change-resource-record-sets (DELETE)",
                urn=pods.service_urn,
            )


def _associations(graph: Graph) -> Iterator[Finding]:
    """A zone's associations that another account has made, by this stack's authorization."""
    zones = {zone.urn for zone in _deleted_zones(graph)}
    for r in graph.of_type(_AUTHORIZATION):
        if not zones & set(r.property_dependencies.get("zoneId", ())):
            vpc, zone = r.inputs.get("vpcId"), r.inputs.get("zoneId")
            yield Finding(
                what=f"association of {vpc} with zone {zone}",
                why="another account has made it, and only that account can remove it",
                remedy="aws route53 disassociate-vpc-from-hosted-zone",
                urn=r.urn,
            )


def _log_groups(graph: Graph) -> Iterator[Finding]:
    for r in deleted_clusters(graph):
        if not r.inputs.get("enabledClusterLogTypes"):
            continue
        name = f"/aws/eks/{r.inputs.get('name', r.name)}/cluster"
        # https://github.com/terraform-aws-modules/terraform-aws-eks/issues/2763
        yield Finding(
            what=f"LogGroup {name}",
            why="EKS writes its last logs after the group is deleted, and makes it anew",
            remedy=f"aws logs delete-log-group --log-group-name {name}",
            urn=r.urn,
        )


def _pending(graph: Graph) -> Iterator[Finding]:
    for r in _deleted(graph):
        if r.type in _PENDING:
            key, way_back = _PENDING[r.type]
            days = r.inputs.get(key, 30)
            yield Finding(
                what=_label(graph, r),
                why=f"AWS deletes it {days} days later; until then there is a way back: {way_back}",
                urn=r.urn,
            )


def _interfaces(graph: Graph) -> Iterator[Finding]:
    for r in deleted_clusters(graph):
        name = r.inputs.get("name", r.name)
        # https://github.com/aws/amazon-vpc-cni-k8s/issues/1223
        yield Finding(
            what=f"network interfaces of cluster {name}",
            why="vpc-cni leaves some if their node ends while they are detached; subnets and "
            "security groups cannot be deleted before them (DependencyViolation)",
            remedy="aws ec2 describe-network-interfaces --filters Name=status,Values=available "
            f"Name=tag:cluster.k8s.amazonaws.com/name,Values={name}",
            urn=r.urn,
        )


def _deleted(graph: Graph) -> Iterator[Resource]:
    """What the engine deletes."""
    return (r for r in graph if not r.is_component and not r.options.get("retain_on_delete"))


def _goes_with_another(graph: Graph, resource: Resource) -> bool:
    """Whether it ends with the zone or the cluster that it is in."""
    if resource.type == RECORD_TYPE:
        zones = {zone.urn for zone in _deleted_zones(graph)}
        return bool(zones & set(resource.property_dependencies.get("zoneId", ())))
    return bool(_cluster_of(graph, resource))


def _cluster_of(graph: Graph, resource: Resource) -> str | None:
    """The cluster of a Kubernetes object, if the stack deletes it."""
    if not (is_object(resource) and resource.provider):
        return None
    carried = graph.by_urn(resource.provider).property_dependencies.values()
    made_of = {urn for urns in carried for urn in urns}
    return next((r.urn for r in deleted_clusters(graph) if r.urn in made_of), None)


def _deleted_zones(graph: Graph) -> list[Resource]:
    return [r for r in _deleted(graph) if r.type == ZONE_TYPE]


def _args(resource: Resource) -> dict[str, str]:
    """The flags of external-dns, if a workload runs it."""
    spec = resource.inputs.get("spec")
    for key in ("template", "spec", "containers"):
        spec = spec.get(key) if is_mapping(spec) else None
    for container in spec if is_list(spec) else []:
        listed = container.get("args") if is_mapping(container) else None
        parts = [str(flag).partition("=") for flag in (listed if is_list(listed) else [])]
        flags = {name: value for name, _, value in parts}
        if "--source" in flags and "--provider" in flags:
            return flags
    return {}


def _txt_name(hostname: str, flags: dict[str, str]) -> str:
    """https://github.com/kubernetes-sigs/external-dns/blob/master/docs/registry/txt.md"""
    prefix = flags.get("--txt-prefix", "")
    if "%{record_type}" in prefix:
        return prefix.replace("%{record_type}", "a") + hostname
    return f"{prefix}a-{hostname}"


def _kubectl_delete(resource: Resource) -> str:
    kind, _, name = object_label(resource).partition(" ")
    namespace, _, bare = name.rpartition("/")
    return f"kubectl delete {kind.lower()} {bare}{f' -n {namespace}' if namespace else ''}"


def _label(graph: Graph, resource: Resource) -> str:
    if is_object(resource):
        names = clusters(graph)
        where = f" in {names[resource.provider]}" if len(names) > 1 else ""
        return object_label(resource) + where
    name = resource.inputs.get("name")
    return f"{resource.type.rpartition(':')[2]} {name if isinstance(name, str) else resource.name}"
