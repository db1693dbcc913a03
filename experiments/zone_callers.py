"""The clients of `lost_zone`: with the client contract and without, of two services."""

import json
from dataclasses import dataclass, replace
from typing import Any

from experiments.keepalives import CHOSEN, FAMILIES, POLICIES, Keepalive, client_name, flags
from experiments.lab import Lab
from experiments.lost_nodes import DEADLINE, settle
from grpc_platform.service_config import service_config
from grpc_platform.specs import ServiceSpec
from grpc_platform.timing import DEFAULT_DEADLINE
from testbed.load.clients import Client

SAFE = "safe"
"""The service whose calls may run twice."""
SAFE_KEYS: dict[str, Any] = {"idempotent": True, "try_timeout": "2s"}


@dataclass(frozen=True, kw_only=True)
class Caller:
    """A client, elsewhere than in the lost zone."""

    family: str = "grpc-go"
    policy: str = "round_robin"
    keepalive: Keepalive | None = CHOSEN
    safe: bool = False

    def __str__(self) -> str:
        name = client_name(self.family, self.policy, self.keepalive)
        return f"{name}, idempotent" if self.safe else name

    def start(self, lab: Lab) -> Client:
        """Start it."""
        family = FAMILIES[self.family]
        balancing = f"--policy={self.policy}"
        if self == CONTRACT_SAFE:
            config = service_config(ServiceSpec(**SAFE_KEYS), DEFAULT_DEADLINE)
            balancing = f"--service-config={json.dumps(config)}"
        return lab.client(
            balancing,
            f"--channels={family.channels[self.policy]}",
            f"--rate={family.rate}",
            DEADLINE,
            *flags(self.keepalive),
            targets={"envoy": lab.target(SAFE if self.safe else "load")},
            family=self.family,
        )


CONTRACT = Caller()
CONTRACT_SAFE = Caller(safe=True)
DEFAULTS = Caller(policy="pick_first", keepalive=None)
CALLERS = (
    *(
        Caller(family=family, policy=policy, keepalive=keepalive)
        for family in FAMILIES
        for policy in POLICIES
        for keepalive in (CHOSEN, None)
    ),
    CONTRACT_SAFE,
    replace(DEFAULTS, safe=True),
)


def start(lab: Lab) -> dict[str, Client]:
    """Start them all, and wait until they call."""
    clients = {str(caller): caller.start(lab) for caller in CALLERS}
    settle(lab, clients)
    return clients
