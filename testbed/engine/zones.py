"""Zones and records at the emulated Route53, with what Route53 refuses refused."""

import importlib
from typing import Any, cast

# Neither is typed, nor installed where the testbed is not used.
boto3: Any = importlib.import_module("boto3")
exceptions: Any = importlib.import_module("botocore.exceptions")

Values = dict[str, Any]

_OWN = ("NS", "SOA")
"""The records that every zone has by itself."""


class Refused(Exception):  # noqa: N818 (it is the answer)
    """What Route53 would answer."""


class Zones:
    """Route53 as far as a program here needs it."""

    def __init__(self) -> None:
        self._client: Any = boto3.client("route53")

    def make(self, name: str) -> Values:
        """A new zone's outputs."""
        made = self._client.create_hosted_zone(Name=name, CallerReference=name)
        return _outputs(made["HostedZone"])

    def named(self, zone_id: str) -> str | None:
        """The name of a zone; None if it is gone."""
        return next((zone["name"] for zone in self._all() if zone["id"] == zone_id), None)

    def looked_up(self, zone_id: str | None, name: str | None) -> Values:
        """What getZone answers of a zone that is here; of any other, nothing."""
        bare = (name or "").rstrip(".")
        found = [z for z in self._all() if zone_id == z["id"] or bare == z["name"]]
        return found[0] if found else {}

    def delete(self, zone_id: str, *, forced: bool) -> None:
        """Delete a zone, its records first where that is forced."""
        rest = [record for record in self._records(zone_id) if record["Type"] not in _OWN]
        if rest and not forced:
            raise Refused("HostedZoneNotEmpty: the zone has records: " + rest[0]["Name"])
        for record in rest:
            self._change(zone_id, ("DELETE", record))
        self._client.delete_hosted_zone(Id=zone_id)

    def write(self, inputs: Values, *, overwrite: bool) -> None:
        """Make the record of a resource's inputs, or change its values."""
        wanted = _record(inputs)
        for other in self._records(inputs["zoneId"]):
            if reason := _conflict(other, wanted, overwrite=overwrite):
                raise Refused(f"InvalidChangeBatch: [{reason}]")
        self._change(inputs["zoneId"], ("UPSERT", wanted))

    def update(self, before: Values, inputs: Values) -> None:
        """Bring a record from the inputs ``before`` to these. Where another set identifier makes it
        another record, AWS's provider deletes the one and creates the other in one batch:
        https://github.com/hashicorp/terraform-provider-aws/blob/main/internal/service/route53/record.go
        """
        old, new = _record(before), _record(inputs)
        if _key(old) == _key(new):
            self.write(inputs, overwrite=True)
            return
        found = [record for record in self._records(inputs["zoneId"]) if _key(record) == _key(old)]
        changes = (*(("DELETE", record) for record in found), ("CREATE", new))
        self._change(inputs["zoneId"], *changes)

    def read(self, inputs: Values) -> Values | None:
        """The record as it is, by the names of its inputs; None if it is gone."""
        wanted = _record(inputs)
        for found in self._records(inputs["zoneId"]):
            if _key(found) == _key(wanted):
                values = [value["Value"] for value in found["ResourceRecords"]]
                return {"ttl": found["TTL"], "records": values}
        return None

    def remove(self, inputs: Values) -> None:
        """Delete a record; one that is gone is no error."""
        wanted = _record(inputs)
        if not self.named(inputs["zoneId"]):
            return
        for found in self._records(inputs["zoneId"]):
            if _key(found) == _key(wanted):
                self._change(inputs["zoneId"], ("DELETE", found))

    def _all(self) -> list[Values]:
        return [_outputs(zone) for zone in self._client.list_hosted_zones()["HostedZones"]]

    def _records(self, zone_id: str) -> list[Values]:
        pages = self._client.get_paginator("list_resource_record_sets")
        found = pages.paginate(HostedZoneId=zone_id)
        return [record for page in found for record in page["ResourceRecordSets"]]

    def _change(self, zone_id: str, *changes: tuple[str, Values]) -> None:
        """One batch, of actions and their records."""
        batch = [{"Action": action, "ResourceRecordSet": record} for action, record in changes]
        self._client.change_resource_record_sets(
            HostedZoneId=zone_id, ChangeBatch={"Changes": batch}
        )


def _outputs(zone: Values) -> Values:
    zone_id = str(zone["Id"]).rpartition("/")[2]
    return {
        "id": zone_id,
        "zoneId": zone_id,
        "name": str(zone["Name"]).rstrip("."),
        "arn": f"arn:aws:route53:::hostedzone/{zone_id}",
        "primaryNameServer": "ns-0.awsdns-00.com",
        "nameServers": ["ns-0.awsdns-00.com", "ns-512.awsdns-00.net"],
    }


def _record(inputs: Values) -> Values:
    """Route53's own form; the emulator deletes by identifier alone, so it is made to differ from
    name to name."""
    weighted: Values = {}
    for policy in cast("list[Values]", inputs.get("weightedRoutingPolicies") or []):
        identifier = f"{inputs['setIdentifier']} of {inputs['name']}"
        weighted = {"SetIdentifier": identifier, "Weight": policy["weight"]}
    return {
        "Name": inputs["name"],
        "Type": inputs["type"],
        "TTL": inputs["ttl"],
        "ResourceRecords": [{"Value": value} for value in inputs["records"]],
        **weighted,
    }


def _conflict(other: Values, wanted: Values, *, overwrite: bool) -> str | None:
    """Why Route53 refuses a record beside another one; the emulator refuses none of these:
    https://github.com/kubernetes-sigs/external-dns/issues/3141
    https://github.com/ansible-collections/amazon.aws/issues/2694
    https://github.com/hashicorp/terraform-provider-aws/issues/11485
    """
    name, kind = wanted["Name"], wanted["Type"]
    if other["Name"].rstrip(".") != name.rstrip("."):
        return None
    if other["Type"] != kind:
        if "CNAME" not in (other["Type"], kind):
            return None
        return (
            f"RRSet of type {kind} with DNS name {name}. is not permitted as it conflicts with "
            "other records with the same DNS name"
        )
    if "SetIdentifier" in wanted and "SetIdentifier" not in other:
        return (
            f"RRSet with DNS name {name}., type {kind}, SetIdentifier {wanted['SetIdentifier']} "
            "cannot be created as a non-weighted set exists with the same name and type."
        )
    if "SetIdentifier" in other and "SetIdentifier" not in wanted:
        return (
            f"RRSet with DNS name {name}., type {kind} cannot be created as other RRSets exist "
            "with the same name and type."
        )
    if _key(other) == _key(wanted) and not overwrite:
        return (
            f"Tried to create resource record set [name='{name}.', type='{kind}'] but it already "
            "exists"
        )
    return None


def _key(record: Values) -> tuple[str, str, str]:
    return record["Name"].rstrip("."), record["Type"], record.get("SetIdentifier", "")
