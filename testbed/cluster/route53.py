"""Brings the emulated Route53 to the state in the graph; runs inside the sandbox.

Standard input: ``{"zones": [...], "records": [...], "gone": [...]}``, zones as names, records as
Route53's own ResourceRecordSets. Standard output: each zone's id by its name.
"""

import importlib
import json
import sys
import time
from typing import Any

# Neither is typed; both are only installed with the local cluster.
boto3: Any = importlib.import_module("boto3")
config: Any = importlib.import_module("botocore.config")
exceptions: Any = importlib.import_module("botocore.exceptions")

_PATIENCE = 30  # seconds until the emulator answers


def main() -> None:
    """Make missing zones, then write and delete records."""
    wanted = json.load(sys.stdin)
    client: Any = boto3.client(
        "route53", config=config.Config(connect_timeout=2, retries={"total_max_attempts": 1})
    )
    ids = _zones(client)
    for name in wanted["zones"]:
        if name not in ids:
            answer = client.create_hosted_zone(Name=name, CallerReference=name)
            ids[name] = _bare(answer["HostedZone"]["Id"])
    for action, records in (("UPSERT", wanted["records"]), ("DELETE", wanted["gone"])):
        for record in records:
            zone_id = ids[_zone_of(record["Name"], ids)]
            _refuse_what_route53_does(client, zone_id, record)
            if "SetIdentifier" in record:
                # The emulator deletes by identifier alone, so make it unique per name.
                record["SetIdentifier"] += f" of {record['Name']}"
            change = {"Action": action, "ResourceRecordSet": record}
            client.change_resource_record_sets(
                HostedZoneId=zone_id, ChangeBatch={"Changes": [change]}
            )
    json.dump(ids, sys.stdout)


def _refuse_what_route53_does(client: Any, zone_id: str, record: dict[str, Any]) -> None:
    """Refuse a simple and a weighted record of the same name and type: the emulator takes both."""
    pages = client.get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone_id)
    for other in (record for page in pages for record in page["ResourceRecordSets"]):
        same = (other["Name"].rstrip("."), other["Type"]) == (record["Name"], record["Type"])
        if same and ("SetIdentifier" in other) != ("SetIdentifier" in record):
            sys.exit(f"InvalidChangeBatch: {record['Name']} is both a simple and a weighted record")


def _zones(client: Any) -> dict[str, str]:
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            zones = client.list_hosted_zones()["HostedZones"]
        except exceptions.ConnectionError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
        else:
            return {zone["Name"].rstrip("."): _bare(zone["Id"]) for zone in zones}


def _bare(zone_id: str) -> str:
    return zone_id.rpartition("/")[2]


def _zone_of(name: str, ids: dict[str, str]) -> str:
    """The most specific zone that holds the name."""
    holders = [zone for zone in ids if f".{name.rstrip('.')}".endswith(f".{zone}")]
    return max(holders, key=len)


if __name__ == "__main__":
    main()
