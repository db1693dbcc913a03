"""Which changed inputs make pulumi-aws replace a resource, with a source for each type.

Names are inputs as Pulumi sends them; `a.b` is b within a. Any input that is not listed is updated
in place. replacement.py applies the table.

Written by hand from the Terraform provider's sources. pulumi-aws says the same in its schema
(`willReplaceOnChanges`), but no package carries that: its SDKs only name inputs, and version 7 of
the provider and its SDK is not available as a Go module (November 2026). The tests compare every
name with the SDK's own inputs, and require an entry for every type of the committed stacks.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Change:
    """One property that differs: its values (None: left out), and the resource's inputs on both
    sides, if known."""

    old: Any
    new: Any
    before: Mapping[str, Any]
    after: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Replaced:
    """The properties of one AWS type whose change replaces it.

    `always`: any change. `kept`: any change but leaving it out, which keeps the current value (the
    provider's "computed"). `sets`: lists whose order does not matter. `defaults`: the value when it
    is left out. `when`: a function decides. A `regional` type has `region` as well.
    """

    source: str
    always: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    sets: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict[str, Any])
    when: Mapping[str, Callable[[Change], bool]] = field(
        default_factory=dict[str, Callable[[Change], bool]]
    )
    regional: bool = True


def _removed(change: Change) -> bool:
    return change.old is not None and change.new is None


def _added_or_removed(change: Change) -> bool:
    return (change.old is None) != (change.new is None)


def _from_one_to_another(change: Change) -> bool:
    return change.old is not None and change.new is not None


def _other_name(change: Change) -> bool:
    """Domain names ignore case, and the dot at their end is implied."""
    old, new = (str(name or "").lower().rstrip(".") for name in (change.old, change.new))
    return old != new


def _other_tenancy(change: Change) -> bool:
    return (change.old or "default", change.new or "default") not in (
        ("dedicated", "default"),
        ("default", "default"),
    )


def _addresses_were_assigned(change: Change) -> bool:
    return bool(change.before.get("assignIpv6AddressOnCreation"))


def _other_than_interface(change: Change) -> bool:
    kind = change.after.get("vpcEndpointType", "Gateway")
    return bool(change.after) and kind != "Interface"


def _no_longer_routed(change: Change) -> bool:
    return change.old == "CUSTOMER_ROUTED"


# pulumi-aws 7.51 wraps the Terraform provider, from 6.56 on. Its schemas were read at these commits
# (6.36 and others of 2025 and 2026); where only undated copies were available, the link is to main.
_REPO = "https://github.com/hashicorp/terraform-provider-aws/blob"
_6_36 = f"{_REPO}/00a35305dc1b297a6fcdecdfbba33f1e63c3da39/internal/service"
_MAIN = f"{_REPO}/main/internal/service"
# Read in a copy of 2024 (Terraform provider 5): these types have hardly changed since.
_OLD = _MAIN
# pulumi-aws adapts them in provider/resource_overrides.go (for these types only names) and
# provider/region.go (a resource without `region` takes the provider's), at
# github.com/pulumi/pulumi-aws/tree/015d343812852f40a045a28e7f6e04bca69548f3

AWS: Mapping[str, Replaced] = {
    "aws:cloudwatch/logGroup:LogGroup": Replaced(
        source=f"{_MAIN}/logs/group.go",
        always=("name", "namePrefix"),
        kept=("logGroupClass",),
    ),
    "aws:ec2/eip:Eip": Replaced(
        source=f"{_REPO}/01606926a0c0ab9174aec440f976a48b0baee722/internal/service/ec2/ec2_eip.go",
        always=("address",),
        kept=("domain", "ipamPoolId", "networkBorderGroup", "publicIpv4Pool"),
    ),
    "aws:ec2/flowLog:FlowLog": Replaced(
        source=f"{_6_36}/ec2/vpc_flow_log.go",
        # Not in the source: tagFieldSpecifications is newer, and a flow log updates only its tags.
        always=(
            "deliverCrossAccountRole",
            "eniId",
            "iamRoleArn",
            "regionalNatGatewayId",
            "subnetId",
            "tagFieldSpecifications",
            "trafficType",
            "transitGatewayAttachmentId",
            "transitGatewayId",
            "vpcId",
        ),
        kept=("logDestination", "logFormat"),
        defaults={
            "logDestinationType": "cloud-watch-logs",
            "maxAggregationInterval": 600,
            "destinationOptions.fileFormat": "plain-text",
            "destinationOptions.hiveCompatiblePartitions": False,
            "destinationOptions.perHourPartition": False,
        },
    ),
    "aws:ec2/internetGateway:InternetGateway": Replaced(
        source=f"{_OLD}/ec2/vpc_internet_gateway.go"  # moves to another VPC
    ),
    "aws:ec2/launchTemplate:LaunchTemplate": Replaced(
        source=f"{_OLD}/ec2/ec2_launch_template.go",
        always=("name", "namePrefix"),  # the rest becomes a new version
    ),
    "aws:ec2/natGateway:NatGateway": Replaced(
        source=f"{_MAIN}/ec2/vpc_nat_gateway.go",
        always=("allocationId", "subnetId"),
        kept=("availabilityMode", "privateIp", "secondaryPrivateIpAddressCount", "vpcId"),
        defaults={"connectivityType": "public"},
        when={"availabilityZoneAddresses": _added_or_removed},
    ),
    "aws:ec2/route:Route": Replaced(
        source=f"{_OLD}/ec2/vpc_route.go",  # its target is replaced in place
        always=(
            "destinationCidrBlock",
            "destinationIpv6CidrBlock",
            "destinationPrefixListId",
            "routeTableId",
        ),
    ),
    "aws:ec2/routeTable:RouteTable": Replaced(
        source=f"{_OLD}/ec2/vpc_route_table.go", always=("vpcId",)
    ),
    "aws:ec2/routeTableAssociation:RouteTableAssociation": Replaced(
        source=f"{_OLD}/ec2/vpc_route_table_association.go", always=("gatewayId", "subnetId")
    ),
    "aws:ec2/securityGroup:SecurityGroup": Replaced(
        source=f"{_OLD}/ec2/vpc_security_group.go",
        always=("name", "namePrefix"),
        kept=("vpcId",),
        defaults={"description": "Managed by Pulumi"},
    ),
    "aws:ec2/subnet:Subnet": Replaced(
        source=f"{_REPO}/00cda125a19d31754cb0d073cf551264c57955cb/internal/service/ec2/vpc_subnet.go",
        always=(
            "ipv4IpamPoolId",
            "ipv4NetmaskLength",
            "ipv6IpamPoolId",
            "ipv6NetmaskLength",
            "outpostArn",
            "vpcId",
        ),
        kept=("availabilityZone", "availabilityZoneId", "cidrBlock"),
        defaults={"ipv6Native": False},
        when={"ipv6CidrBlock": _addresses_were_assigned},
    ),
    "aws:ec2/vpc:Vpc": Replaced(
        source=f"{_REPO}/00081ce41cc691433ac19bf42227cdabffd0454d/internal/service/ec2/vpc_.go",
        always=("ipv4IpamPoolId", "ipv4NetmaskLength"),
        kept=("cidrBlock",),
        when={"instanceTenancy": _other_tenancy},
    ),
    "aws:ec2/vpcEndpoint:VpcEndpoint": Replaced(
        source=f"{_REPO}/008db85aad5e56627b1eecab8830464a282552ed/internal/service/ec2/vpc_endpoint.go",
        always=("resourceConfigurationArn", "serviceName", "serviceNetworkArn", "vpcId"),
        kept=("dnsOptions.privateDnsPreference", "serviceRegion"),
        sets=("dnsOptions.privateDnsSpecifiedDomains",),
        defaults={"vpcEndpointType": "Gateway"},
        when={"privateDnsEnabled": _other_than_interface},
    ),
    "aws:eks/accessEntry:AccessEntry": Replaced(
        source=f"{_REPO}/01f431114674c27cf790fafb67ac274bf8f765e1/internal/service/eks/access_entry.go",
        always=("clusterName", "principalArn"),
        defaults={"type": "STANDARD"},
    ),
    "aws:eks/accessPolicyAssociation:AccessPolicyAssociation": Replaced(
        source=f"{_MAIN}/eks/access_policy_association.go",
        always=("accessScope.type", "clusterName", "policyArn", "principalArn"),
        sets=("accessScope.namespaces",),
    ),
    "aws:eks/addon:Addon": Replaced(
        source=f"{_MAIN}/eks/addon.go",
        always=("addonName", "clusterName"),
        kept=("namespaceConfig.namespace",),
    ),
    # A newer version is an upgrade in place, and AWS refuses an older one: neither replaces.
    # controlPlaneEgressMode is from the SDK's own documentation of 7.51.
    "aws:eks/cluster:Cluster": Replaced(
        source=f"{_MAIN}/eks/cluster.go",
        always=(
            "name",
            "outpostConfig.controlPlaneInstanceType",
            "outpostConfig.controlPlanePlacement.groupName",
            "roleArn",
        ),
        kept=("kubernetesNetworkConfig.ipFamily", "kubernetesNetworkConfig.serviceIpv4Cidr"),
        defaults={
            "accessConfig.bootstrapClusterCreatorAdminPermissions": True,
            "bootstrapSelfManagedAddons": True,
        },
        when={
            "computeConfig.nodeRoleArn": _from_one_to_another,
            "encryptionConfig": _removed,
            "vpcConfig.controlPlaneEgressMode": _no_longer_routed,
        },
    ),
    "aws:eks/nodeGroup:NodeGroup": Replaced(
        source=f"{_REPO}/012e0a32f0686212f447447fd3d81c3d0ce256ad/internal/service/eks/node_group.go",
        always=(
            "clusterName",
            "nodeGroupName",
            "nodeGroupNamePrefix",
            "nodeRoleArn",
            "remoteAccess",
        ),
        # The order of instanceTypes counts. A launch template's version is updated in place.
        kept=(
            "amiType",
            "capacityType",
            "diskSize",
            "instanceTypes",
            "launchTemplate.id",
            "launchTemplate.name",
        ),
        sets=("subnetIds",),
    ),
    "aws:eks/podIdentityAssociation:PodIdentityAssociation": Replaced(
        source=f"{_6_36}/eks/pod_identity_association.go",
        always=("clusterName", "namespace", "serviceAccount"),
    ),
    "aws:iam/role:Role": Replaced(
        source=f"{_MAIN}/iam/role.go",
        always=("name", "namePrefix"),
        defaults={"path": "/"},
        regional=False,
    ),
    "aws:iam/rolePolicy:RolePolicy": Replaced(
        source=f"{_OLD}/iam/role_policy.go", always=("name", "namePrefix", "role"), regional=False
    ),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": Replaced(
        source=f"{_MAIN}/iam/role_policy_attachment.go",
        always=("policyArn", "role"),
        regional=False,
    ),
    "aws:kms/key:Key": Replaced(
        source=f"{_6_36}/kms/key.go",
        always=("customKeyStoreId", "xksKeyId"),
        kept=("multiRegion",),
        defaults={"customerMasterKeySpec": "SYMMETRIC_DEFAULT", "keyUsage": "ENCRYPT_DECRYPT"},
    ),
    # The provider changes a record's type or setIdentifier in one batch, without a replacement.
    "aws:route53/record:Record": Replaced(
        source=f"{_REPO}/00655c1681ea1e49ab10cd32d3f8bee372b2095b/internal/service/route53/record.go",
        always=("zoneId",),
        when={"name": _other_name},
        regional=False,
    ),
    "aws:route53/zone:Zone": Replaced(
        source=f"{_OLD}/route53/zone.go",
        always=("delegationSetId",),
        when={"name": _other_name},
        regional=False,
    ),
    "aws:route53/zoneAssociation:ZoneAssociation": Replaced(
        source=f"{_MAIN}/route53/zone_association.go",
        always=("vpcId", "zoneId"),
        kept=("vpcRegion",),
        regional=False,
    ),
} | {
    # Another kind of peer replaces the rule; another peer of the same kind does not.
    f"aws:vpc/securityGroup{way}Rule:SecurityGroup{way}Rule": Replaced(
        source=f"{_OLD}/ec2/vpc_security_group_{way.lower()}_rule.go",
        always=("securityGroupId",),
        when=dict.fromkeys(
            ("cidrIpv4", "cidrIpv6", "prefixListId", "referencedSecurityGroupId"),
            _added_or_removed,
        ),
    )
    for way in ("Egress", "Ingress")
}
