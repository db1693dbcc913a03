"""Label selectors as the horizontal pod autoscaler sends them, and pod addresses."""

import os
from unittest import mock

import pytest

pytest.importorskip("psutil", reason="needs the local group")

from testbed.node_agent import sandbox
from testbed.node_agent.metrics import selects
from testbed.node_agent.sandbox import Network, SandboxError

LABELS = {"app": "envoy", "tier": "edge"}


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("", True),
        ("app=envoy", True),
        ("app=envoy,tier=edge", True),
        ("app=envoy,tier=core", False),
        ("app==envoy", True),
        ("app!=envoy", False),
        ("app in (contour, envoy)", True),
        ("app notin (contour,envoy),tier=edge", False),
        ("app in (contour),tier=edge", False),
        ("tier", True),
        ("!tier", False),
        ("!zone", True),
        ("zone", False),
        ("example.com/app=x", False),
    ],
)
def test_selectors(selector: str, expected: bool):
    assert selects(selector, LABELS) is expected


def test_an_address_comes_back_only_after_all_others_were_used():
    network = Network("br0", "10.0.0.1", "10.0.0.0/27")
    first = network.take()
    network.give_back(first)
    others = [network.take() for _ in range(14)]
    assert first not in others
    assert network.take() == first


def test_no_address_is_left_when_all_are_taken():
    network = Network("br0", "10.0.0.1", "10.0.0.0/27")
    taken = [str(network.take().ip) for _ in range(15)]
    assert len(set(taken)) == 15
    assert "10.0.0.31" not in taken  # broadcast
    with pytest.raises(SandboxError, match="no address left"):
        network.take()


def test_the_addresses_of_ended_pods_come_back_when_all_others_are_taken(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(sandbox, "_call_in", mock.Mock())
    network = Network("br0", "10.0.0.1", "10.0.0.0/27")
    ended = [network.take() for _ in range(3)]
    namespaces = [os.open(os.devnull, os.O_RDONLY) for _ in ended]
    for address, namespace in zip(ended, namespaces, strict=True):
        network.silence(address, namespace)
    others = [network.take() for _ in range(12)]
    assert not set(others) & set(ended)
    assert [network.take() for _ in range(3)] == ended
    for namespace in namespaces:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(namespace)
