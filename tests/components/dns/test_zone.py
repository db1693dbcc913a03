import json
from collections.abc import Callable
from typing import Any

import pulumi
import pytest
from pydantic import ValidationError

from grpc_platform.dns.zone import Zone, ZoneArgs, cname
from grpc_platform.specs import CallerSpec, ZoneSpec
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
    def build(*, vpc_id: str | None = "vpc-own", callers: Any = (), **spec: Any) -> Graph:
        args = ZoneArgs(
            spec=ZoneSpec(name=DOMAIN, **spec),
            vpc_id=vpc_id,
            callers={str(number): caller for number, caller in enumerate(callers)},
            tags={"team": "platform"},
        )
        return recorded(lambda: Zone("zone", args))

    return build


def caller(vpc_id: str, account_id: str | None = None) -> CallerSpec:
    return CallerSpec(cidr="10.30.0.0/16", vpc_id=vpc_id, account_id=account_id)


def authorised(graph: Graph) -> dict[str, str]:
    return {a.name: a.inputs["vpcId"] for a in graph.of_type(AUTHORISATION)}


def associated(graph: Graph) -> dict[str, str]:
    return {a.name: a.inputs["vpcId"] for a in graph.of_type(ASSOCIATION)}


def test_a_new_zone_is_private_to_its_vpc(zone: Callable[..., Graph]) -> None:
    made = zone().only(ZONE).inputs
    assert made["name"] == DOMAIN
    assert made["vpcs"] == [{"vpcId": "vpc-own"}]
    assert made["tags"] == {"team": "platform"}


def test_every_caller_vpc_is_associated_once(zone: Callable[..., Graph]) -> None:
    graph = zone(callers=[caller("vpc-b"), caller("vpc-a"), caller("vpc-b")])
    assert associated(graph) == {"zone-vpc-a": "vpc-a", "zone-vpc-b": "vpc-b"}
    assert authorised(graph) == {}


def test_a_vpc_of_another_account_is_authorised_and_left_to_that_account_to_associate(
    zone: Callable[..., Graph],
) -> None:
    foreign = caller("vpc-c", "210987654321")
    for existing in ({}, {"zone_id": "Z0123", "vpc_id": None}):
        graph = zone(callers=[caller("vpc-a"), foreign, foreign], **existing)
        assert associated(graph) == {"zone-vpc-a": "vpc-a"}
        assert authorised(graph) == {"zone-vpc-c-authorization": "vpc-c"}
        known = existing.get("zone_id", f"Z-{DOMAIN}")
        assert graph.only(AUTHORISATION).inputs == {"zoneId": known, "vpcId": "vpc-c"}


def test_an_update_leaves_the_associations_of_callers_alone(zone: Callable[..., Graph]) -> None:
    assert zone(callers=[caller("vpc-a")]).only(ZONE).options["ignore_changes"] == ["vpcs"]


def test_a_public_zone_is_bound_to_no_vpc(zone: Callable[..., Graph]) -> None:
    graph = zone(
        public=True,
        acknowledge_public_addresses=True,
        callers=[caller("vpc-a"), caller("vpc-b", "210987654321")],
    )
    assert "vpcs" not in graph.only(ZONE).inputs
    assert associated(graph) == authorised(graph) == {}


def test_a_private_zone_without_a_vpc_is_refused_rather_than_made_public(
    zone: Callable[..., Graph],
) -> None:
    with pytest.raises(ValueError, match="a new private zone is answered in a VPC"):
        zone(vpc_id=None)


def test_resolvers_forget_a_missing_name_after_thirty_seconds(zone: Callable[..., Graph]) -> None:
    soa = zone().only(RECORD).inputs
    server, contact, *times = soa["records"][0].split()
    assert (soa["name"], soa["type"], soa["zoneId"]) == (DOMAIN, "SOA", f"Z-{DOMAIN}")
    # RFC 2308 takes the smaller of the two; some resolvers know but one of them.
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


def test_an_existing_zone_is_left_as_it_is(zone: Callable[..., Graph]) -> None:
    graph = zone(zone_id="Z0123", vpc_id=None)
    assert [r.name for r in graph if not r.is_component] == []
    assert graph.only("grpc-platform:index:Zone").outputs == {
        "zone_id": "Z0123",
        "name": DOMAIN,
        "arn": "arn:aws:route53:::hostedzone/Z0123",
    }


def test_an_existing_private_zone_is_answered_in_the_vpcs_that_are_named(
    zone: Callable[..., Graph],
) -> None:
    graph = zone(zone_id="Z0123", vpc_id="vpc-own", callers=[caller("vpc-a")])
    assert associated(graph) == {"zone-network": "vpc-own", "zone-vpc-a": "vpc-a"}
    assert {a.inputs["zoneId"] for a in graph.of_type(ASSOCIATION)} == {"Z0123"}


def test_a_cname_points_a_host_at_its_clusters_envoys_after_the_soa(recorded: Recorded) -> None:
    def program() -> None:
        zone = Zone("zone", ZoneArgs(spec=ZoneSpec(name=DOMAIN), vpc_id="vpc-own"))
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
    # Before it, whoever asks for the host would be told for 15 minutes that there is none.
    assert graph.only(RECORD, "zone-soa").urn in graph.needs(record)


def test_a_team_may_write_the_cnames_of_its_own_names_and_nothing_else(
    zone: Callable[..., Graph],
) -> None:
    hosts = [f"billing.{DOMAIN}", f"ledger.{DOMAIN}"]
    graph = zone(teams={"payments": {"role": "sso/eu/payments", "hosts": hosts}})
    policy = graph.only("aws:iam/rolePolicy:RolePolicy", "zone-payments").inputs
    assert policy["role"] == "payments"
    write, *others = json.loads(policy["policy"])["Statement"]
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


def test_a_zone_id_in_another_form_is_refused() -> None:
    with pytest.raises(ValidationError, match="String should match pattern"):
        ZoneSpec(name=DOMAIN, zone_id="/hostedzone/Z0123")
