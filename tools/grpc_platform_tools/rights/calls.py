"""Which actions of AWS each type of resource takes, to read it and to make, change and delete it.

Never run: the AWS provider is not on the testbed. The rows are taken from CloudFormation's schema
of each type (`handlers.permissions`, and `tagging.permissions`), without the features that need
other services than the row names, and completed from the provider's own source:
https://github.com/pulumi/pulumi-aws-native/tree/43eed3b017fff3b41e0ceeae37ee943afce53275/aws-cloudformation-schema
https://github.com/hashicorp/terraform-provider-aws/tree/main/internal/service
"""

from dataclasses import dataclass

_TAGS = "ec2:CreateTags ec2:DeleteTags"
_EKS_TAGS = "eks:TagResource eks:UntagResource"
_PASS = "iam:PassRole iam:GetRole"
_RULES = (
    "ec2:AuthorizeSecurityGroupIngress ec2:RevokeSecurityGroupIngress ec2:ModifySecurityGroupRules "
    "ec2:UpdateSecurityGroupRuleDescriptionsIngress"
)


@dataclass(frozen=True)
class Calls:
    """Actions, separated by spaces."""

    read: str
    """A refresh."""
    write: str
    """Besides: create, update, delete."""


CALLS = {
    "aws:cloudwatch/logGroup:LogGroup": Calls(
        "logs:DescribeLogGroups logs:ListTagsForResource",
        "logs:CreateLogGroup logs:DeleteLogGroup logs:PutRetentionPolicy "
        "logs:DeleteRetentionPolicy logs:AssociateKmsKey logs:DisassociateKmsKey "
        "logs:TagResource logs:UntagResource",
    ),
    "aws:ec2/eip:Eip": Calls(
        "ec2:DescribeAddresses ec2:DescribeAddressesAttribute",
        "ec2:AllocateAddress ec2:ReleaseAddress ec2:AssociateAddress ec2:DisassociateAddress "
        + _TAGS,
    ),
    "aws:ec2/flowLog:FlowLog": Calls(
        "ec2:DescribeFlowLogs",
        "ec2:CreateFlowLogs ec2:DeleteFlowLogs logs:CreateLogDelivery logs:DeleteLogDelivery "
        f"iam:PassRole {_TAGS}",
    ),
    "aws:ec2/internetGateway:InternetGateway": Calls(
        "ec2:DescribeInternetGateways",
        "ec2:CreateInternetGateway ec2:DeleteInternetGateway ec2:AttachInternetGateway "
        f"ec2:DetachInternetGateway {_TAGS}",
    ),
    "aws:ec2/launchTemplate:LaunchTemplate": Calls(
        "ec2:DescribeLaunchTemplates ec2:DescribeLaunchTemplateVersions",
        "ec2:CreateLaunchTemplate ec2:CreateLaunchTemplateVersion ec2:ModifyLaunchTemplate "
        f"ec2:DeleteLaunchTemplate {_TAGS}",
    ),
    "aws:ec2/natGateway:NatGateway": Calls(
        "ec2:DescribeNatGateways",
        "ec2:CreateNatGateway ec2:DeleteNatGateway ec2:AssociateNatGatewayAddress "
        "ec2:DisassociateNatGatewayAddress ec2:AssignPrivateNatGatewayAddress "
        f"ec2:UnassignPrivateNatGatewayAddress {_TAGS}",
    ),
    "aws:ec2/route:Route": Calls(
        "ec2:DescribeRouteTables", "ec2:CreateRoute ec2:ReplaceRoute ec2:DeleteRoute"
    ),
    "aws:ec2/routeTable:RouteTable": Calls(
        "ec2:DescribeRouteTables",
        f"ec2:CreateRouteTable ec2:DeleteRouteTable ec2:DisassociateRouteTable {_TAGS}",
    ),
    "aws:ec2/routeTableAssociation:RouteTableAssociation": Calls(
        "ec2:DescribeRouteTables",
        "ec2:AssociateRouteTable ec2:DisassociateRouteTable ec2:ReplaceRouteTableAssociation",
    ),
    "aws:ec2/securityGroup:SecurityGroup": Calls(
        "ec2:DescribeSecurityGroups",
        "ec2:CreateSecurityGroup ec2:DeleteSecurityGroup ec2:AuthorizeSecurityGroupEgress "
        "ec2:RevokeSecurityGroupEgress ec2:UpdateSecurityGroupRuleDescriptionsEgress "
        f"ec2:DescribeNetworkInterfaces {_RULES} {_TAGS}",
    ),
    "aws:ec2/subnet:Subnet": Calls(
        "ec2:DescribeSubnets",
        "ec2:CreateSubnet ec2:DeleteSubnet ec2:ModifySubnetAttribute "
        "ec2:AssociateSubnetCidrBlock ec2:DisassociateSubnetCidrBlock "
        f"ec2:DescribeNetworkInterfaces {_TAGS}",
    ),
    "aws:ec2/vpc:Vpc": Calls(
        "ec2:DescribeVpcs ec2:DescribeVpcAttribute ec2:DescribeNetworkAcls "
        "ec2:DescribeRouteTables ec2:DescribeSecurityGroups",
        f"ec2:CreateVpc ec2:DeleteVpc ec2:ModifyVpcAttribute ec2:ModifyVpcTenancy {_TAGS}",
    ),
    "aws:ec2/vpcEndpoint:VpcEndpoint": Calls(
        "ec2:DescribeVpcEndpoints ec2:DescribePrefixLists",
        "ec2:CreateVpcEndpoint ec2:DeleteVpcEndpoints ec2:ModifyVpcEndpoint ec2:DescribeVpcs "
        "ec2:DescribeSubnets ec2:DescribeSecurityGroups route53:AssociateVPCWithHostedZone "
        + _TAGS,
    ),
    "aws:eks/accessEntry:AccessEntry": Calls(
        "eks:DescribeAccessEntry",
        f"eks:CreateAccessEntry eks:UpdateAccessEntry eks:DeleteAccessEntry {_EKS_TAGS}",
    ),
    "aws:eks/accessPolicyAssociation:AccessPolicyAssociation": Calls(
        "eks:ListAssociatedAccessPolicies",
        "eks:AssociateAccessPolicy eks:DisassociateAccessPolicy",
    ),
    "aws:eks/addon:Addon": Calls(
        "eks:DescribeAddon",
        "eks:CreateAddon eks:UpdateAddon eks:DeleteAddon eks:DescribeUpdate "
        "eks:CreatePodIdentityAssociation eks:UpdatePodIdentityAssociation "
        f"eks:DeletePodIdentityAssociation {_EKS_TAGS} {_PASS}",
    ),
    "aws:eks/cluster:Cluster": Calls(
        "eks:DescribeCluster",
        "eks:CreateCluster eks:UpdateClusterConfig eks:UpdateClusterVersion eks:DeleteCluster "
        "eks:AssociateEncryptionConfig eks:DescribeUpdate ec2:DescribeSubnets ec2:DescribeVpcs "
        "kms:DescribeKey kms:CreateGrant iam:ListAttachedRolePolicies "
        f"iam:CreateServiceLinkedRole {_EKS_TAGS} {_PASS}",
    ),
    "aws:eks/nodeGroup:NodeGroup": Calls(
        "eks:DescribeNodegroup",
        "eks:CreateNodegroup eks:UpdateNodegroupConfig eks:UpdateNodegroupVersion "
        "eks:DeleteNodegroup eks:DescribeUpdate eks:ListUpdates ec2:DescribeSubnets "
        "ec2:DescribeVpcs ec2:DescribeSecurityGroups ec2:DescribeRouteTables "
        "ec2:DescribeKeyPairs ec2:DescribeLaunchTemplates ec2:DescribeLaunchTemplateVersions "
        "ec2:RunInstances iam:ListAttachedRolePolicies iam:CreateServiceLinkedRole "
        f"{_TAGS} {_EKS_TAGS} {_PASS}",
    ),
    "aws:eks/podIdentityAssociation:PodIdentityAssociation": Calls(
        "eks:DescribePodIdentityAssociation",
        "eks:CreatePodIdentityAssociation eks:UpdatePodIdentityAssociation "
        f"eks:DeletePodIdentityAssociation {_EKS_TAGS} {_PASS}",
    ),
    "aws:iam/role:Role": Calls(
        "iam:GetRole iam:ListRolePolicies iam:ListAttachedRolePolicies",
        "iam:CreateRole iam:DeleteRole iam:UpdateRole iam:UpdateRoleDescription "
        "iam:UpdateAssumeRolePolicy iam:ListInstanceProfilesForRole iam:TagRole iam:UntagRole",
    ),
    "aws:iam/rolePolicy:RolePolicy": Calls(
        "iam:GetRolePolicy", "iam:PutRolePolicy iam:DeleteRolePolicy"
    ),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": Calls(
        "iam:ListAttachedRolePolicies", "iam:AttachRolePolicy iam:DetachRolePolicy"
    ),
    "aws:kms/key:Key": Calls(
        "kms:DescribeKey kms:GetKeyPolicy kms:GetKeyRotationStatus kms:ListResourceTags",
        "kms:CreateKey kms:ScheduleKeyDeletion kms:EnableKeyRotation kms:DisableKeyRotation "
        "kms:EnableKey kms:DisableKey kms:PutKeyPolicy kms:UpdateKeyDescription kms:TagResource "
        "kms:UntagResource",
    ),
    "aws:route53/record:Record": Calls(
        "route53:GetHostedZone route53:ListResourceRecordSets",
        "route53:ChangeResourceRecordSets route53:GetChange",
    ),
    "aws:route53/vpcAssociationAuthorization:VpcAssociationAuthorization": Calls(
        "route53:ListVPCAssociationAuthorizations",
        "route53:CreateVPCAssociationAuthorization route53:DeleteVPCAssociationAuthorization "
        "ec2:DescribeVpcs",
    ),
    "aws:route53/zone:Zone": Calls(
        "route53:GetHostedZone route53:ListTagsForResource route53:ListResourceRecordSets "
        "route53:GetDNSSEC",
        "route53:CreateHostedZone route53:DeleteHostedZone route53:UpdateHostedZoneComment "
        "route53:ChangeTagsForResource route53:ChangeResourceRecordSets route53:GetChange "
        "route53:AssociateVPCWithHostedZone route53:DisassociateVPCFromHostedZone "
        "ec2:DescribeVpcs",
    ),
    "aws:route53/zoneAssociation:ZoneAssociation": Calls(
        "route53:ListHostedZonesByVPC",
        "route53:AssociateVPCWithHostedZone route53:DisassociateVPCFromHostedZone "
        "route53:GetChange ec2:DescribeVpcs",
    ),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": Calls(
        "ec2:DescribeSecurityGroupRules", f"{_RULES} {_TAGS}"
    ),
}

LOOKUPS = (
    "ec2:DescribeVpcs ec2:DescribeVpcAttribute ec2:DescribeRouteTables ec2:DescribeSubnets "
    "route53:GetHostedZone route53:ListHostedZones route53:ListTagsForResource "
    "route53:ListResourceRecordSets"
)
"""What a program looks up of existing VPCs, subnets and zones: a recorded graph does not tell."""
