"""Brings the emulated Route53 to what the graph says; runs inside the sandbox.

Standard input: ``{"zones": [...], "records": [...], "gone": [...]}``, zones as names, records as
Route53's own ResourceRecordSets. Standard output: each zone's id by its name.
"""

import importlib
import json
import sys
import time
from typing import Any

# Neither is typed, nor installed where the local cluster is not used.
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
            change = {"Action": action, "ResourceRecordSet": record}
            client.change_resource_record_sets(
                HostedZoneId=zone_id, ChangeBatch={"Changes": [change]}
            )
    json.dump(ids, sys.stdout)


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
    """The closest zone that holds the name."""
    holders = [zone for zone in ids if f".{name.rstrip('.')}".endswith(f".{zone}")]
    return max(holders, key=len)


if __name__ == "__main__":
    main()
