"""Pods of one owner are spread over the nodes."""

from collections import Counter

import pytest

from testbed.node_agent import Json
from testbed.node_agent.placement import Placement

ZONE = "topology.kubernetes.io/zone"
NODES = {f"node-{zone}": {ZONE: zone} for zone in "abc"}


@pytest.fixture
def placement() -> Placement:
    return Placement(NODES)


def pod(uid: str, owner: str | None = None, **selector: str) -> Json:
    meta: Json = {"uid": uid}
    if owner:
        meta["ownerReferences"] = [{"uid": owner}]
    spec: Json = {"nodeSelector": {ZONE: selector["zone"]}} if selector else {}
    return {"metadata": meta, "spec": spec}


def test_the_pods_of_each_owner_are_spread(placement: Placement):
    for owner in ("envoy", "load"):
        nodes = [placement.choose(pod(f"{owner}-{n}", owner)) for n in range(6)]
        assert Counter(nodes) == dict.fromkeys(NODES, 2)


def test_two_owners_of_one_pod_each_are_spread_too(placement: Placement):
    assert placement.choose(pod("1", "a")) != placement.choose(pod("2", "b"))


def test_a_pod_that_is_looked_at_again_keeps_its_node(placement: Placement):
    first = placement.choose(pod("1", "envoy"))
    placement.choose(pod("2", "envoy"))
    assert placement.choose(pod("1", "envoy")) == first


def test_a_pod_takes_the_place_of_one_that_left(placement: Placement):
    three = [pod(str(n), "envoy") for n in range(3)]
    nodes = [placement.choose(one) for one in three]
    placement.leave(three[1])
    assert placement.choose(pod("new", "envoy")) == nodes[1]


def test_a_pod_goes_where_its_selector_says_or_nowhere(placement: Placement):
    assert placement.choose(pod("1", "a", zone="b")) == "node-b"
    assert placement.choose(pod("2", "a", zone="b")) == "node-b"
    assert placement.choose(pod("3", "a", zone="z")) is None
