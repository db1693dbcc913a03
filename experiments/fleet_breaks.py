"""What is broken in the fleet of Envoys for the alerts of `alerts`."""

import contextlib
import json
import re
from collections.abc import Generator

from experiments import steps
from experiments.breaks import Break, Labels
from experiments.lab import PLATFORM, ZONE, Lab
from grpc_platform.conventions import CONTOUR_NAMESPACE, ENVOY_ADMIN_PORT
from testbed.cluster import deploy, readiness
from testbed.disruptions import losses, pods
from testbed.load.clients import Client
from testbed.monitoring.watch import Monitoring


@contextlib.contextmanager
def _silent_envoy(lab: Lab, _: Monitoring) -> Generator[Labels]:
    pod = next(iter(lab.envoys()))
    with losses.black_holed(lab.cluster, pod):
        lab.cluster.wait("the Envoy to be unready", lambda: pod not in lab.envoys())
        yield {"pod": pod}
    lab.cluster.wait("the Envoy to be ready", lambda: pod in lab.envoys(), timeout=180)
    lab.wait_until_settled()


@contextlib.contextmanager
def _largest_fleet(lab: Lab, _: Monitoring) -> Generator[Labels]:
    """Load that would need more Envoys than the autoscaler may start."""
    found = lab.manifest("HorizontalPodAutoscaler", "envoy")
    spec, most = found["spec"], steps.ENVOYS + 1
    spec |= {"minReplicas": steps.ENVOYS, "maxReplicas": most}
    for metric in spec["metrics"]:
        metric["containerResource"]["target"]["averageUtilization"] = 1
    client = lab.client("--policy=round_robin", "--rate=300")
    deploy.apply(lab.cluster, [found])
    try:
        lab.cluster.wait("the largest fleet", lambda: _size(lab) == most, timeout=180)
        yield {"namespace": CONTOUR_NAMESPACE}
    finally:
        client.stop()
        deploy.apply(lab.cluster, [lab.manifest("HorizontalPodAutoscaler", "envoy")])
        lab.cluster.wait("the usual fleet", lambda: _size(lab) == steps.ENVOYS, timeout=180)
        lab.wait_until_settled()


def _size(lab: Lab) -> int:
    autoscaler = lab.cluster.get("horizontalpodautoscaler", *PLATFORM, "envoy")
    return int(autoscaler["status"].get("currentReplicas", 0))


@contextlib.contextmanager
def _blind_autoscaler(lab: Lab, _: Monitoring) -> Generator[Labels]:
    """The metrics that the autoscaler reads are away."""

    def serve_at(port: int) -> None:
        patch = json.dumps({"spec": {"service": {"port": port}}})
        source = ("apiservice", "v1beta1.metrics.k8s.io")
        lab.cluster.kubectl("patch", *source, "--type=merge", f"-p={patch}")

    serve_at(1)
    try:
        yield {"namespace": CONTOUR_NAMESPACE}
    finally:
        serve_at(443)


@contextlib.contextmanager
def _uneven_load(lab: Lab, _: Monitoring) -> Generator[Labels]:
    pod, address = next(iter(lab.envoys().items()))
    client = _call_one(lab, address, "load", "--rate=100")
    try:
        yield {"pod": pod}
    finally:
        client.stop()


def _call_one(lab: Lab, address: str, service: str, argument: str) -> Client:
    """A client of one Envoy, past the name."""
    target = f"{address}:{lab.http_port}"
    client = lab.client(argument, f"--authority={service}.{ZONE}", targets={"one": target})
    lab.wait_until_running(client)
    return client


_NEAR = (0.87, 0.94)
"""Shares of the heap in use: over the alert's 85%, and under the 95% at which Envoy shrinks it."""
_ATTEMPTS = 3


@contextlib.contextmanager
def _little_heap(lab: Lab, _: Monitoring) -> Generator[Labels]:
    """Envoys with a heap that is hardly larger than what they use."""
    used, limit = _heap_in_use(lab), 0
    for _attempt in range(_ATTEMPTS):
        limit = round(used / (sum(_NEAR) / 2))
        manifest = lab.manifest("Deployment", "envoy")
        (bootstrap,) = manifest["spec"]["template"]["spec"]["initContainers"]
        bootstrap["args"] = [
            re.sub(r"(--overload-max-heap)=\d+", rf"\1={limit}", word) for word in bootstrap["args"]
        ]
        deploy.apply(lab.cluster, [manifest])
        readiness.wait_until_ready(lab.cluster, manifest, timeout=300)
        used = _heap_in_use(lab)
        lab.say(f"an Envoy uses {used / limit:.0%} of {limit} bytes")
        if _NEAR[0] < used / limit < _NEAR[1]:
            break
    try:
        yield {"namespace": CONTOUR_NAMESPACE}
    finally:
        whole = lab.manifest("Deployment", "envoy")
        deploy.apply(lab.cluster, [whole])
        readiness.wait_until_ready(lab.cluster, whole, timeout=300)
        lab.wait_until_settled()


def _heap_in_use(lab: Lab) -> int:
    """Bytes that the overload manager counts, of the Envoy that uses most.

    https://github.com/envoyproxy/envoy/blob/v1.38.3/source/extensions/resource_monitors/fixed_heap/fixed_heap_monitor.cc
    """
    found: list[int] = []
    for pod in lab.envoys():
        url = f"http://127.0.0.1:{ENVOY_ADMIN_PORT}/memory"
        said = json.loads(pods.fetch_within(lab.cluster, CONTOUR_NAMESPACE, pod, "envoy", url))
        free = int(said["pageheap_unmapped"]) + int(said["pageheap_free"])
        found.append(int(said["heap_size"]) - free)
    return max(found)


_SHORT_GRACE = 20  # seconds


@contextlib.contextmanager
def _long_stream(lab: Lab, _: Monitoring) -> Generator[Labels]:
    """A stream that outlives the grace period of its Envoy."""
    pod, address = next(iter(lab.envoys().items()))
    client = _call_one(lab, address, "streams", "--stream=10m")
    grace = f"--grace-period={_SHORT_GRACE}"
    lab.cluster.kubectl("delete", "pod", *PLATFORM, pod, grace, "--wait=false")
    try:
        lab.cluster.wait("the Envoy to be ended", lambda: not _exists(lab, pod))
    finally:
        # Or it would open streams to an address that is gone, on all of a core.
        client.remove()
    yield {"pod": pod}
    lab.wait_until_settled()


def _exists(lab: Lab, pod: str) -> bool:
    found = lab.cluster.get("pods", *PLATFORM)["items"]
    return any(one["metadata"]["name"] == pod for one in found)


BREAKS = (
    Break(
        alert="EnvoyNotReady",
        what="an Envoy that answers nothing",
        act=_silent_envoy,
        follows={"EnvoyWithoutContour": "it was cut off from Contour too, and reconnects later"},
    ),
    Break(
        alert="EnvoyAutoscalerAtMaximum",
        what="more load than the largest fleet is for",
        act=_largest_fleet,
    ),
    Break(
        alert="EnvoyAutoscalerBlind",
        what="the metrics API is away",
        act=_blind_autoscaler,
    ),
    Break(
        alert="EnvoyLoadUneven",
        what="all clients on one Envoy",
        act=_uneven_load,
    ),
    Break(
        alert="EnvoyHeapNearLimit",
        what="Envoys with a heap hardly larger than what they use",
        act=_little_heap,
    ),
    Break(
        alert="EnvoyDrainCutShort",
        what=f"an Envoy deleted with {_SHORT_GRACE} s of grace, and a stream longer than that",
        act=_long_stream,
    ),
)
