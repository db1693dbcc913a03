"""What an update would refuse or fail at, and what to do about it."""

import re
from typing import Any

from grpc_platform_tools.graph import Resource

PROTECTED = (
    "pulumi up refuses the whole update: this is protected. If it was only renamed, give it an "
    "alias; to delete or replace it, run pulumi state unprotect first"
)
_CLUSTER = "aws:eks/cluster:Cluster"
_RECORD = "aws:route53/record:Record"
_MINOR = re.compile(r"1\.(\d+)")


def refused_removal(old: Resource) -> str:
    """Why the engine refuses to delete or replace a resource; empty if it does not refuse."""
    return PROTECTED if old.options.get("protect") else ""


def refused_update(old: Resource, new: Resource) -> str:
    """Why the provider's service refuses an update.

    EKS upgrades one minor at a time:
    https://docs.aws.amazon.com/eks/latest/userguide/update-cluster.html. It goes back by one, but
    not while nodes or add-ons are newer, and an update begins with the control plane:
    https://docs.aws.amazon.com/eks/latest/userguide/rollback-cluster.html
    """
    if new.type != _CLUSTER:
        return ""
    before, after = (_minor(r.inputs.get("version")) for r in (old, new))
    if before is None or after is None or 0 <= after - before <= 1:
        return ""
    if after == before - 1:
        return (
            f"EKS goes back to Kubernetes 1.{after} within 7 days, but not by pulumi up: roll back "
            "nodes, add-ons and control plane as docs/upgrades.md says"
        )
    if after < before:
        return f"EKS does not go back from Kubernetes 1.{before} to 1.{after}"
    return (
        f"EKS upgrades one Kubernetes minor at a time: go from 1.{before} to 1.{before + 1} first"
    )


def refused_record(old: Resource, new: Resource) -> str:
    """Why Route53 refuses a record that is created before the same record is deleted."""
    sets = [resource.inputs.get("setIdentifier") for resource in (old, new)]
    if new.type != _RECORD or sets[0] != sets[1]:
        return ""
    return "Route53 refuses it while the old record exists: give it an alias to that one"


def _minor(version: Any) -> int | None:
    found = _MINOR.fullmatch(str(version))
    return int(found[1]) if found else None
