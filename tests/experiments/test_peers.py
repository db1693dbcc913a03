"""What the figures of the peers must show."""

import copy
from typing import Any

import pytest

pytest.importorskip("experiments.plots", reason="needs the local group")

from experiments import peer_hops, peers
from experiments.paired import DIRECT, QUANTILES, SHIPPED
from experiments.peer_hops import CONTROL
from experiments.peers import findings
from experiments.peers_page import NAMES, tell


def calls(**more: Any) -> dict[str, Any]:
    even = {"a": 100, "b": 100, "c": 100}
    told: dict[str, Any] = {
        "codes": {"OK": 300},
        "pods": even,
        "connections": 8,
        "windows": [],
        **more,
    }
    return {"calls": told, "streams": {"codes": {"OK": 10}}}


def result() -> dict[str, Any]:
    names = list(NAMES)
    way = {
        "milliseconds": dict.fromkeys(QUANTILES, 1.0),
        "cpu": 10.0,
        "calls_per_second": 1.0,
        "codes": {},
    }
    moved = {"to_new_servers": 0.4, "to_new_hops": 0.5}
    slower = {**way, "milliseconds": dict.fromkeys(QUANTILES, 1.5)}
    cost = [{DIRECT: way, **dict.fromkeys(names, slower)}]
    figures: dict[str, Any] = {
        "cost": {"one": cost, "saturation": cost},
        "balance": {name: calls() for name in names},
        "route change": {name: calls() for name in names},
        "rollout": {name: calls() for name in names},
        "scale-out": {name: calls(**moved) for name in names},
    }
    figures["scale-out"][CONTROL] = calls(to_new_servers=0.0, to_new_hops=0.0)
    return copy.deepcopy(figures)


def failed(figures: dict[str, Any]) -> dict[str, bool]:
    """The claims that do not hold, and whether the run fails for them."""
    return {f.claim: f.binding for f in findings(figures) if not f.holds}


def test_only_the_control_stays_where_it_is() -> None:
    assert failed(result()) == {
        "L4 balancer: new servers get calls of connections that were up": False,
        "L4 balancer: new hops get calls of connections that were up": False,
    }


def test_the_run_fails_for_what_the_shipped_one_loses_and_not_for_a_peer() -> None:
    figures = result()
    figures["rollout"][SHIPPED]["calls"]["codes"] = {"OK": 1, "UNAVAILABLE": 1}
    figures["rollout"]["nginx"]["streams"]["codes"] = {"INTERNAL": 1}
    found = failed(figures)
    assert found["Envoy as shipped: a rollout of the hop loses nothing"]
    assert not found["nginx: a rollout of the hop loses nothing"]


def test_a_server_without_a_call_counts_as_uneven() -> None:
    figures = result()
    figures["balance"][CONTROL]["calls"]["pods"] = {"a": 100, "b": 100}
    assert "L4 balancer: calls fall evenly on the servers" in failed(figures)


def test_the_control_fails_when_its_connections_move() -> None:
    figures = result()
    figures["scale-out"][CONTROL]["calls"]["to_new_hops"] = 0.3
    assert failed(figures)["behind an L4 balancer connections stay where they are"]


def test_what_is_not_on_the_machine_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    figures = result()
    for scenario in ("balance", "route change", "rollout", "scale-out"):
        del figures[scenario]["haproxy"]
    assert "Not on this machine: HAProxy." in tell(figures)
    assert "| HAProxy |" not in tell(figures)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(peer_hops, "PLACES", ())
    assert peer_hops.program("nginx") is None


def test_what_a_peer_lacks_is_told_from_its_figures() -> None:
    figures = result()
    figures["scale-out"]["haproxy"]["calls"]["to_new_hops"] = 0.01
    figures["rollout"]["nginx"]["streams"]["codes"] = {"INTERNAL": 2}
    text = tell(figures)
    assert "for 1.00 times its CPU; sends 1% to new hops where half is even.\n" in text
    assert "; loses 0 calls, 2 streams by a rollout of the hop.\n" in text
    assert "- Caddy adds 1.00 times what Envoy adds, for 1.00 times its CPU.\n" in text


def test_a_quick_run_can_be_told() -> None:
    figures = result()
    del figures["rollout"], figures["scale-out"]
    assert "| nginx | 0.50 ms | 0.50 ms | 10 µs | 1.00 | – | – | 0 calls" in tell(figures)
    assert list(peers.draw(figures)) == ["peers"]
    assert not failed(figures)
