"""Clients with each keepalive that gRPC takes, for `lost_envoy`."""

import json
from dataclasses import dataclass

from experiments.lab import Lab
from experiments.lost_nodes import DEADLINE, settle
from grpc_platform.service_config import service_config
from grpc_platform.specs import ServiceSpec
from grpc_platform.timing import DEFAULT_DEADLINE, KEEPALIVE_TIME, KEEPALIVE_TIMEOUT
from testbed.load.clients import Client


@dataclass(frozen=True)
class Keepalive:
    """A client's keepalive, in seconds."""

    time: float
    timeout: float

    def __str__(self) -> str:
        return f"{self.time:g} s / {self.timeout:g} s"


CHOSEN = Keepalive(KEEPALIVE_TIME.total_seconds(), KEEPALIVE_TIMEOUT.total_seconds())
KEEPALIVES = (
    None,
    Keepalive(30, 10),
    Keepalive(10, 10),
    CHOSEN,
    Keepalive(10, 3),
    Keepalive(10, 2),
)
POLICIES = ("round_robin", "pick_first")


@dataclass(frozen=True, kw_only=True)
class Family:
    """An implementation of gRPC: calls a second of each client, and its channels by policy."""

    rate: int
    channels: dict[str, int]
    keepalives: tuple[Keepalive | None, ...] = KEEPALIVES


FAMILIES = {
    "grpc-go": Family(rate=60, channels={"round_robin": 6, "pick_first": 24}),
    "C-core": Family(
        rate=20,
        channels={"round_robin": 2, "pick_first": 12},
        keepalives=(None, CHOSEN, Keepalive(10, 2)),
    ),
}
RETRYING = f"grpc-go, round_robin, {CHOSEN}, idempotent"
"""The client of a service that declares its calls idempotent."""


def client_name(family: str, policy: str, keepalive: Keepalive | None) -> str:
    """A client's name in the result."""
    return f"{family}, {policy}, {keepalive or 'none'}"


def start(lab: Lab) -> dict[str, Client]:
    """Start a client for each family, policy and keepalive, and `RETRYING`."""
    clients: dict[str, Client] = {}
    for name, family in FAMILIES.items():
        for policy in POLICIES:
            for keepalive in family.keepalives:
                clients[client_name(name, policy, keepalive)] = lab.client(
                    f"--policy={policy}",
                    f"--channels={family.channels[policy]}",
                    f"--rate={family.rate}",
                    DEADLINE,
                    *flags(keepalive),
                    family=name,
                )
    config = service_config(ServiceSpec(idempotent=True), DEFAULT_DEADLINE)
    clients[RETRYING] = lab.client(
        f"--service-config={json.dumps(config)}",
        f"--channels={FAMILIES['grpc-go'].channels['round_robin']}",
        f"--rate={FAMILIES['grpc-go'].rate}",
        DEADLINE,
        *flags(CHOSEN),
    )
    settle(lab, clients)
    return clients


def flags(keepalive: Keepalive | None) -> tuple[str, ...]:
    """The arguments of `load client` for a keepalive."""
    if keepalive is None:
        return ()
    return (f"--keepalive={keepalive.time}s", f"--keepalive-timeout={keepalive.timeout}s")
