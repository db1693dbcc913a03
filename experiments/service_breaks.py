"""Services that are broken for the alerts of `alerts`, each with pods of its own or none."""

import contextlib
from collections.abc import Generator
from typing import Any

from experiments.breaks import Break, Labels
from experiments.lab import Lab
from testbed.cluster import deploy, readiness
from testbed.load.clients import Client, server_manifest
from testbed.monitoring.watch import Monitoring

_NAMESPACE = "default"
_SLOW = "slow"
_TIGHT = "tight"
_EMPTY = "empty"
_DELAY = "1500ms"
"""Of the slow servers' answers; the alert's threshold is a second."""
SERVICES: dict[str, dict[str, Any] | None] = {
    # The local stack's own services have no servers here.
    "greeter": None,
    "ticker": None,
    _SLOW: {},
    "failing": {"deadline": "500ms", "selector": {"app.kubernetes.io/name": _SLOW}},
    _TIGHT: {"circuit_breakers": {"max_requests": 1}},
    _EMPTY: {},
}
"""The stack file's services."""


def serve(lab: Lab) -> None:
    """Run the servers of `SERVICES`."""
    for manifest in (_servers(_SLOW, 1, f"--delay={_DELAY}"), _servers(_EMPTY, 1)):
        deploy.apply(lab.cluster, [manifest])
        readiness.wait_until_ready(lab.cluster, manifest)
    serve_tight(lab, 1)


def serve_tight(lab: Lab, replicas: int) -> Labels:
    """Run so many servers of a service that shares its pods with no other. Returns its labels."""
    manifest = _servers(_TIGHT, replicas, "--delay=200ms")
    deploy.apply(lab.cluster, [manifest])
    readiness.wait_until_ready(lab.cluster, manifest)
    return {"service": f"{_NAMESPACE}/{_TIGHT}"}


def _servers(name: str, replicas: int, *arguments: str) -> readiness.Object:
    manifest = server_manifest(replicas, arguments)
    labels = {"app.kubernetes.io/name": name}
    manifest["metadata"]["name"] = name
    manifest["spec"]["selector"]["matchLabels"] = labels
    manifest["spec"]["template"]["metadata"]["labels"] = labels
    return manifest


@contextlib.contextmanager
def _called(lab: Lab, service: str, *arguments: str) -> Generator[Labels]:
    client: Client = lab.client(
        "--policy=round_robin", *arguments, targets={"envoy": lab.target(service)}
    )
    lab.wait_until_running(client)
    try:
        yield {"service": f"{_NAMESPACE}/{service}"}
    finally:
        client.stop()


def _slow(lab: Lab, _: Monitoring) -> contextlib.AbstractContextManager[Labels]:
    return _called(lab, _SLOW, "--rate=20")


def _failing(lab: Lab, _: Monitoring) -> contextlib.AbstractContextManager[Labels]:
    return _called(lab, "failing", "--rate=20")


def _overflow(lab: Lab, _: Monitoring) -> contextlib.AbstractContextManager[Labels]:
    return _called(lab, _TIGHT, "--rate=30")


@contextlib.contextmanager
def _without_pods(lab: Lab, _: Monitoring) -> Generator[Labels]:
    deploy.apply(lab.cluster, [_servers(_EMPTY, 0)])
    try:
        yield {"service": f"{_NAMESPACE}/{_EMPTY}"}
    finally:
        manifest = _servers(_EMPTY, 1)
        deploy.apply(lab.cluster, [manifest])
        readiness.wait_until_ready(lab.cluster, manifest)


BREAKS = (
    Break(alert="GrpcLatencyHigh", what=f"a service that answers after {_DELAY}", act=_slow),
    Break(
        alert="GrpcFailureRateHigh",
        what="a service that answers after its deadline",
        act=_failing,
    ),
    Break(
        alert="EnvoyCircuitBreakerOverflow",
        what="more calls in flight than the service's circuit breaker allows",
        act=_overflow,
        follows={"GrpcFailureRateHigh": "calls that the circuit breaker refuses fail"},
    ),
    Break(
        alert="ServiceWithoutEndpoints",
        what="a service scaled to zero",
        act=_without_pods,
    ),
)
