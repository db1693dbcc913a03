"""A stack file that is right, to be changed."""

import copy
from datetime import date
from typing import Any

import pytest

from config.check import check
from config.mistakes import ConfigError

TODAY = date(2026, 11, 30)
"""A day on which the default versions are supported."""
NEW_CLUSTER = {
    "access": {"deployer_role": "deployer"},
    "public_access_cidrs": ["203.0.113.0/24"],
    "node_groups": {"default": {"instance_types": ["m7g.4xlarge"], "size": 6}},
}
EXISTING = {"existing": {"context": "there", "kubeconfig": "file", "eks_cluster_name": "there"}}
SUBNETS = ["subnet-0a", "subnet-0b"]
LONG_ZONE = ".".join(["z" * 54] * 4)  # 219 characters
GOOD: dict[str, Any] = {
    "environment": "production",
    "network": {"zones": ["eu-west-1a", "eu-west-1b"]},
    "zone": {"name": "grpc.example.com"},
    "clusters": {"serving": NEW_CLUSTER},
    "services": {"greeter": {}},
    "callers": {"office": {"cidr": "10.90.0.0/16"}},
}


def changed(changes: dict[str, Any]) -> dict[str, Any]:
    """GOOD with dotted paths set, or removed where the value is None."""
    raw = copy.deepcopy(GOOD)
    for path, value in changes.items():
        *parents, last = path.split(".")
        holder = raw
        for part in parents:
            holder = holder.setdefault(part, {})
        if value is None:
            holder.pop(last)
        else:
            holder[last] = value
    return raw


def refusals(changes: dict[str, Any], **surroundings: Any) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        check(changed(changes), **surroundings)
    return refused.value.problems
