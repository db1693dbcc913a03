"""The hosted zone of all names, and the records that this program writes itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pulumi_aws as aws

from ..inputs import known
from ..options import for_children_too
from ..rules import refuse
from ..rules.zone import names_have_one_owner, zone_is_answered
from ..timing import NEGATIVE_CACHING, DnsTiming, whole_seconds


@dataclass(frozen=True, kw_only=True)
class ZoneTeam:
    """A role that may write the CNAMEs of some names."""

    role: pulumi.Input[str]
    """IAM role by name (with its path, if it has one). It gets an inline policy, which roles of IAM
    Identity Center do not take."""
    hosts: Sequence[pulumi.Input[str]]
    """Full names of the team's own services."""


@dataclass(frozen=True, kw_only=True)
class ZoneUse:
    """Who resolves a zone's names, who else writes them, and how fast they change. The keys name
    resources."""

    vpc_ids: Mapping[str, pulumi.Input[str]] = field(default_factory=dict[str, pulumi.Input[str]])
    """Further VPCs in which a private zone resolves. Route53 refuses to associate a VPC twice."""
    foreign_vpc_ids: Mapping[str, pulumi.Input[str]] = field(
        default_factory=dict[str, pulumi.Input[str]]
    )
    """VPCs of other accounts: this component authorises the association, their account makes it."""
    teams: Mapping[str, ZoneTeam] = field(default_factory=dict[str, ZoneTeam])
    """Roles of the stacks that put their own services on this platform."""
    timing: DnsTiming = DnsTiming()
    """The times of the zone's names."""


@dataclass(frozen=True, kw_only=True)
class ZoneArgs(ZoneUse):
    """A new zone; for an existing one there is `ExistingZoneArgs`."""

    name: pulumi.Input[str]
    """The zone's domain."""
    public: bool = False
    """Publish the names to the internet."""
    acknowledge_public_addresses: bool = False
    """Required with `public`: anyone may then read the private addresses of Envoy's pods."""
    vpc_id: pulumi.Input[str] | None = None
    """A private zone's first VPC, with which Route53 creates the zone."""
    protect: bool = False
    """Have Pulumi refuse to delete the zone."""
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


class Zone(pulumi.ComponentResource):
    """Creates a hosted zone, private unless `public`, with negative caching of 30 s. For a VPC of
    another account it creates the authorisation; only that account can make the association. The
    role of each team gets an inline policy, `team_policy`.

    The zone is deleted together with every record in it. external-dns only upserts, so the Envoys'
    last addresses still exist when a stack is destroyed, and Route53 refuses to delete a zone that
    is not empty. Records of other stacks are deleted too: for a zone that must outlive the stack,
    use `ExistingZone`.

    Raises ValueError for a private zone without a VPC, which Route53 would make public; for a
    public zone with a VPC or without acknowledgement; and for a team's host that is outside the
    zone or belongs to two teams.
    """

    zone_id: pulumi.Output[str]
    """The zone's id, known only once negative caching is set: otherwise a look-up before a name
    exists would give NXDOMAIN for 15 minutes."""
    name: pulumi.Output[str]
    """The zone's domain, without a trailing dot."""
    arn: pulumi.Output[str]
    """The zone's ARN, for policies."""

    domain: pulumi.Input[str]
    """The zone's domain as given: a plain value stays plain."""
    timing: DnsTiming
    """The times of the zone's names. For `dns_convergence` no new pod may get a deleted pod's
    address (`ClusterArgs.pod_address_cooldown`)."""

    def __init__(
        self, name: str, args: ZoneArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        vpcs = [args.vpc_id] if args.vpc_id is not None else []
        refuse(
            f"Zone {name}",
            [*zone_is_answered(args, has_vpc=bool(vpcs)), *names_have_one_owner(args, owners={})],
        )
        if args.public and (vpcs or args.vpc_ids or args.foreign_vpc_ids):
            raise ValueError(f"Zone {name}: a public zone resolves everywhere; give no VPC")
        super().__init__("grpc-platform:index:Zone", name, {}, for_children_too(opts))
        zone = aws.route53.Zone(
            name,
            name=args.name,
            vpcs=[aws.route53.ZoneVpcArgs(vpc_id=vpc_id) for vpc_id in vpcs] or None,
            force_destroy=True,
            tags=args.tags,
            # Every ZoneAssociation appears in this list, and the next update would remove it.
            opts=pulumi.ResourceOptions(
                parent=self, ignore_changes=["vpcs"], protect=args.protect or None
            ),
        )
        soa = self._negative_caching(name, zone, args.name)
        self.zone_id = pulumi.Output.all(zone.zone_id, soa.urn).apply(lambda both: str(both[0]))
        self.arn = zone.arn
        self.domain = args.name
        self.timing = args.timing
        self.name = pulumi.Output.from_input(args.name)
        let_in(name, args, zone_id=zone.zone_id, zone_arn=zone.arn, parent=self)
        self.register_outputs({"zone_id": self.zone_id, "name": self.name, "arn": self.arn})

    def _negative_caching(
        self, name: str, zone: aws.route53.Zone, domain: pulumi.Input[str]
    ) -> aws.route53.Record:
        """Rewrite Route53's SOA. For negative caching, resolvers use the smaller of its TTL and its
        last field (RFC 2308), so both have the same value."""
        seconds = whole_seconds(NEGATIVE_CACHING)
        server = zone.primary_name_server.apply(lambda host: host.rstrip("."))
        return aws.route53.Record(
            f"{name}-soa",
            zone_id=zone.zone_id,
            name=domain,
            type="SOA",
            ttl=seconds,
            records=[
                pulumi.Output.concat(
                    server, f". awsdns-hostmaster.amazon.com. 1 7200 900 1209600 {seconds}"
                )
            ],
            allow_overwrite=True,
            # A zone must have an SOA: Route53 refuses to delete it
            # (https://github.com/hashicorp/terraform-provider-aws/issues/37863).
            opts=pulumi.ResourceOptions(parent=self, retain_on_delete=True),
        )


def let_in(
    name: str,
    use: ZoneUse,
    *,
    zone_id: pulumi.Input[str],
    zone_arn: pulumi.Input[str],
    parent: pulumi.Resource,
) -> None:
    """Associate or authorise the VPCs of a zone's users, and give its teams their policies."""
    child = pulumi.ResourceOptions(parent=parent)
    for key, vpc_id in use.vpc_ids.items():
        aws.route53.ZoneAssociation(f"{name}-{key}", zone_id=zone_id, vpc_id=vpc_id, opts=child)
    for key, vpc_id in use.foreign_vpc_ids.items():
        aws.route53.VpcAssociationAuthorization(
            f"{name}-{key}-authorization", zone_id=zone_id, vpc_id=vpc_id, opts=child
        )
    for key, team in use.teams.items():
        aws.iam.RolePolicy(
            f"{name}-{key}",
            role=known(lambda role: role.rpartition("/")[2], team.role),
            policy=team_policy(zone_arn, team.hosts),
            opts=child,
        )


def change_records(zone_arn: pulumi.Input[str], only: Mapping[str, Any]) -> dict[str, Any]:
    """IAM statement: change a zone's records, but only those that every condition in `only` allows.

    Its keys are the suffixes of Route53's condition keys: `NormalizedRecordNames`, `RecordTypes`
    and `Actions`:
    https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/specifying-conditions-route53.html
    """
    action = "route53:ChangeResourceRecordSets"
    allowed = {f"{action}{key}": values for key, values in only.items()}
    return {
        "Effect": "Allow",
        "Action": action,
        "Resource": zone_arn,
        "Condition": {"ForAllValues:StringEquals": allowed},
    }


def team_policy(
    zone_arn: pulumi.Input[str], hosts: Sequence[pulumi.Input[str]]
) -> pulumi.Output[str]:
    """IAM policy for a stack with a `GrpcService`: read the zone; write and delete the CNAMEs of
    `hosts` and no other record.
    """
    zone_arn = pulumi.Output.from_input(zone_arn)
    write = change_records(zone_arn, {"NormalizedRecordNames": hosts, "RecordTypes": ["CNAME"]})
    read: dict[str, Any] = {
        "Effect": "Allow",
        "Action": ["route53:GetHostedZone", "route53:ListResourceRecordSets"],
        "Resource": zone_arn,
    }
    # AWS's provider waits until a change has reached all name servers.
    wait: dict[str, Any] = {
        "Effect": "Allow",
        "Action": "route53:GetChange",
        "Resource": zone_arn.apply(lambda arn: f"{arn.partition(':hostedzone/')[0]}:change/*"),
    }
    return pulumi.Output.json_dumps({"Version": "2012-10-17", "Statement": [write, read, wait]})


def cname(
    name: str,
    *,
    zone_id: pulumi.Input[str],
    host: pulumi.Input[str],
    target: pulumi.Input[str],
    set_identifier: pulumi.Input[str],
    weight: pulumi.Input[int],
    ttl: pulumi.Input[int],
    opts: pulumi.ResourceOptions,
) -> aws.route53.Record:
    """A CNAME from a service's `host` to `target`, the name of its cluster's Envoys; `ttl` in
    seconds. If a `host` has several, Route53 answers with one of them, by `weight` (0 to 255).

    Even a single CNAME is weighted. Route53 refuses a simple record beside a weighted one of the
    same name (https://github.com/kubernetes-sigs/external-dns/issues/3141), so a simple one would
    have to be deleted or changed before a second cluster could have the name.
    """
    return aws.route53.Record(
        name,
        zone_id=zone_id,
        name=host,
        type="CNAME",
        ttl=ttl,
        records=[target],
        set_identifier=set_identifier,
        weighted_routing_policies=[aws.route53.RecordWeightedRoutingPolicyArgs(weight=weight)],
        opts=opts,
    )
