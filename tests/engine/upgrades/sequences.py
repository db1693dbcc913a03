"""The upgrades, each as the steps that its page tells, there and where it is possible back."""

import functools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grpc_platform import versions as pinned
from grpc_platform.conventions import OWNERSHIP_PREFIX
from testbed.cluster import deploy
from testbed.cluster.build import Builder
from testbed.cluster.errors import LocalError
from testbed.cluster.parts import GoPart
from testbed.disruptions import operations
from tests.engine.life.objects import Record, records
from tests.engine.platform import NOTHING, Platform, Step, counted
from tests.engine.upgrades import others
from tests.engine.upgrades.log import Log, Take, watched
from tests.upgrades.release import sections as changelog

Sections = Mapping[str, Any]
FLEET = 3
FEWER = FLEET - 1
_BUDGET = {
    "apiVersion": "policy/v1",
    "kind": "PodDisruptionBudget",
    "metadata": {"name": "load", "namespace": "default"},
    "spec": {
        "maxUnavailable": 1,
        "selector": {"matchLabels": {"app.kubernetes.io/name": "load"}},
    },
}
"""The one that docs/services.md asks a team for."""


@dataclass(frozen=True)
class Images:
    """An upgrade that changes images only."""

    what: str
    before: Sections = field(default_factory=lambda: NOTHING)
    after: Sections = field(default_factory=lambda: NOTHING)
    resize: bool = False
    """Whether the fleet changes its size too, so that external-dns has something to write."""


CHANGED_IMAGES = {
    "contour": Images(
        "Contour with Envoy",
        {
            "contour": {"image": pinned.contour_image(others.CONTOUR_BEFORE.version)},
            "envoy": {"image": pinned.envoy_image(others.ENVOY_BEFORE)},
        },
    ),
    "envoy-next": Images(
        "Envoy alone, to the minor of the next Contour",
        after={"envoy": {"image": pinned.envoy_image(others.ENVOY_NEXT)}},
    ),
    "external-dns": Images(
        "external-dns, over its changed defaults",
        {"external_dns": {"image": others.external_dns_image("0.21.0")}},
        {"external_dns": {"image": others.external_dns_image("0.22.0")}},
        resize=True,
    ),
}


def change_images(platform: Platform, images: Images) -> Log:
    """`pulumi up` from images to others, and back. Raises LocalError if a record that external-dns
    holds has another name, type, TTL or owner after that."""
    platform.bring_to(sized(images.before))
    platform.lab.wait_until_settled()
    held = owned(platform)
    fewer = FEWER if images.resize else FLEET
    ways = {
        "there": watched(
            platform.lab, lambda take: _update(platform, images.after, (FLEET, fewer), take)
        ),
        "back": watched(
            platform.lab, lambda take: _update(platform, images.before, (fewer, FLEET), take)
        ),
    }
    if owned(platform) != held:
        raise LocalError(f"external-dns's records became {owned(platform)}, they were {held}")
    return {**ways, "records": held}


def _update(platform: Platform, wanted: Sections, sizes: tuple[int, int], take: Take) -> None:
    first, then = sizes
    take("`pulumi up`", lambda: done(platform.bring_to(sized(wanted, first))))
    if then != first:
        platform.lab.wait_until_settled()
        take(f"`pulumi up` with {then} Envoys", lambda: _resize(platform, wanted, then))


def _resize(platform: Platform, wanted: Sections, envoys: int) -> dict[str, int]:
    did = done(platform.bring_to(sized(wanted, envoys)))
    platform.lab.cluster.wait(
        f"{envoys} Envoys", lambda: len(platform.lab.envoys()) == envoys, timeout=180
    )
    platform.lab.wait_for_name()
    return did


def sized(wanted: Sections, envoys: int = FLEET) -> Sections:
    """The sections with a fleet of that many Envoys."""
    size = {"min_replicas": envoys, "max_replicas": envoys}
    return {**wanted, "envoy": {**wanted.get("envoy", {}), **size}}


def done(step: Step) -> dict[str, int]:
    """What `pulumi up` did. Raises LocalError if `grpc-platform diff` told another thing."""
    if step.did != step.told:
        raise LocalError(f"the engine did {step.did}, the diff told {step.told}")
    return counted(step.did)


def owned(platform: Platform) -> list[Record]:
    """The records that external-dns writes: names, types, TTLs, and who owns them."""
    found: list[Record] = []
    for record in records(platform.lab.cluster):
        kept = {key: record[key] for key in ("Name", "Type", "TTL") if key in record}
        if record["Type"] == "TXT" and record["Name"].startswith(OWNERSHIP_PREFIX):
            found.append({**kept, "Values": record["ResourceRecords"]})
        elif record["Type"] == "A":
            found.append(kept)
    return found


def components(platform: Platform) -> Log:
    """From the last release's program, already deployed, to this tree's."""
    log = watched(platform.lab, lambda take: _to_this_tree(platform, take))
    log["to"]["components"], log["from"]["components"], *_ = changelog()
    return {"there": log}


def _to_this_tree(platform: Platform, take: Take) -> None:
    take("`pulumi up` with this tree's components", lambda: done(platform.bring_to(NOTHING)))
    take("`pulumi preview`: no change", lambda: _unchanged(platform))


def kubernetes(platform: Platform, newer: Builder, older: Builder) -> Log:
    """The programs of the control plane, one by one, on the same etcd: from ``older`` to ``newer``,
    which then add an Envoy to a fleet of `FEWER`, and back, as EKS can within 7 days
    (https://docs.aws.amazon.com/eks/latest/userguide/rollback-cluster.html)."""
    there = [(part, newer.result(part.name)) for part in others.CONTROL_PLANE_AFTER]
    back = [(part, older.result(part.name)) for part in reversed(others.CONTROL_PLANE_BEFORE)]
    return {
        "there": watched(platform.lab, lambda take: _restart(platform, there, FLEET, take)),
        "back": watched(platform.lab, lambda take: _restart(platform, back, FEWER, take)),
    }


def _restart(
    platform: Platform, programs: Sequence[tuple[GoPart, Path]], envoys: int, take: Take
) -> None:
    cluster = platform.lab.cluster
    for part, program in programs:
        restart = functools.partial(cluster.restart_as, part.name, program)
        take(f"restart {part.name} as {part.version}", restart)
    take("`pulumi preview`: no change", lambda: _unchanged(platform))
    take(f"`pulumi up` with {envoys} Envoys", lambda: _resize(platform, NOTHING, envoys))
    take("count the containers' restarts until now", lambda: _restarts(platform))


def _restarts(platform: Platform) -> dict[str, int]:
    """How often containers restarted, by name."""
    pods = platform.lab.cluster.get("pods", "-A")["items"]
    each = (status for pod in pods for status in pod["status"].get("containerStatuses", ()))
    restarts: Counter[str] = Counter()
    for status in each:
        restarts[status["name"]] += status["restartCount"]
    return dict(+restarts)


def node_image(platform: Platform) -> Log:
    """Every node replaced, one at a time."""

    def act(take: Take) -> None:
        for node in operations.schedulable_nodes(platform.lab.cluster):
            take(f"replace {node}", _replace(platform, node))
            platform.lab.wait_for_name()

    deploy.apply(platform.lab.cluster, [_BUDGET])
    return {"there": watched(platform.lab, act)}


def _replace(platform: Platform, node: str) -> Callable[[], str]:
    return lambda: f"{operations.replace_node(platform.lab.cluster, node)} has joined"


def _unchanged(platform: Platform) -> None:
    engine = platform.home.engine(platform.now.program, "local")
    if changed := engine.preview().changed:
        raise LocalError(f"pulumi preview would change {changed}")
