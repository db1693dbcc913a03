"""Managed node groups of a fixed size, on which pods run."""

from __future__ import annotations  # EC2 and EKS load when used: they take a second

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from ..conventions import CAPACITY_TYPE_LABEL, SPOT
from ..names import name_prefix
from ..quantities import instance_type
from ..specs import NodeGroupSpec
from .roles import ServiceRole, service_role

_AMI_TYPES = {
    ("al2023", "arm64"): "AL2023_ARM_64_STANDARD",
    ("al2023", "x86_64"): "AL2023_x86_64_STANDARD",
    ("bottlerocket", "arm64"): "BOTTLEROCKET_ARM_64",
    ("bottlerocket", "x86_64"): "BOTTLEROCKET_x86_64",
}
_TAINT_EFFECTS = {
    "NoSchedule": "NO_SCHEDULE",
    "NoExecute": "NO_EXECUTE",
    "PreferNoSchedule": "PREFER_NO_SCHEDULE",
}


@dataclass(frozen=True, kw_only=True)
class NodeGroupArgs:
    """Values that all node groups of a cluster share. Nodes come after everything in
    `depends_on`."""

    cluster: aws.eks.Cluster
    role: ServiceRole
    subnet_ids: pulumi.Input[Sequence[pulumi.Input[str]]]
    depends_on: Sequence[pulumi.Resource]
    parent: pulumi.Resource
    tags: Mapping[str, str]


def node_role(name: str, *, parent: pulumi.Resource, tags: Mapping[str, str]) -> ServiceRole:
    """The managed nodes' role: it may join the cluster and pull images, no more."""
    policies = ["AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly"]
    return service_role(f"{name}-nodes", "ec2.amazonaws.com", policies, parent=parent, tags=tags)


def node_group(
    cluster: str, group: str, spec: NodeGroupSpec, args: NodeGroupArgs
) -> aws.eks.NodeGroup:
    """Create one node group of `cluster` and its launch template.

    A suffix makes its name unique, so a change that replaces it (instance types, architecture,
    capacity) creates the new nodes before it drains the old ones.
    """
    # Names of clusters and groups contain no dot, so prod's blue-default differs from prod-blue's
    # default. Release 0.1 used a dash.
    name, former = f"{cluster}.{group}", f"{cluster}-{group}"
    named = pulumi.ResourceOptions(parent=args.parent, aliases=[pulumi.Alias(name=former)])
    template = _launch_template(name, name_prefix(former), spec, args.tags, named)
    labels = spec.labels | ({CAPACITY_TYPE_LABEL: SPOT} if spec.spot else {})
    return aws.eks.NodeGroup(
        name,
        cluster_name=args.cluster.name,
        node_group_name_prefix=name_prefix(former),
        # Nodes follow the control plane's minor version.
        version=args.cluster.version,
        release_version=spec.release_version,
        node_role_arn=args.role.role.arn,
        subnet_ids=args.subnet_ids,
        ami_type=_AMI_TYPES[spec.ami, instance_type(spec.instance_types[0]).architecture],
        capacity_type="SPOT" if spec.spot else "ON_DEMAND",
        instance_types=spec.instance_types,
        labels=labels,
        taints=[
            aws.eks.NodeGroupTaintArgs(
                key=taint.key, value=taint.value or None, effect=_TAINT_EFFECTS[taint.effect]
            )
            for taint in spec.taints
        ],
        launch_template=aws.eks.NodeGroupLaunchTemplateArgs(
            id=template.id, version=template.latest_version.apply(str)
        ),
        # Nothing scales these groups, so an update corrects drift of their size.
        scaling_config=aws.eks.NodeGroupScalingConfigArgs(
            min_size=spec.size, max_size=spec.size, desired_size=spec.size
        ),
        update_config=aws.eks.NodeGroupUpdateConfigArgs(max_unavailable=1),
        node_repair_config=aws.eks.NodeGroupNodeRepairConfigArgs(enabled=spec.node_repair),
        tags=args.tags,
        opts=pulumi.ResourceOptions.merge(
            named,
            pulumi.ResourceOptions(
                depends_on=[*args.role.policies, *args.depends_on],
                # One node at a time, each with up to 15 minutes to drain; the default is one hour.
                custom_timeouts=pulumi.CustomTimeouts(update=f"{30 + 20 * spec.size}m"),
            ),
        ),
    )


def _launch_template(
    name: str,
    prefix: str,
    spec: NodeGroupSpec,
    tags: Mapping[str, str],
    opts: pulumi.ResourceOptions,
) -> aws.ec2.LaunchTemplate:
    return aws.ec2.LaunchTemplate(
        name,
        name_prefix=prefix,
        update_default_version=True,
        block_device_mappings=[
            aws.ec2.LaunchTemplateBlockDeviceMappingArgs(
                device_name=device,
                ebs=aws.ec2.LaunchTemplateBlockDeviceMappingEbsArgs(
                    delete_on_termination="true",
                    encrypted="true",
                    volume_size=size,
                    volume_type="gp3",
                ),
            )
            for device, size in _volumes(spec).items()
        ],
        metadata_options=aws.ec2.LaunchTemplateMetadataOptionsArgs(
            http_endpoint="enabled",
            http_tokens="required",
            # One hop ends in the node itself, so pods cannot assume the node's role.
            http_put_response_hop_limit=1,
        ),
        tag_specifications=[
            aws.ec2.LaunchTemplateTagSpecificationArgs(resource_type=kind, tags=tags)
            for kind in ("instance", "volume", "network-interface")
        ]
        if tags
        else None,
        tags=tags,
        opts=opts,
    )


def _volumes(spec: NodeGroupSpec) -> dict[str, int | None]:
    """Size of each volume in GiB, by device; None keeps the image's own size.

    Bottlerocket keeps its system on /dev/xvda and images and containers on /dev/xvdb:
    https://bottlerocket.dev/en/os/latest/#/concepts/data_volume/
    """
    if spec.ami == "bottlerocket":
        return {"/dev/xvda": None, "/dev/xvdb": spec.volume_gib}
    return {"/dev/xvda": spec.volume_gib}
