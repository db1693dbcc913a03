"""In which order to take a stack down."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from grpc_platform_tools.graph import Graph, Resource
from grpc_platform_tools.plain import is_mapping
from grpc_platform_tools.preview.outline import plural
from grpc_platform_tools.teardown.findings import Finding, deleted_clusters

_ONE_BY_ONE = 10
"""From how many on all protected resources are unprotected at once."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """What to do, and the commands for it."""

    do: str
    commands: tuple[str, ...] = ()


def steps(
    graph: Graph,
    stack: str,
    *,
    protected: list[Finding],
    refused: list[Finding],
    left: list[Finding],
) -> Iterator[Step]:
    """The steps, first to last."""
    named = f"--stack {shlex.quote(stack)}"
    yield Step(
        do="See that the stack is what this list was made of: no change may be planned.",
        commands=(f"pulumi preview --refresh --expect-no-changes {named}",),
    )
    yield Step(do="Destroy the stacks that read this one's outputs or use its clusters and zones.")
    if deleted_clusters(graph):
        yield Step(
            do="In each cluster, delete what controllers have made outside of it (load balancers, "
            "volumes): nobody deletes it once the cluster is gone.",
            commands=("kubectl get services,persistentvolumeclaims --all-namespaces",),
        )
    if refused:
        yield Step(do="Lift what AWS refuses: see above.")
    if protected:
        yield Step(
            do="Lift the engine's protection. An update after this sets it again.",
            commands=_unprotect(protected, named),
        )
    grace = _longest_grace_period(graph)
    took = f" A pod that drains may take {grace} s." if grace else ""
    yield Step(
        do=f"Delete {plural(sum(not r.is_component for r in graph), 'resource')}.{took}",
        commands=(f"pulumi destroy {named}",),
    )
    if left:
        yield Step(do="Delete by hand what stays behind: see above.")
    yield Step(
        do="Remove the stack, its history and its stack file.",
        commands=(f"pulumi stack rm {named}",),
    )


def _unprotect(protected: list[Finding], named: str) -> tuple[str, ...]:
    if len(protected) > _ONE_BY_ONE:
        return (f"pulumi state unprotect --all {named}",)
    return tuple(f"pulumi state unprotect {named} {shlex.quote(f.urn)}" for f in protected)


def _longest_grace_period(graph: Graph) -> int:
    return max(map(_grace_period, graph), default=0)


def _grace_period(resource: Resource) -> int:
    spec = resource.inputs.get("spec")
    for key in ("template", "spec"):
        spec = spec.get(key) if is_mapping(spec) else None
    seconds = spec.get("terminationGracePeriodSeconds") if is_mapping(spec) else None
    return seconds if isinstance(seconds, int) else 0
