import json
from collections.abc import Callable
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest
from pydantic import ValidationError

from grpc_platform.dns.existing import ExistingZone, ExistingZoneArgs
from grpc_platform.dns.zone import Zone, ZoneArgs, ZoneTeam, cname
from grpc_platform.specs import ZoneSpec
from grpc_platform_tools.graph import Graph
from tests.iam import findings

DOMAIN = "grpc.example.com"
AUTHORISATION = "aws:route53/vpcAssociationAuthorization:VpcAssociationAuthorization"
ASSOCIATION = "aws:route53/zoneAssociation:ZoneAssociation"
RECORD = "aws:route53/record:Record"
ZONE = "aws:route53/zone:Zone"

Recorded = Callable[[Callable[[], object]], Graph]


@pytest.fixture
def zone(recorded: Recorded) -> Callable[..., Graph]:
    def build(*, vpc_id: str | None = "vpc-own", **given: Any) -> Graph:
        args = ZoneArgs(name=DOMAIN, vpc_id=vpc_id, tags={"team": "platform"}, **given)
        return recorded(lambda: Zone("zone", args))

    return build


@pytest.fixture
def existing(recorded: Recorded) -> Callable[..., Graph]:
    def build(**given: Any) -> Graph:
        args = ExistingZoneArgs(zone_id="Z0123", name=DOMAIN, **given)
        return recorded(lambda: ExistingZone("zone", args))

    return build


def authorised(graph: Graph) -> dict[str, str]:
    return {a.name: a.inputs["vpcId"] for a in graph.of_type(AUTHORISATION)}


def associated(graph: Graph) -> dict[str, str]:
    return {a.name: a.inputs["vpcId"] for a in graph.of_type(ASSOCIATION)}


def test_a_new_zone_is_private_to_its_vpc(zone: Callable[..., Graph]) -> None:
    made = zone().only(ZONE).inputs
    assert made["name"] == DOMAIN
    assert made["vpcs"] == [{"vpcId": "vpc-own"}]
    assert made["tags"] == {"team": "platform"}


def test_further_vpcs_are_associated(zone: Callable[..., Graph]) -> None:
    graph = zone(vpc_ids={"a": "vpc-a", "b": pulumi.Output.from_input("vpc-b")})
    assert associated(graph) == {"zone-a": "vpc-a", "zone-b": "vpc-b"}
    assert authorised(graph) == {}


def test_a_vpc_of_another_account_is_authorised_and_left_to_that_account_to_associate(
    zone: Callable[..., Graph], existing: Callable[..., Graph]
) -> None:
    for build, zone_id in ((zone, f"Z-{DOMAIN}"), (existing, "Z0123")):
        graph = build(vpc_ids={"a": "vpc-a"}, foreign_vpc_ids={"c": "vpc-c"})
        assert associated(graph) == {"zone-a": "vpc-a"}
        assert authorised(graph) == {"zone-c-authorization": "vpc-c"}
        assert graph.only(AUTHORISATION).inputs == {"zoneId": zone_id, "vpcId": "vpc-c"}


def test_an_update_leaves_the_associations_of_callers_alone(zone: Callable[..., Graph]) -> None:
    assert zone(vpc_ids={"a": "vpc-a"}).only(ZONE).options["ignore_changes"] == ["vpcs"]


def test_a_public_zone_is_bound_to_no_vpc(zone: Callable[..., Graph]) -> None:
    acknowledged: dict[str, Any] = {"public": True, "acknowledge_public_addresses": True}
    assert "vpcs" not in zone(vpc_id=None, **acknowledged).only(ZONE).inputs
    for given in ({}, {"vpc_id": None, "foreign_vpc_ids": {"b": "vpc-b"}}):
        with pytest.raises(ValueError, match="Zone zone: a public zone resolves everywhere"):
            zone(**acknowledged, **given)


def test_a_private_zone_without_a_vpc_is_refused_rather_than_made_public(
    zone: Callable[..., Graph],
) -> None:
    with pytest.raises(ValueError, match="a new private zone needs a VPC"):
        zone(vpc_id=None)


def test_a_protected_zone_can_still_lose_a_caller(zone: Callable[..., Graph]) -> None:
    """Protection of the component would hold for all that it made."""
    graph = zone(vpc_ids={"a": "vpc-a"}, protect=True)
    assert [r.type for r in graph if r.options.get("protect")] == [ZONE]
    assert not [r for r in zone() if r.options.get("protect")]


def test_negative_caching_ends_after_thirty_seconds(zone: Callable[..., Graph]) -> None:
    soa = zone().only(RECORD).inputs
    server, contact, *times = soa["records"][0].split()
    assert (soa["name"], soa["type"], soa["zoneId"]) == (DOMAIN, "SOA", f"Z-{DOMAIN}")
    # RFC 2308 takes the smaller of the two; some resolvers read only one of them.
    assert (soa["ttl"], int(times[-1])) == (30, 30)
    assert (server, contact) == ("ns-0.awsdns-00.com.", "awsdns-hostmaster.amazon.com.")
    assert len(times) == 5


def test_the_soa_replaces_the_one_route53_made_and_goes_with_the_zone(
    zone: Callable[..., Graph],
) -> None:
    soa = zone().only(RECORD)
    assert soa.inputs["allowOverwrite"] is True
    assert soa.options["retain_on_delete"] is True


def test_the_addresses_that_external_dns_leaves_behind_do_not_keep_a_zone_alive(
    zone: Callable[..., Graph],
) -> None:
    assert zone().only(ZONE).inputs["forceDestroy"] is True


def test_an_existing_zone_is_left_as_it_is(existing: Callable[..., Graph]) -> None:
    graph = existing()
    assert [r.name for r in graph if not r.is_component] == []
    assert graph.only("grpc-platform:index:ExistingZone").outputs == {
        "zone_id": "Z0123",
        "name": DOMAIN,
        "arn": "arn:aws:route53:::hostedzone/Z0123",
    }


def test_an_existing_zone_is_looked_up_where_its_component_is_told_to(recorded: Recorded) -> None:
    """In GovCloud a zone's ARN is in another partition, and policies name it."""

    def program() -> None:
        theirs = pulumi.ResourceOptions(providers=[aws.Provider("gov", region="us-gov-west-1")])
        ExistingZone("zone", ExistingZoneArgs(zone_id="Z0123", name=DOMAIN), theirs)

    arn = recorded(program).only("grpc-platform:index:ExistingZone").outputs["arn"]
    assert arn == "arn:aws-us-gov:route53:::hostedzone/Z0123"


def test_an_existing_private_zone_is_answered_in_the_vpcs_that_are_named(
    existing: Callable[..., Graph],
) -> None:
    graph = existing(vpc_ids={"network": "vpc-own"})
    assert associated(graph) == {"zone-network": "vpc-own"}
    assert {a.inputs["zoneId"] for a in graph.of_type(ASSOCIATION)} == {"Z0123"}


def test_an_existing_zone_keeps_what_release_0_1_made_for_it(
    existing: Callable[..., Graph],
) -> None:
    """Its component was a Zone then."""
    graph = existing(vpc_ids={"network": "vpc-own"})
    former = [alias for r in graph for alias in r.aliases]
    assert [alias.partition("::")[2].partition("::")[2] for alias in former] == [
        "grpc-platform:index:Zone::zone",
        "grpc-platform:index:Zone$aws:route53/zoneAssociation:ZoneAssociation::zone-network",
    ]


def test_a_cname_points_a_host_at_its_clusters_envoys_after_the_soa(recorded: Recorded) -> None:
    def program() -> None:
        zone = Zone("zone", ZoneArgs(name=DOMAIN, vpc_id="vpc-own"))
        cname(
            "greeter",
            zone_id=zone.zone_id,
            host=f"greeter.{DOMAIN}",
            target=f"serving.{DOMAIN}",
            set_identifier="serving",
            weight=100,
            ttl=30,
            opts=pulumi.ResourceOptions(parent=zone),
        )

    graph = recorded(program)
    record = graph.only(RECORD, "greeter")
    assert record.inputs == {
        "zoneId": f"Z-{DOMAIN}",
        "name": f"greeter.{DOMAIN}",
        "type": "CNAME",
        "ttl": 30,
        "records": [f"serving.{DOMAIN}"],
        "setIdentifier": "serving",
        "weightedRoutingPolicies": [{"weight": 100}],
    }
    # Before it, a look-up of the host would get an NXDOMAIN that resolvers cache for 15 minutes.
    assert graph.only(RECORD, "zone-soa").urn in graph.needs(record)


def test_a_team_may_write_the_cnames_of_its_own_names_and_nothing_else(
    zone: Callable[..., Graph],
) -> None:
    hosts = [f"billing.{DOMAIN}", f"ledger.{DOMAIN}"]
    role = pulumi.Output.from_input("sso/eu/payments")
    graph = zone(teams={"payments": ZoneTeam(role=role, hosts=hosts)})
    policy = graph.only("aws:iam/rolePolicy:RolePolicy", "zone-payments").inputs
    assert policy["role"] == "payments"
    write, *others = json.loads(policy["policy"])["Statement"]
    assert {statement["Effect"] for statement in (write, *others)} == {"Allow"}
    assert write["Action"] == "route53:ChangeResourceRecordSets"
    assert write["Resource"] == f"arn:aws:route53:::hostedzone/Z-{DOMAIN}"
    assert write["Condition"] == {
        "ForAllValues:StringEquals": {
            "route53:ChangeResourceRecordSetsNormalizedRecordNames": hosts,
            "route53:ChangeResourceRecordSetsRecordTypes": ["CNAME"],
        }
    }
    assert [(other["Action"], other["Resource"]) for other in others] == [
        (["route53:GetHostedZone", "route53:ListResourceRecordSets"], write["Resource"]),
        ("route53:GetChange", "arn:aws:route53:::change/*"),
    ]
    assert findings(graph) == []


def test_a_host_that_is_known_later_is_let_in_and_those_beside_it_are_still_checked(
    zone: Callable[..., Graph],
) -> None:
    later = pulumi.Output.from_input(f"billing.{DOMAIN}")
    graph = zone(teams={"payments": ZoneTeam(role="payments", hosts=[later])})
    policy = graph.only("aws:iam/rolePolicy:RolePolicy").inputs["policy"]
    assert f"billing.{DOMAIN}" in policy
    with pytest.raises(ValueError, match=r"teams\.payments\.hosts\.1 = a\.example\.org: must be"):
        zone(teams={"payments": ZoneTeam(role="payments", hosts=[later, "a.example.org"])})


def test_a_zone_id_in_another_form_is_refused() -> None:
    with pytest.raises(ValidationError, match="String should match pattern"):
        ZoneSpec(name=DOMAIN, zone_id="/hostedzone/Z0123")


def test_a_zone_tells_what_others_need_of_it_and_owns_all_that_it_makes(
    zone: Callable[..., Graph],
) -> None:
    graph = zone(
        vpc_ids={"a": "vpc-a"},
        foreign_vpc_ids={"b": "vpc-b"},
        teams={"payments": ZoneTeam(role="payments", hosts=[f"billing.{DOMAIN}"])},
    )
    component = graph.only("grpc-platform:index:Zone")
    assert component.outputs == {
        "zone_id": f"Z-{DOMAIN}",
        "name": DOMAIN,
        "arn": f"arn:aws:route53:::hostedzone/Z-{DOMAIN}",
    }
    assert {r.parent for r in graph if r.type.startswith("aws:")} == {component.urn}
