"""The Node object: registered, kept alive by its Lease, given the pods that wait for a node."""

import asyncio
import logging
import os
import platform
import time
from datetime import UTC, datetime

import httpx

from grpc_platform.local.agent.api import STRATEGIC, Api, ApiError, Json
from grpc_platform.local.agent.status import timestamp

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


def labels(name: str) -> dict[str, str]:
    return {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": _ARCHITECTURE.get(platform.machine(), platform.machine()),
        "topology.kubernetes.io/zone": "local-a",
        "topology.kubernetes.io/region": "local",
    }


async def register(api: Api, name: str, address: str, port: int) -> None:
    """Make the Node, ready for pods; tries again until the API server takes it."""
    node: Json = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels(name)},
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
    while True:
        try:
            await api.apply(f"/api/v1/nodes/{name}", node)
            await api.call("PATCH", f"/api/v1/nodes/{name}/status", {"status": status}, STRATEGIC)
        except (ApiError, httpx.HTTPError) as error:
            log.warning("the node is not registered yet: %r", error)
            await asyncio.sleep(0.5)
        else:
            return


def _info() -> Json:
    uname = platform.uname()
    return {
        "kernelVersion": uname.release,
        "osImage": "processes of the host",
        "containerRuntimeVersion": "process://1",
        "kubeletVersion": "v1.35.0-node-agent",
        "kubeProxyVersion": "",
        "operatingSystem": "linux",
        "architecture": labels("")["kubernetes.io/arch"],
        "machineID": "",
        "systemUUID": "",
        "bootID": "",
    }


async def heartbeat(api: Api, name: str) -> None:
    """Renew the node's Lease for ever."""
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
            # The namespace comes a moment after the API server.
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
    """Give a pod to the node."""
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
