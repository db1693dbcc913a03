"""EKS clusters and their nodes."""

from collections.abc import Iterator

from grpc_platform_tools.graph import Graph, Resource
from grpc_platform_tools.plain import is_mapping
from grpc_platform_tools.policy.rule import Finding, rule
from grpc_platform_tools.policy.values import at, each, is_true, mapping, number

_CLUSTER = "aws:eks/cluster:Cluster"
_NODE_GROUP = "aws:eks/nodeGroup:NodeGroup"
_TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
_ANYWHERE = ("0.0.0.0/0", "::/0")
_LOGS = ("audit", "authenticator")


@rule(
    _CLUSTER,
    reason="The Kubernetes API of the cluster can be reached from the whole internet.",
    remedy="Set endpoint_public_access to false, or public_access_cidrs to your networks.",
)
def cluster_endpoint_closed(cluster: Resource, graph: Graph) -> Iterator[Finding]:
    """The public endpoint is off or open to named networks."""
    access = at(cluster.inputs, "vpcConfig", "endpointPublicAccess")
    if access is not None and not is_true(access):
        return
    open_to = at(cluster.inputs, "vpcConfig", "publicAccessCidrs")
    if not open_to:
        yield Finding("its public endpoint is open to every address, EKS's default")
        return
    for cidr in each(cluster.inputs, "vpcConfig", "publicAccessCidrs"):
        if cidr in _ANYWHERE:
            yield Finding(f"its public endpoint is open to {cidr}")


@rule(
    _CLUSTER,
    reason="Secrets would be encrypted with a key of AWS only, whose use nobody can see or revoke.",
    remedy="Give encryption_config with a KMS key for secrets.",
    development="warning",
)
def cluster_secrets_encrypted(cluster: Resource, graph: Graph) -> Iterator[Finding]:
    """Secrets are encrypted with a key of one's own."""
    config = at(cluster.inputs, "encryptionConfig")
    # The provider computes an ARN: only its presence is asked for.
    if not config or not is_mapping(config) or "keyArn" not in mapping(config, "provider"):
        yield Finding("has no KMS key for Kubernetes secrets")
    elif "secrets" not in list(each(config, "resources")):
        yield Finding("its KMS key does not encrypt secrets")


@rule(
    _CLUSTER,
    reason="Without them nobody can tell who did what in the cluster.",
    remedy="Enable the log types audit and authenticator.",
    development="warning",
)
def cluster_logs(cluster: Resource, graph: Graph) -> Iterator[Finding]:
    """The audit and authenticator logs are on."""
    enabled = list(each(cluster.inputs, "enabledClusterLogTypes"))
    if missing := [kind for kind in _LOGS if kind not in enabled]:
        yield Finding(f"does not log {' and '.join(missing)}")


@rule(
    _CLUSTER,
    reason="The ConfigMap aws-auth gives rights that IAM does not show, and the role that created "
    "a cluster stays its administrator unseen.",
    remedy="Set authentication_mode to API, bootstrap_cluster_creator_admin_permissions to false, "
    "and make access entries.",
)
def cluster_access_entries(cluster: Resource, graph: Graph) -> Iterator[Finding]:
    """Access is given by access entries alone."""
    mode = at(cluster.inputs, "accessConfig", "authenticationMode")
    if mode != "API":
        yield Finding(f"its authentication mode is {mode or 'CONFIG_MAP'}")
    creator = at(cluster.inputs, "accessConfig", "bootstrapClusterCreatorAdminPermissions")
    if creator is None or is_true(creator):
        yield Finding("makes the role that creates it an administrator")


@rule(
    _CLUSTER,
    reason="An update that deletes or replaces the cluster ends everything in it.",
    remedy="Set deletion_protection, and protect on the resource.",
    development=None,
)
def cluster_protected(cluster: Resource, graph: Graph) -> Iterator[Finding]:
    """Neither AWS nor Pulumi deletes the cluster."""
    if not cluster.options.get("protect"):
        yield Finding("has no protect")
    if not is_true(at(cluster.inputs, "deletionProtection")):
        yield Finding("has no deletion_protection")


@rule(
    _CLUSTER,
    _NODE_GROUP,
    reason="Without a version EKS takes its newest, so two runs of one program differ.",
    remedy="Set version.",
)
def kubernetes_version_pinned(resource: Resource, graph: Graph) -> Iterator[Finding]:
    """The Kubernetes version is given."""
    if not at(resource.inputs, "version"):
        yield Finding("has no Kubernetes version")


@rule(
    _TEMPLATE,
    reason="IMDSv1 answers any request from the node, so a server that can be made to fetch an "
    "address gives away the node's credentials.",
    remedy="Set http_tokens to required in metadata_options.",
)
def node_imdsv2(template: Resource, graph: Graph) -> Iterator[Finding]:
    """Nodes answer requests with a token only."""
    if at(template.inputs, "metadataOptions", "httpTokens") != "required":
        yield Finding("does not require tokens for instance metadata")


@rule(
    _TEMPLATE,
    reason="With more than one hop every pod reaches the instance metadata, and has the node's "
    "role.",
    remedy="Set http_put_response_hop_limit to 1.",
)
def node_hop_limit(template: Resource, graph: Graph) -> Iterator[Finding]:
    """Pods do not reach the node's metadata."""
    limit = number(at(template.inputs, "metadataOptions", "httpPutResponseHopLimit"))
    if limit is not None and limit > 1:
        yield Finding(f"its metadata hop limit is {limit:g}")


@rule(
    _NODE_GROUP,
    reason="EKS gives nodes without a launch template a metadata hop limit of 2, and disks that "
    "are encrypted only if the account's default says so.",
    remedy="Give the node group a launch template.",
    development="warning",
)
def node_launch_template(group: Resource, graph: Graph) -> Iterator[Finding]:
    """A node group says how its nodes are made."""
    if not mapping(group.inputs).get("launchTemplate"):
        yield Finding("has no launch template")


@rule(
    _TEMPLATE,
    reason="Images, logs and emptyDir volumes of pods are on the nodes' disks.",
    remedy="Set encrypted on every block device.",
)
def node_disks_encrypted(template: Resource, graph: Graph) -> Iterator[Finding]:
    """Every disk of a node is encrypted."""
    found = False
    for device in each(template.inputs, "blockDeviceMappings"):
        found = True
        if not is_true(at(device, "ebs", "encrypted")):
            yield Finding(f"its disk {at(device, 'deviceName')} is not encrypted")
    if not found:
        yield Finding("names no disk, so they are encrypted only if the account's default says so")


@rule(
    _NODE_GROUP,
    reason="Nodes in one zone are all lost with it.",
    remedy="Give the node group subnets in at least two zones.",
    development="warning",
)
def node_zones(group: Resource, graph: Graph) -> Iterator[Finding]:
    """A node group spans two zones."""
    subnets = {str(subnet) for subnet in each(group.inputs, "subnetIds")}
    zones = {
        str(at(subnet.inputs, "availabilityZone"))
        for subnet in graph.of_type("aws:ec2/subnet:Subnet")
        if subnet.id in subnets
    }
    known = len(zones) if zones else len(subnets)
    if known < 2:
        yield Finding("is in one zone")
