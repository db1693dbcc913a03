"""The changes that `routes` makes to services while they and others are called."""

import copy
import json
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from experiments.experiment import Result
from experiments.growth import GIVEN_UP, wait_until_routed
from experiments.lab import ZONE, Lab
from grpc_platform.conventions import ENVOY_METRICS_PORT
from testbed.cluster import deploy, readiness
from testbed.cluster.readiness import Object
from testbed.load.clients import PORT, server_manifest

CHANGED = "changed"
"""The service that is called while it is changed."""
AT_ONCE = 100
NO_ROUTE = 3.0
"""Seconds for which the control takes the Ingress away."""
_OTHER_SERVERS = "other"
_APPLIED_AT_ONCE = 200
_PREFIX = "projectcontour.io/"
# Counters that rise when an Envoy takes up routes, clusters or endpoints.
_COUNTERS = (
    "rds.*config_reload$|cluster_manager.cluster_(added|modified|removed)$|membership_change$"
)
_SETTLED = 3.0  # seconds without another


class Services:
    """Adds, changes and removes services: the Service and the Ingress of a bundle of `GrpcService`,
    which Contour reads. All are made after `CHANGED`, which the program made."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._made = {kind: lab.manifest(kind, CHANGED) for kind in ("Service", "Ingress")}

    def add(self, names: Iterable[str]) -> None:
        """Apply services of these names."""
        for kind in self._made:
            self._apply(self._of(kind, names))

    def remove(self, names: Iterable[str]) -> None:
        """Delete services, each Ingress before its Service, as the engine does."""
        for kind in ("ingress", "service"):
            self._lab.cluster.kubectl("delete", "--wait=false", kind, *names)

    def edit(
        self, kind: str, change: Callable[[Object], object], names: Iterable[str] = (CHANGED,)
    ) -> None:
        """Apply the services' objects of one kind as they were made, with one change."""
        objects = self._of(kind, names)
        for item in objects:
            change(item)
        self._apply(objects)

    def serve_others(self) -> None:
        """Run more servers, which `move` points the service at."""
        labels = {"app.kubernetes.io/name": _OTHER_SERVERS}
        manifest = copy.deepcopy(server_manifest(2))
        manifest["metadata"]["name"] = _OTHER_SERVERS
        manifest["spec"]["selector"] = {"matchLabels": labels}
        manifest["spec"]["template"]["metadata"]["labels"] = labels
        deploy.apply(self._lab.cluster, [manifest])
        readiness.wait_until_ready(self._lab.cluster, manifest)

    def _of(self, kind: str, names: Iterable[str]) -> list[Object]:
        model = json.dumps(self._made[kind])
        return [json.loads(model.replace(CHANGED, name)) for name in names]

    def _apply(self, objects: list[Object]) -> None:
        for first in range(0, len(objects), _APPLIED_AT_ONCE):
            deploy.apply(self._lab.cluster, objects[first : first + _APPLIED_AT_ONCE])


def annotate(**annotations: str) -> Callable[[Object], object]:
    """A change that adds Contour's annotations."""
    added = {_PREFIX + key.replace("_", "-"): value for key, value in annotations.items()}
    return lambda item: item["metadata"]["annotations"].update(added)


def _move(item: Object) -> None:
    item["spec"]["selector"] = {"app.kubernetes.io/name": _OTHER_SERVERS}


def _renumber(item: Object) -> None:
    """Another port of the Service; the servers' stays."""
    item["metadata"]["annotations"][f"{_PREFIX}upstream-protocol.h2c"] = str(PORT + 10)
    item["spec"]["ports"][0] |= {"port": PORT + 10, "targetPort": PORT}


def _as_made(_: Object) -> None:
    pass


@dataclass(frozen=True, kw_only=True)
class Change:
    """Something that is done to services. `act` returns what it measured itself."""

    name: str
    what: str
    act: Callable[[Lab, Services], Any]
    control: bool = False
    """Calls to the changed service must fail."""
    lossless: bool = True
    """The goal: no call to the changed service fails."""


def _edit(kind: str, *changes: Callable[[Object], object]) -> Callable[[Lab, Services], None]:
    def act(lab: Lab, services: Services) -> None:
        for change in changes:
            before = counters(lab)
            services.edit(kind, change)
            wait_until_taken_up(lab, before)

    return act


def _without_route(lab: Lab, services: Services) -> None:
    lab.cluster.kubectl("delete", "ingress", CHANGED)
    lab.pause(NO_ROUTE)
    services.edit("Ingress", _as_made)


def _one_by_one(lab: Lab, services: Services) -> Result:
    each = [_add_and_remove(lab, services, f"one-{n}") for n in range(2 if lab.quick else 5)]
    return {
        "added": [one for one, _ in each if one is not None],
        "removed": [gone for _, gone in each],
    }


def _many(lab: Lab) -> list[str]:
    return [f"many-{number:03}" for number in range(10 if lab.quick else AT_ONCE)]


def _add_many(lab: Lab, services: Services) -> Result:
    names = _many(lab)
    began = time.time()
    services.add(names)
    missing = wait_until_routed(lab, names)
    seconds = time.time() - began - (GIVEN_UP if missing else 0)
    return {"added": len(names), "seconds": seconds, "missed": len(missing)}


def _change_many(lab: Lab, services: Services) -> None:
    before = counters(lab)
    services.edit("Ingress", annotate(response_timeout="20s"), _many(lab))
    wait_until_taken_up(lab, before)


def _remove_many(lab: Lab, services: Services) -> Result:
    began = time.time()
    services.remove(_many(lab))
    _wait_until_gone(lab, _many(lab))
    return {"seconds": time.time() - began}


_RETRIES = annotate(retry_on="reset,connect-failure,refused-stream", num_retries="4")
CHANGES = (
    Change(name="one", what="services are added and removed one by one", act=_one_by_one),
    Change(name="add", what=f"{AT_ONCE} services are added", act=_add_many),
    Change(name="change", what=f"{AT_ONCE} services' timeouts change", act=_change_many),
    Change(name="remove", what=f"{AT_ONCE} services are removed", act=_remove_many),
    Change(
        name="timeout",
        what="its response timeout changes",
        act=_edit("Ingress", annotate(response_timeout="20s")),
    ),
    Change(
        name="retries", what="it becomes `idempotent`", act=_edit("Ingress", _RETRIES, _as_made)
    ),
    Change(
        name="breakers",
        what="its circuit breakers change",
        act=_edit("Service", annotate(max_requests="5000")),
    ),
    Change(
        name="target",
        what="its selector moves it to other servers, and back",
        act=_edit("Service", _move, _as_made),
    ),
    Change(
        name="port",
        what="the port of its Service changes, and back",
        act=_edit("Service", _renumber, _as_made),
        lossless=False,
    ),
    Change(
        name="no route",
        what=f"its Ingress is away for {NO_ROUTE:g} s",
        act=_without_route,
        control=True,
    ),
)


def counters(lab: Lab) -> dict[str, int]:
    """How much each Envoy has taken up, by address."""
    path = f"stats?filter={_COUNTERS.replace('|', '%7C')}"
    said = lab.read(lab.envoys().values(), ENVOY_METRICS_PORT, path)
    return {
        address: sum(int(n) for n in re.findall(r": (\d+)$", text, re.MULTILINE))
        for address, text in said.items()
    }


def wait_until_taken_up(lab: Lab, before: dict[str, int]) -> None:
    """Wait until every Envoy has taken up something new, and for a while nothing more."""
    seen, since = before, time.monotonic()

    def settled() -> bool:
        nonlocal seen, since
        now = counters(lab)
        if now != seen:
            seen, since = now, time.monotonic()
        taken_up = all(now[address] != count for address, count in before.items())
        return taken_up and time.monotonic() > since + _SETTLED

    lab.cluster.wait("every Envoy to take the change up", settled, timeout=180)


def _add_and_remove(lab: Lab, services: Services, name: str) -> tuple[float | None, float]:
    """Seconds from the apply of a new service until each Envoy routes it (None: one never did), and
    from its deletion until none does; it is called by address 20 times a second."""
    window = 0.05
    envoys = lab.envoys().values()
    client = lab.client(
        f"--authority={name}.{ZONE}",
        f"--rate={20 * len(envoys)}",
        f"--window={window}s",
        targets={address: f"{address}:{lab.http_port}" for address in envoys},
    )
    lab.wait_until_running(client)
    lab.pause(1)
    added = time.time()
    services.add([name])
    missing = wait_until_routed(lab, [name])
    lab.pause(1)
    removed = time.time()
    services.remove([name])
    _wait_until_gone(lab, [name])
    lab.pause(1)
    good = [
        [w["at"] for w in report["windows"] if w["ok"] and w["at"] >= added - window]
        for report in client.stop()["targets"].values()
    ]
    routed = None if missing else max(0.0, max(ats[0] for ats in good) - added)
    last = max((ats[-1] for ats in good if ats), default=removed)
    return routed, max(0.0, last + window - removed)


def _wait_until_gone(lab: Lab, names: list[str]) -> None:
    envoys = lab.envoys().values()

    def gone() -> bool:
        said = lab.read(envoys, ENVOY_METRICS_PORT, "stats?filter=membership_healthy")
        return not any(f"default_{name}_" in text for text in said.values() for name in names)

    lab.cluster.wait(f"{len(names)} services to be gone from every Envoy", gone, timeout=180)
