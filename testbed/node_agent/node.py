"""The Node object: registers it, renews its Lease, and binds pending pods to it."""

import asyncio
import logging
import os
import platform
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import httpx

from testbed.node_agent import Json
from testbed.node_agent.api import STRATEGIC, Api, ApiError
from testbed.node_agent.status import timestamp

log = logging.getLogger(__name__)

_HEARTBEAT = 10.0  # seconds; the kubelet's
_PODS = 500
_ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}
_CONDITIONS = (
    ("Ready", "True", "AgentReady"),
    ("MemoryPressure", "False", "NotMeasured"),
    ("DiskPressure", "False", "NotMeasured"),
    ("PIDPressure", "False", "NotMeasured"),
)


def cpu_cores() -> int:
    return len(os.sched_getaffinity(0))


def memory_bytes() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def labels(name: str, zone: str) -> dict[str, str]:
    return {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": _architecture(),
        "topology.kubernetes.io/zone": zone,
        "topology.kubernetes.io/region": "local",
    }


async def register(api: Api, name: str, labels: dict[str, str], address: str, port: int) -> None:
    """Create the Node, ready for pods; repeats until the API server accepts it."""
    node: Json = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
    }
    amounts = {
        "cpu": str(cpu_cores()),
        "memory": f"{memory_bytes() // 1024}Ki",
        "pods": str(_PODS),
    }
    now = timestamp(time.time())
    status: Json = {
        "capacity": amounts,
        "allocatable": amounts,
        "addresses": [
            {"type": "InternalIP", "address": address},
            {"type": "Hostname", "address": name},
        ],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
        "nodeInfo": _info(),
        "conditions": [
            {
                "type": kind,
                "status": value,
                "reason": reason,
                "lastHeartbeatTime": now,
                "lastTransitionTime": now,
            }
            for kind, value, reason in _CONDITIONS
        ],
    }
    path = f"/api/v1/nodes/{name}"
    await _insist(lambda: api.apply(path, node), "the node")
    patch = {"status": status}
    await _insist(lambda: api.call("PATCH", f"{path}/status", patch, STRATEGIC), "the node")


async def register_metrics(api: Api, address: str, port: int) -> None:
    """Register the agent with the aggregation layer as the server of metrics.k8s.io."""
    name = {"name": "metrics-server", "namespace": "kube-system"}
    service: Json = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": name,
        "spec": {"clusterIP": "None", "ports": [{"name": "https", "port": 443}]},
    }
    endpoints: Json = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {**name, "labels": {"kubernetes.io/service-name": "metrics-server"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
        "ports": [{"name": "https", "port": port, "protocol": "TCP"}],
    }
    registration: Json = {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": "v1beta1.metrics.k8s.io"},
        "spec": {
            "group": "metrics.k8s.io",
            "version": "v1beta1",
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            "insecureSkipTLSVerify": True,
            "service": name,
        },
    }
    space = "namespaces/kube-system"
    for path, body in (
        (f"/api/v1/{space}/services/metrics-server", service),
        (f"/apis/discovery.k8s.io/v1/{space}/endpointslices/metrics-server", endpoints),
        ("/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io", registration),
    ):
        await _insist(lambda path=path, body=body: api.apply(path, body), "metrics.k8s.io")


async def _insist(step: Callable[[], Awaitable[object]], what: str) -> None:
    """Repeat until the API server accepts it; it may still be starting."""
    while True:
        try:
            await step()
        except (ApiError, httpx.HTTPError) as error:
            log.info("%s is not registered yet: %r", what, error)
            await asyncio.sleep(0.5)
        else:
            return


def _architecture() -> str:
    return _ARCHITECTURE.get(platform.machine(), platform.machine())


def _info() -> Json:
    uname = platform.uname()
    return {
        "kernelVersion": uname.release,
        "osImage": "processes of the host",
        "containerRuntimeVersion": "process://1",
        "kubeletVersion": "v1.35.0-node-agent",
        "kubeProxyVersion": "",
        "operatingSystem": "linux",
        "architecture": _architecture(),
        "machineID": "",
        "systemUUID": "",
        "bootID": "",
    }


async def heartbeat(api: Api, name: str) -> None:
    """Renew the node's Lease endlessly."""
    path = f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{name}"
    while True:
        lease: Json = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": name, "namespace": "kube-node-lease"},
            "spec": {
                "holderIdentity": name,
                "leaseDurationSeconds": 40,
                "renewTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            },
        }
        try:
            await api.apply(path, lease)
        except (ApiError, httpx.HTTPError) as error:
            # The API server creates the namespace shortly after its start.
            log.info("the node's Lease was not renewed: %r", error)
        await asyncio.sleep(_HEARTBEAT)


def wants_a_node(pod: Json) -> bool:
    """Whether a scheduler would look at this pod now."""
    spec = pod["spec"]
    return (
        not spec.get("nodeName")
        and not spec.get("schedulingGates")
        and "deletionTimestamp" not in pod["metadata"]
    )


async def bind(api: Api, pod: Json, name: str) -> None:
    """Bind a pod to the node."""
    meta = pod["metadata"]
    body: Json = {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": meta["name"], "namespace": meta["namespace"], "uid": meta["uid"]},
        "target": {"apiVersion": "v1", "kind": "Node", "name": name},
    }
    path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}/binding"
    for _ in range(5):
        try:
            await api.call("POST", path, body)
        except ApiError as error:
            if error.status in (404, 409):  # gone, or bound already
                return
            log.warning("%s/%s not bound: %s", meta["namespace"], meta["name"], error)
        except httpx.HTTPError as error:
            log.warning("%s/%s not bound: %r", meta["namespace"], meta["name"], error)
        else:
            return
        await asyncio.sleep(1)
