"""The hosted zone of all names, and the records this program writes itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pulumi_aws as aws

from ..options import for_children_too
from ..rules import refuse
from ..rules.zone import names_have_one_owner, zone_is_answered
from ..specs import CallerSpec, ZoneSpec
from ..timing import NEGATIVE_CACHING, DnsTiming, whole_seconds


@dataclass(frozen=True, kw_only=True)
class ZoneArgs:
    """Which zone, and the VPCs whose resolvers answer it while it is private."""

    spec: ZoneSpec
    vpc_id: pulumi.Input[str] | None = None
    """The VPC of the clusters. Required by a new private zone; for an existing one give it only if
    the zone is not answered there yet, because Route53 refuses to associate a VPC twice."""
    callers: Mapping[str, CallerSpec] = field(default_factory=dict[str, CallerSpec])
    """Whose VPCs are further ones, each once. A public zone needs neither."""
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


class Zone(pulumi.ComponentResource):
    """A hosted zone, private unless `spec.public`, with negative answers cached for 30 s; or the
    existing zone `spec.zone_id`, of which nothing is changed but the VPCs that are named. A VPC of
    another account is authorised here, and associated by that account: nobody else may. For
    each of `spec.teams` there is an inline policy of its role, `team_policy`.

    A new zone is deleted together with every record in it. external-dns only ever upserts, so the
    last addresses of each cluster's Envoys are still there when a stack is destroyed, and Route53
    refuses to delete a zone that is not empty. Records of other stacks go too: a zone with a life
    of its own is made elsewhere and given by id. There, and when one cluster leaves a stack that
    stays, whoever tears it down deletes that cluster's A record `<cluster>.<zone>` and the TXT
    record beside it (`external_dns.ownership_record`).

    Raises ValueError for a new private zone without a VPC, which Route53 would make public, for a
    public zone that is not acknowledged, and for a team's name outside the zone or of two teams.
    """

    zone_id: pulumi.Output[str]
    """The zone's id. Of a new zone, known only once its negative caching is set: a name asked for
    before it exists would otherwise be missing for 15 minutes."""
    name: pulumi.Output[str]
    """The zone's domain, without a trailing dot."""
    arn: pulumi.Output[str]
    """The zone's ARN, for policies."""

    domain: str
    """The same, for what is computed from it."""
    timing: DnsTiming
    """The times of its names; no new pod may get the address of a deleted one for as long as
    `dns_convergence` (`ClusterArgs.pod_address_cooldown`)."""

    def __init__(
        self, name: str, args: ZoneArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        spec = args.spec
        refuse(
            f"Zone {name}",
            [
                *zone_is_answered(spec, has_vpc=args.vpc_id is not None),
                *names_have_one_owner(spec, owners={}),
            ],
        )
        super().__init__("grpc-platform:index:Zone", name, {}, for_children_too(opts))
        self.domain = spec.name
        self.timing = spec.timing
        own_vpc = {} if args.vpc_id is None else {"network": args.vpc_id}
        caller_vpcs = {vpc_id: vpc_id for vpc_id in _vpc_ids(args.callers, foreign=False)}
        if spec.zone_id is not None:
            zone_id = pulumi.Output.from_input(spec.zone_id)
            self.zone_id = zone_id
            self.arn = aws.route53.get_zone_output(
                zone_id=spec.zone_id, opts=pulumi.InvokeOutputOptions(parent=self)
            ).arn
            associated = own_vpc | caller_vpcs
        else:
            zone = self._create(name, args)
            zone_id = zone.zone_id
            soa = self._negative_caching(name, zone, spec.name)
            self.zone_id = pulumi.Output.all(zone_id, soa.urn).apply(lambda known: str(known[0]))
            self.arn = zone.arn
            associated = caller_vpcs
        self.name = pulumi.Output.from_input(spec.name)
        if not spec.public:
            for key, vpc_id in associated.items():
                aws.route53.ZoneAssociation(
                    f"{name}-{key}",
                    zone_id=zone_id,
                    vpc_id=vpc_id,
                    opts=pulumi.ResourceOptions(parent=self),
                )
            for vpc_id in _vpc_ids(args.callers, foreign=True):
                aws.route53.VpcAssociationAuthorization(
                    f"{name}-{vpc_id}-authorization",
                    zone_id=zone_id,
                    vpc_id=vpc_id,
                    opts=pulumi.ResourceOptions(parent=self),
                )
        for team, member in spec.teams.items():
            aws.iam.RolePolicy(
                f"{name}-{team}",
                role=member.role.rpartition("/")[2],
                policy=team_policy(self.arn, member.hosts),
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({"zone_id": self.zone_id, "name": self.name, "arn": self.arn})

    def _create(self, name: str, args: ZoneArgs) -> aws.route53.Zone:
        vpcs = None
        if args.vpc_id is not None and not args.spec.public:
            vpcs = [aws.route53.ZoneVpcArgs(vpc_id=args.vpc_id)]
        return aws.route53.Zone(
            name,
            name=args.spec.name,
            vpcs=vpcs,
            force_destroy=True,
            tags=args.tags,
            # Every ZoneAssociation shows up in this list, and the next update would remove it.
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["vpcs"]),
        )

    def _negative_caching(
        self, name: str, zone: aws.route53.Zone, domain: str
    ) -> aws.route53.Record:
        """Rewrite the SOA that Route53 makes: resolvers obey the smaller of its TTL and its last
        field (RFC 2308), so both say the same."""
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
            # A zone without SOA cannot be: Route53 refuses the deletion
            # (https://github.com/hashicorp/terraform-provider-aws/issues/37863).
            opts=pulumi.ResourceOptions(parent=self, retain_on_delete=True),
        )


def _vpc_ids(callers: Mapping[str, CallerSpec], *, foreign: bool) -> list[str]:
    """Their VPCs, of other accounts or of this one."""
    these = [c for c in callers.values() if (c.account_id is not None) == foreign]
    return sorted({caller.vpc_id for caller in these if caller.vpc_id})


def change_records(zone_arn: pulumi.Input[str], only: Mapping[str, Any]) -> dict[str, Any]:
    """IAM statement: change records of a zone, none but those that every one of `only` allows.

    Its keys are the ends of Route53's own, `NormalizedRecordNames`, `RecordTypes` and `Actions`:
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


def team_policy(zone_arn: pulumi.Input[str], hosts: Sequence[str]) -> pulumi.Output[str]:
    """IAM policy: write and delete the CNAMEs of `hosts` and no other record, as a stack with a
    `GrpcService` does; read the zone.
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
    seconds. Of several of one `host`, Route53 gives each client one, by `weight` (0 to 255).

    Weighted even where it is the only one: Route53 takes no simple record beside a weighted one of
    its name (https://github.com/kubernetes-sigs/external-dns/issues/3141), so a simple one would
    have to go, or be changed, before a second cluster could be given the name.
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
