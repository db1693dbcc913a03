"""The emulated Route53 refuses what Route53 itself refuses."""

import io
import json
import sys
from typing import Any
from unittest import mock

import pytest

from testbed.cluster import route53

SIMPLE = {
    "Name": "greeter.grpc.test",
    "Type": "CNAME",
    "TTL": 30,
    "ResourceRecords": [{"Value": "old.grpc.test"}],
}
WEIGHTED = {**SIMPLE, "SetIdentifier": "old", "Weight": 100}


class Emulator:
    """Behaves like moto: it takes any records, and keeps them as sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []

    def list_hosted_zones(self) -> dict[str, Any]:
        return {"HostedZones": [{"Name": "grpc.test.", "Id": "/hostedzone/Z1"}]}

    def get_paginator(self, _: str) -> "Emulator":
        return self

    def paginate(self, **_: str) -> list[dict[str, Any]]:
        return [{"ResourceRecordSets": [record for _, record in self.sent]}]

    def change_resource_record_sets(self, **order: Any) -> None:
        (change,) = order["ChangeBatch"]["Changes"]
        self.sent.append((change["Action"], change["ResourceRecordSet"]))


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Emulator:
    there = Emulator()
    monkeypatch.setattr(route53.boto3, "client", mock.Mock(return_value=there))
    return there


def write(monkeypatch: pytest.MonkeyPatch, *records: dict[str, Any]) -> None:
    order = {"zones": ["grpc.test"], "records": records, "gone": []}
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(order)))
    route53.main()


@pytest.mark.parametrize("pair", [(SIMPLE, WEIGHTED), (WEIGHTED, SIMPLE)])
def test_a_simple_and_a_weighted_record_of_one_name_are_refused_in_either_order(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, pair: tuple[dict[str, Any], ...]
) -> None:
    with pytest.raises(SystemExit, match=r"greeter\.grpc\.test is both a simple and a weighted"):
        write(monkeypatch, *pair)
    assert len(emulator.sent) == 1


def test_identifiers_differ_from_name_to_name_where_records_go_by_them_alone(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(monkeypatch, WEIGHTED, {**WEIGHTED, "Name": "ticker.grpc.test"})
    assert len({record["SetIdentifier"] for _, record in emulator.sent}) == 2
