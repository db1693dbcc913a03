"""All rules, by subject: first the platform's own invariants, then what anyone expects."""

from itertools import chain

from grpc_platform_tools.policy.rule import Rule
from grpc_platform_tools.policy.rules import aws, clusters, draining, names, pods, ports

SUBJECTS = {
    "Draining": draining,
    "Names": names,
    "Ports": ports,
    "Clusters and nodes": clusters,
    "IAM, security groups, keys": aws,
    "Pods": pods,
}

RULES: dict[str, tuple[Rule, ...]] = {
    title: tuple(found for found in vars(module).values() if isinstance(found, Rule))
    for title, module in SUBJECTS.items()
}

ALL: tuple[Rule, ...] = tuple(chain.from_iterable(RULES.values()))
