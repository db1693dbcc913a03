"""The rules for a caller, and for callers and clusters."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Protocol

from .mistake import Mistake, Path


class Caller(Protocol):
    """A caller in plain values, or with a program's Inputs."""

    @property
    def cluster(self) -> str | None: ...
    @property
    def namespaces(self) -> Sequence[object]: ...
    @property
    def security_group_id(self) -> object | None: ...
    @property
    def account_id(self) -> object | None: ...
    @property
    def cidr(self) -> object | None: ...


def caller_is_one_source(caller: Caller, path: Path = ()) -> Iterator[Mistake]:
    """A caller has one source: a cluster, or addresses."""
    if caller.cluster is not None:
        for key in ("security_group_id", "cidr", "account_id"):
            value: object | None = getattr(caller, key)
            if value is not None:
                remedy = "cannot be combined with cluster; make it a separate caller"
                yield Mistake((*path, key), value, remedy)
        return
    if caller.cidr is None:
        yield Mistake(
            (*path, "cidr"),
            None,
            "is required, or cluster: NetworkPolicy knows outside callers by address only",
        )
    if caller.namespaces:
        yield Mistake(
            (*path, "namespaces"), list(caller.namespaces), "applies with cluster only; remove it"
        )


def calling_cluster(
    caller: Caller,
    *,
    clusters: Mapping[str, bool],
    serving: Collection[str],
    path: Path = (),
) -> Iterator[Mistake]:
    """A caller's cluster. `clusters` has all clusters by name; the value says whether the cluster's
    security group and pod addresses are known."""
    if caller.cluster is None:
        return
    if caller.cluster not in clusters:
        yield Mistake(
            (*path, "cluster"),
            caller.cluster,
            f"is not a cluster of this stack: {', '.join(clusters)}",
        )
        return
    outside = [name for name in serving if name != caller.cluster]
    if outside and not clusters[caller.cluster]:
        yield Mistake(
            (*path, "cluster"),
            caller.cluster,
            "has an unknown security group or unknown pod addresses, as existing clusters "
            "do; give cidr, with or without security_group_id",
        )
    elif outside and caller.namespaces:
        yield Mistake(
            (*path, "namespaces"),
            list(caller.namespaces),
            f"namespaces of {caller.cluster} cannot be distinguished from {', '.join(outside)}; "
            "remove it",
        )
