"""Which calls count after the loss of a node, and which claims then hold."""

from typing import Any

import pytest

pytest.importorskip("experiments.plots", reason="needs the local group")

from experiments import lost_envoy, lost_server
from experiments.experiment import Finding
from experiments.keepalives import CHOSEN, FAMILIES, POLICIES, RETRYING, client_name
from experiments.lost_envoy import BORNE, PERIOD, STALLS
from experiments.lost_nodes import account


def window(at: float, **counts: Any) -> dict[str, Any]:
    return {"at": at, "ok": 10, "failed": 0, "max": 2.5, "opened": 1} | counts


def test_the_calls_of_the_period_count_and_no_others() -> None:
    windows = [
        window(98.0, failed=7),
        window(99.5),  # the loss was in this second
        window(100.5, failed=3, max=None, ok=0),
        window(104.5, failed=2, max=900.0),
        window(108.5),
        window(109.5, failed=9),  # partly after it
    ]
    told = account({"windows": windows}, 100.0, 10.0)
    assert (told["calls"], told["failed"], told["opened"]) == (35, 5, 4)
    assert told["by_second"] == [0, 3, 2, 0]
    assert (told["until"], told["slowest"]) == (5.5, 900.0)


def test_c_core_reports_no_connections() -> None:
    told = account({"windows": [{"at": 1.0, "ok": 1, "failed": 0, "max": 1.0}]}, 1.0, 5.0)
    assert (told["opened"], told["until"]) == (0, 0.0)


def an_account(*, failed: int = 0, calls: int = 18_000) -> dict[str, Any]:
    told = {"calls": calls, "failed": failed, "until": 4.5, "slowest": 3.0, "opened": 0}
    return told | {"by_second": [failed, 0], "held": 0.3}


def lost_envoy_result(chosen: int = 100, period: int = PERIOD, stalled: int = 0) -> dict[str, Any]:
    clients = {
        client_name(family, policy, keepalive): an_account(
            failed=chosen if keepalive == CHOSEN else 5000, calls=60 * period
        )
        for family, spec in FAMILIES.items()
        for policy in POLICIES
        for keepalive in spec.keepalives
    }
    clients[RETRYING] = an_account()
    still = {name: an_account(failed=stalled) for name in clients}
    stalls = [{"what": what, "seconds": BORNE, "clients": still} for what in STALLS]
    ended = {"at": 0.0, "code": "UNAVAILABLE", "message": "too_many_pings", "after_ms": 30.0}
    pings: dict[str, dict[str, Any]] = {
        "envoy": {"codes": {"OK": 8}, "connections": 8, "failures": []},
        "direct": {"codes": {"UNAVAILABLE": 8}, "connections": 16, "failures": [ended]},
    }
    return {"stalls": stalls, "pings": pings, "lost": {"period": period, "clients": clients}}


def broken(findings: list[Finding]) -> list[str]:
    return [finding.claim for finding in findings if finding.binding and not finding.holds]


def test_under_one_percent_of_five_minutes_is_the_goal() -> None:
    assert not broken(lost_envoy.findings(lost_envoy_result(chosen=179)))
    lost = broken(lost_envoy.findings(lost_envoy_result(chosen=180)))
    assert len(lost) == len(FAMILIES)
    assert all("under 1 %" in claim for claim in lost)
    short = lost_envoy_result(chosen=179, period=PERIOD // 4)
    assert not broken(lost_envoy.findings(short)), "the goal is of five minutes"


def test_a_short_stall_must_lose_nothing() -> None:
    claims = broken(lost_envoy.findings(lost_envoy_result(stalled=1)))
    assert len(claims) == len(STALLS)


def test_a_keepalive_that_changes_nothing_shows_nothing() -> None:
    assert any(
        "without keepalive" in c for c in broken(lost_envoy.findings(lost_envoy_result(4999)))
    )


def test_pings_must_end_connections_where_they_are_not_permitted() -> None:
    result = lost_envoy_result()
    result["pings"]["direct"] = result["pings"]["envoy"]
    assert broken(lost_envoy.findings(result)) == [
        "straight to a server with gRPC's default policy the same pings end connections"
    ]


def test_the_page_has_a_row_for_each_client_and_each_stall() -> None:
    text = lost_envoy.tell(lost_envoy_result())
    assert text.count("| grpc-go, ") == len(POLICIES) * len(FAMILIES["grpc-go"].keepalives) + 1
    assert text.count(f" for {BORNE} s | 0 failed, 0 opened") == len(STALLS)


def lost_server_result(**failed: int) -> dict[str, Any]:
    def one(service: str) -> dict[str, Any]:
        lost = an_account(failed=failed.get(service, 3000), calls=10_000)
        return {"lost": lost, "killed": an_account(), "codes": {}, "slow": 5}

    clients = {service: one(service) for service in lost_server.SERVICES}
    return {name: {"period": 100, "clients": clients} for name in lost_server.PATIENCE}


def test_retries_must_help() -> None:
    assert not broken(lost_server.findings(lost_server_result(chosen=0)))
    assert broken(lost_server.findings(lost_server_result())) == [
        "with `idempotent`, `try_timeout: 2s` hardly any is"
    ]
    assert "30.00 % (3,000)" in lost_server.tell(lost_server_result())
