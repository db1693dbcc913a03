"""A new VPC for clusters and the private zone."""

from __future__ import annotations  # EC2 and EKS load when used: they take a second

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws

from ..options import for_children_too
from ..rules import refuse
from ..rules.network import new_network
from ..specs import NetworkSpec
from .flow_logs import flow_logs
from .subnets import zone_subnets


@dataclass(frozen=True, kw_only=True)
class NetworkArgs:
    """The VPC's settings, and the tags of everything in it."""

    spec: NetworkSpec
    protect: bool = False
    """Have the engine refuse to delete the VPC."""
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


class Network(pulumi.ComponentResource):
    """Creates a VPC over the zones of `spec`: a public and a private subnet in each (sizes in
    subnets.py), with the tags that load-balancer controllers look for; an internet gateway; NAT
    gateways according to `spec.nat`; a gateway endpoint for S3; interface endpoints that the whole
    VPC reaches on port 443; flow logs if `spec` sets their retention.

    With `nat="none"` private subnets can reach only the endpoints: see
    `specs.network.required_interface_endpoints`.

    Raises ValueError for what `rules.network.new_network` finds wrong with `spec`.
    """

    vpc_id: pulumi.Output[str]
    """The VPC's id."""
    cidr: pulumi.Output[str]
    """The VPC's (primary) address block."""
    public_subnet_ids: pulumi.Output[list[str]]
    """Public subnets in the order of the zones."""
    private_subnet_ids: pulumi.Output[list[str]]
    """Subnets for control planes and nodes, in the order of the zones. Known only when routes and
    endpoints exist, because a node that starts earlier cannot join its cluster."""
    private_cidrs: pulumi.Output[list[str]]
    """Address blocks of the private subnets: every pod of this network's clusters is in them."""

    def __init__(
        self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        refuse(f"Network {name}", new_network(args.spec))
        super().__init__("grpc-platform:index:Network", name, {}, for_children_too(opts))
        self._create(name, args)
        self.register_outputs(
            {
                "vpc_id": self.vpc_id,
                "cidr": self.cidr,
                "public_subnet_ids": self.public_subnet_ids,
                "private_subnet_ids": self.private_subnet_ids,
                "private_cidrs": self.private_cidrs,
            }
        )

    def _create(self, name: str, args: NetworkArgs) -> None:
        spec, tags = args.spec, args.tags
        child = pulumi.ResourceOptions(parent=self)
        blocks = dict(zip(spec.zones, zone_subnets(spec.cidr, len(spec.zones)), strict=True))
        vpc = aws.ec2.Vpc(
            name,
            cidr_block=spec.cidr,
            # A private hosted zone resolves only in a VPC that has both.
            enable_dns_support=True,
            enable_dns_hostnames=True,
            tags=_named(tags, name),
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )

        def subnet(zone: str, kind: str, block: str, role: str) -> aws.ec2.Subnet:
            return aws.ec2.Subnet(
                f"{name}-{kind}-{zone}",
                vpc_id=vpc.id,
                availability_zone=zone,
                cidr_block=block,
                # https://docs.aws.amazon.com/eks/latest/userguide/network-load-balancing.html
                tags={**_named(tags, f"{name}-{kind}-{zone}"), f"kubernetes.io/role/{role}": "1"},
                opts=child,
            )

        public = {
            zone: subnet(zone, "public", block.public, "elb") for zone, block in blocks.items()
        }
        private = {
            zone: subnet(zone, "private", block.private, "internal-elb")
            for zone, block in blocks.items()
        }

        gateway = aws.ec2.InternetGateway(name, vpc_id=vpc.id, tags=_named(tags, name), opts=child)
        public_table = aws.ec2.RouteTable(
            f"{name}-public", vpc_id=vpc.id, tags=_named(tags, f"{name}-public"), opts=child
        )
        public_route = aws.ec2.Route(
            f"{name}-public",
            route_table_id=public_table.id,
            destination_cidr_block="0.0.0.0/0",
            gateway_id=gateway.id,
            opts=child,
        )
        public_tables = dict.fromkeys(public, public_table)

        # One table per zone with any kind of NAT, so that changing `nat` only updates a route.
        tables = {
            zone: aws.ec2.RouteTable(
                f"{name}-private-{zone}",
                vpc_id=vpc.id,
                tags=_named(tags, f"{name}-private-{zone}"),
                opts=child,
            )
            for zone in private
        }
        ways_out: list[pulumi.Resource] = [
            *_associate(name, "public", public, public_tables, child),
            *_associate(name, "private", private, tables, child),
            *_nat_routes(name, spec, tags, public, tables, public_route, child),
            *self._endpoints(name, args, vpc, private, tables),
        ]
        if spec.flow_log_retention_days is not None:
            flow_logs(f"{name}-flow-logs", vpc.id, spec.flow_log_retention_days, tags, child)

        self.vpc_id = vpc.id
        self.cidr = vpc.cidr_block
        self.public_subnet_ids = pulumi.Output.all(*[subnet.id for subnet in public.values()])
        self.private_subnet_ids = pulumi.Output.all(
            pulumi.Output.all(*[subnet.id for subnet in private.values()]),
            *[resource.urn for resource in ways_out],
        ).apply(lambda known: known[0])
        self.private_cidrs = pulumi.Output.all(*[s.cidr_block for s in private.values()])

    def _endpoints(
        self,
        name: str,
        args: NetworkArgs,
        vpc: aws.ec2.Vpc,
        private: Mapping[str, aws.ec2.Subnet],
        tables: Mapping[str, aws.ec2.RouteTable],
    ) -> list[pulumi.Resource]:
        """Endpoints for AWS services without NAT. S3's is free, and image layers from ECR come
        through it."""
        child = pulumi.ResourceOptions(parent=self)
        region = aws.get_region_output(opts=pulumi.InvokeOutputOptions(parent=self)).region
        endpoints: list[pulumi.Resource] = [
            aws.ec2.VpcEndpoint(
                f"{name}-s3",
                vpc_id=vpc.id,
                vpc_endpoint_type="Gateway",
                service_name=pulumi.Output.concat("com.amazonaws.", region, ".s3"),
                route_table_ids=[table.id for table in tables.values()],
                tags=_named(args.tags, f"{name}-s3"),
                opts=child,
            )
        ]
        if not args.spec.interface_endpoints:
            return endpoints
        group = aws.ec2.SecurityGroup(
            f"{name}-endpoints",
            description="Interface endpoints of the VPC",
            vpc_id=vpc.id,
            tags=_named(args.tags, f"{name}-endpoints"),
            opts=child,
        )
        rule = aws.vpc.SecurityGroupIngressRule(
            f"{name}-endpoints",
            security_group_id=group.id,
            description="HTTPS from the VPC",
            ip_protocol="tcp",
            from_port=443,
            to_port=443,
            cidr_ipv4=vpc.cidr_block,
            tags=_named(args.tags, f"{name}-endpoints"),
            opts=child,
        )
        endpoints.append(rule)
        for service in args.spec.interface_endpoints:
            # Route53's API is in us-east-1, under a name without a region. An endpoint in another
            # region needs the permission vpce:AllowMultiRegion:
            # https://docs.aws.amazon.com/vpc/latest/privatelink/aws-services-cross-region-privatelink-support.html
            is_global = service == "route53"
            endpoints.append(
                aws.ec2.VpcEndpoint(
                    f"{name}-{service}",
                    vpc_id=vpc.id,
                    vpc_endpoint_type="Interface",
                    service_name="com.amazonaws.route53"
                    if is_global
                    else pulumi.Output.concat("com.amazonaws.", region, ".", service),
                    service_region="us-east-1" if is_global else None,
                    subnet_ids=[subnet.id for subnet in private.values()],
                    security_group_ids=[group.id],
                    private_dns_enabled=True,
                    tags=_named(args.tags, f"{name}-{service}"),
                    opts=child,
                )
            )
        return endpoints


def _named(tags: Mapping[str, str], name: str) -> dict[str, str]:
    """`tags` and the Name tag, by which AWS's console lists most VPC resources."""
    return {**tags, "Name": name}


def _associate(
    name: str,
    kind: str,
    subnets: Mapping[str, aws.ec2.Subnet],
    tables: Mapping[str, aws.ec2.RouteTable],
    opts: pulumi.ResourceOptions,
) -> list[pulumi.Resource]:
    return [
        aws.ec2.RouteTableAssociation(
            f"{name}-{kind}-{zone}",
            subnet_id=subnet.id,
            route_table_id=tables[zone].id,
            opts=opts,
        )
        for zone, subnet in subnets.items()
    ]


def _nat_routes(
    name: str,
    spec: NetworkSpec,
    tags: Mapping[str, str],
    public: Mapping[str, aws.ec2.Subnet],
    tables: Mapping[str, aws.ec2.RouteTable],
    public_route: aws.ec2.Route,
    opts: pulumi.ResourceOptions,
) -> list[pulumi.Resource]:
    """The private subnets' default routes, and the NAT gateways that they point to."""
    with_nat: Sequence[str] = {
        "none": (),
        "single": spec.zones[:1],
        "per_zone": spec.zones,
    }[spec.nat]
    gateways: dict[str, aws.ec2.NatGateway] = {}
    for zone in with_nat:
        address = aws.ec2.Eip(
            f"{name}-nat-{zone}",
            domain="vpc",
            tags=_named(tags, f"{name}-nat-{zone}"),
            opts=opts,
        )
        gateways[zone] = aws.ec2.NatGateway(
            f"{name}-{zone}",
            allocation_id=address.allocation_id,
            subnet_id=public[zone].id,
            tags=_named(tags, f"{name}-{zone}"),
            # A NAT gateway needs its subnet's route to the internet gateway, and the internet
            # gateway cannot be detached while a NAT gateway has a public address.
            opts=pulumi.ResourceOptions.merge(
                opts, pulumi.ResourceOptions(depends_on=[public_route])
            ),
        )
    if not gateways:
        return []
    first = gateways[spec.zones[0]]
    return [
        aws.ec2.Route(
            f"{name}-private-{zone}",
            route_table_id=table.id,
            destination_cidr_block="0.0.0.0/0",
            nat_gateway_id=gateways.get(zone, first).id,
            opts=opts,
        )
        for zone, table in tables.items()
    ]
