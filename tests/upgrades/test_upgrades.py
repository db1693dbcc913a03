"""An upgrade from the last release replaces or deletes only what the changelog announces.

What that release registered is held in release.json: URNs, and the inputs whose change makes a
provider replace the resource. `.venv/bin/python -m tests.upgrades.release` rewrites it for a
release. A resource under another URN needs an alias; one that has to go or to be replaced needs a
line of CHANGELOG.md, under Unreleased, which a failure here gives.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from grpc_platform.platform_stack import PlatformStack
from grpc_platform_tools.diff.compare import compare
from grpc_platform_tools.diff.recordings import Recording
from grpc_platform_tools.diff.report import ResourceChange
from grpc_platform_tools.graph import Graph
from grpc_platform_tools.plain import is_mapping
from grpc_platform_tools.preview.fixtures import Fixtures
from grpc_platform_tools.preview.record import record
from tests.tree import committed_stacks
from tests.upgrades.release import PLATFORM, RELEASE, graph_of, held, recorded, sections

STACKS = committed_stacks()
CONTOUR = "kubernetes:apps/v1:Deployment", "serving-contour-deployment"


@pytest.fixture(scope="module")
def prod() -> Graph:
    return recorded(*STACKS[PLATFORM])


def losses(stack: str, resources: dict[str, Any], graph: Graph, told: str) -> list[str]:
    """Resources that an upgrade from the held release to `graph` would replace or delete
    unannounced."""
    found = compare(stack, Recording(graph=graph_of(stack, resources)), Recording(graph=graph))
    return [
        f"{stack}: {change.operation} {change.label}{_why(change)}\n  tell of it: - {line}: ..."
        for change in found.resources
        if change.operation in ("replace", "delete")
        and not change.because  # what it comes with is told
        and (line := _line(change)) not in told
    ]


def _line(change: ResourceChange) -> str:
    kind = change.type.rpartition(":")[2]
    within = f" of `{change.component.split()[0]}`" if change.component else ""
    return f"{change.operation}s `{kind}`{within}"


def _why(change: ResourceChange) -> str:
    if change.moved:
        return f"\n  or give it an alias: it is now {change.moved}"
    return f" ({', '.join(change.forced_by)})" if change.forced_by else ""


@pytest.mark.parametrize("stack", STACKS)
def test_an_upgrade_loses_nothing_that_the_changelog_does_not_tell_of(stack: str) -> None:
    resources = RELEASE["stacks"].get(stack, {})
    found = losses(stack, resources, recorded(*STACKS[stack]), sections()["Unreleased"])
    assert not found, "\n".join(found)


def test_the_release_that_is_held_is_the_last_one() -> None:
    assert RELEASE["version"] == next(name for name in sections() if name != "Unreleased")
    assert RELEASE["stacks"].keys() <= STACKS.keys(), "a stack's file is not moved or removed"


@pytest.fixture
def upgrade(prod: Graph) -> Callable[..., list[str]]:
    """The unannounced replacements when Contour's Deployment changes between two releases."""

    def upgrade(told: str = "", spec: dict[str, Any] | None = None, **values: Any) -> list[str]:
        was = prod.only(*CONTOUR)
        inputs = {**was.inputs, "spec": was.inputs["spec"] | (spec or {})}
        new = replace(was, **{"inputs": inputs, **values})
        return losses(
            PLATFORM, held(prod), Graph(tuple(new if r == was else r for r in prod)), told
        )

    return upgrade


def test_a_renamed_resource_needs_an_alias(prod: Graph, upgrade: Callable[..., list[str]]) -> None:
    was = prod.only(*CONTOUR)
    name = {"name": "contour", "urn": was.urn.replace(was.name, "contour")}
    (loss,) = upgrade(**name)
    assert f"delete Deployment {was.name}" in loss
    assert f"give it an alias: it is now {name['urn']}" in loss
    assert not upgrade(**name, aliases=(was.urn,))


def test_a_change_that_replaces_a_resource_needs_a_line_in_the_changelog(
    upgrade: Callable[..., list[str]],
) -> None:
    selector = {"selector": {"matchLabels": {"app": "contour"}}}
    (loss,) = upgrade(spec=selector)
    assert "replace Deployment projectcontour/contour (spec.selector" in loss
    assert "- replaces `Deployment` of `Contour`: ..." in loss
    assert not upgrade("- replaces `Deployment` of `Contour`: calls go on.", spec=selector)
    assert upgrade("- replaces `Deployment` of `Envoy`: calls go on.", spec=selector)


def test_a_change_that_updates_a_resource_needs_nothing(
    upgrade: Callable[..., list[str]],
) -> None:
    assert not upgrade(spec={"minReadySeconds": 1})


def test_what_the_last_release_exports_is_still_read() -> None:
    """A team may have this release before the platform does."""
    stack = "organization/grpc-platform/prod"
    seen: list[PlatformStack] = []
    record(
        lambda: PlatformStack.from_reference(stack).apply(seen.append),
        fixtures=Fixtures(stacks={stack: RELEASE["exports"]}),
    )
    assert seen[0].services.keys() == RELEASE["exports"]["services"].keys()


def test_everything_that_the_last_release_reads_is_still_exported(prod: Graph) -> None:
    """The platform may have this release before a team does: only another schema_version, at which
    an older reader stops, may leave out what it reads."""
    if prod.exports["schema_version"] == RELEASE["exports"]["schema_version"]:
        assert missing(RELEASE["exports"], prod.exports, "") == []


def missing(old: Any, new: Any, path: str) -> list[str]:
    """What is gone, or of another kind."""
    if old is None:
        return []
    if is_mapping(old) and is_mapping(new):
        return [
            line
            for key, value in old.items()
            for line in missing(value, new.get(key), f"{path}.{key}")
        ]
    kinds: list[type] = [
        float if isinstance(value, int | float) else type(value) for value in (old, new)
    ]
    return [] if kinds[0] is kinds[1] else [f"{path} was {old!r}, is {new!r}"]
