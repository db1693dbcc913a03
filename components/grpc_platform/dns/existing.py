"""An existing hosted zone, made elsewhere or by the same program."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from ..options import for_children_too
from ..rules import refuse
from ..rules.zone import names_have_one_owner
from ..timing import DnsTiming
from .zone import Zone, ZoneUse, let_in


@dataclass(frozen=True, kw_only=True)
class ExistingZoneArgs(ZoneUse):
    """The zone to use. A private one resolves in the VPCs it already has and in `vpc_ids`."""

    zone_id: pulumi.Input[str]
    name: pulumi.Input[str]
    """The zone's domain, without a trailing dot."""


class ExistingZone(pulumi.ComponentResource):
    """An existing hosted zone. The component adds the given VPCs and teams, as `Zone` does, and
    changes nothing else. The zone's SOA, and so its negative caching, stays as it is.

    external-dns only upserts. When you remove a cluster from a zone that stays, delete by hand the
    cluster's A record `<cluster>.<zone>` and the TXT record beside it
    (`external_dns.ownership_record`).

    Raises ValueError for a team's host that is outside the zone or belongs to two teams.
    """

    zone_id: pulumi.Output[str]
    """The zone's id."""
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
        self, name: str, args: ExistingZoneArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        refuse(f"ExistingZone {name}", names_have_one_owner(args, owners={}))
        # Release 0.1 had one component type for new and existing zones.
        former = pulumi.ResourceOptions(aliases=[pulumi.Alias(type_="grpc-platform:index:Zone")])
        super().__init__(
            "grpc-platform:index:ExistingZone",
            name,
            {},
            pulumi.ResourceOptions.merge(for_children_too(opts), former),
        )
        self.zone_id = pulumi.Output.from_input(args.zone_id)
        self.arn = aws.route53.get_zone_output(
            zone_id=args.zone_id, opts=pulumi.InvokeOutputOptions(parent=self)
        ).arn
        self.domain = args.name
        self.timing = args.timing
        self.name = pulumi.Output.from_input(args.name)
        let_in(name, args, zone_id=self.zone_id, zone_arn=self.arn, parent=self)
        self.register_outputs({"zone_id": self.zone_id, "name": self.name, "arn": self.arn})


AnyZone = Zone | ExistingZone
"""A hosted zone, new or existing: the outputs are the same."""
