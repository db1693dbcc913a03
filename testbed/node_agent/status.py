"""The status of a pod, computed from its containers' states. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from testbed.node_agent import Json


@dataclass(frozen=True)
class Ended:
    """How a run of a container ended; times in seconds since the epoch."""

    run: int
    code: int
    reason: str
    message: str
    started: float
    finished: float


@dataclass
class State:
    """The data for a container's status."""

    phase: Literal["waiting", "running", "terminated"] = "waiting"
    reason: str = "ContainerCreating"
    message: str = ""
    started_at: float = 0.0
    ended: Ended | None = None  # the current end, when terminated
    previous: Ended | None = None
    restarts: int = 0
    ready: bool = False
    started: bool = False
    pid: int = 0


@dataclass(frozen=True)
class Progress:
    """A pod's progress; times in seconds since the epoch."""

    started_at: float
    node_address: str
    pod_address: str  # empty until it has a network
    initialized: bool
    containers: Mapping[str, State]  # by name, init containers too
    failed: tuple[str, str] | None = None  # (reason, message) when the node itself ended it


def compute(pod: Json, progress: Progress, now: float) -> Json:
    """The whole status as the kubelet would report it.

    Conditions keep their lastTransitionTime while they keep their status; those that others set
    (readiness gates, DisruptionTarget) are left out, so a strategic merge leaves them alone.
    """
    spec, states = pod["spec"], progress.containers
    inits: list[Json] = spec.get("initContainers", [])
    mains: list[Json] = spec["containers"]
    phase = _phase(pod, progress)
    done = phase in ("Succeeded", "Failed")
    unready = [one["name"] for one in _long_running(spec) if not states[one["name"]].ready]
    gates = [
        gate["conditionType"]
        for gate in spec.get("readinessGates", [])
        if _condition(pod, gate["conditionType"]).get("status") != "True"
    ]
    if done:
        why_unready = ("PodCompleted" if phase == "Succeeded" else "PodFailed", "")
    elif unready:
        why_unready = ("ContainersNotReady", f"containers with unready status: {unready}")
    else:
        why_unready = None
    why_not_ready = why_unready
    if why_unready is None and gates:
        why_not_ready = ("ReadinessGatesNotReady", f"readiness gates not true: {gates}")
    waiting = [one["name"] for one in inits if not _past(one, states[one["name"]])]
    not_initialized = (
        None
        if progress.initialized
        else ("ContainersNotInitialized", f"containers with incomplete status: {waiting}")
    )
    conditions = [
        ("PodReadyToStartContainers", None if progress.pod_address and not done else ("", "")),
        ("Initialized", not_initialized),
        ("Ready", why_not_ready),
        ("ContainersReady", why_unready),
        ("PodScheduled", None),
    ]
    status: Json = {
        "phase": phase,
        "startTime": timestamp(progress.started_at),
        "hostIP": progress.node_address,
        "hostIPs": [{"ip": progress.node_address}],
        "qosClass": pod.get("status", {}).get("qosClass", "BestEffort"),
        "observedGeneration": pod["metadata"].get("generation", 1),
        "conditions": [_updated(pod, kind, why, now) for kind, why in conditions],
        "containerStatuses": [
            _container(pod, one, states[one["name"]], progress.initialized) for one in mains
        ],
    }
    if inits:
        status["initContainerStatuses"] = [
            _container(pod, one, states[one["name"]], True) for one in inits
        ]
    if progress.pod_address:
        status["podIP"] = progress.pod_address
        status["podIPs"] = [{"ip": progress.pod_address}]
    if progress.failed is not None:
        status["reason"], status["message"] = progress.failed
    return status


def timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def is_sidecar(container: Json) -> bool:
    return container.get("restartPolicy") == "Always"


def _long_running(spec: Json) -> list[Json]:
    sidecars = [one for one in spec.get("initContainers", []) if is_sidecar(one)]
    return sidecars + spec["containers"]


def _past(container: Json, state: State) -> bool:
    if is_sidecar(container):
        return state.started
    return state.ended is not None and state.ended.code == 0


def _phase(pod: Json, progress: Progress) -> str:
    spec, states = pod["spec"], progress.containers
    policy = spec.get("restartPolicy", "Always")
    if progress.failed is not None:
        return "Failed"
    if not progress.initialized:
        failed = any(
            not is_sidecar(one)
            and (ended := states[one["name"]].ended) is not None
            and ended.code
            and states[one["name"]].phase == "terminated"
            for one in spec.get("initContainers", [])
        )
        return "Failed" if failed and policy == "Never" else "Pending"
    mains = [states[one["name"]] for one in spec["containers"]]
    deleting = "deletionTimestamp" in pod["metadata"]
    if all(state.phase == "terminated" and state.ended is not None for state in mains) and (
        policy != "Always" or deleting
    ):
        codes = [state.ended.code for state in mains if state.ended is not None]
        if not any(codes):
            return "Succeeded"
        if policy == "Never" or deleting:
            return "Failed"
    begun = any(state.phase != "waiting" or state.previous is not None for state in mains)
    return "Running" if begun else "Pending"


def _container(pod: Json, spec: Json, state: State, initialized: bool) -> Json:
    identity = f"process://{pod['metadata']['uid']}/{spec['name']}"
    result: Json = {
        "name": spec["name"],
        "image": spec["image"],
        "imageID": spec["image"],
        "ready": state.ready or _is_done_init(pod, spec, state),
        "started": state.started,
        "restartCount": state.restarts,
        "state": _state(state, identity, initialized),
        "lastState": {},
    }
    if state.phase != "waiting":
        result["containerID"] = f"{identity}/{state.restarts}"
    if state.previous is not None:
        result["lastState"] = {"terminated": _terminated(state.previous, identity)}
    return result


def _is_done_init(pod: Json, spec: Json, state: State) -> bool:
    inits = [one["name"] for one in pod["spec"].get("initContainers", [])]
    return spec["name"] in inits and not is_sidecar(spec) and _past(spec, state)


def _state(state: State, identity: str, initialized: bool) -> Json:
    if state.phase == "running":
        return {"running": {"startedAt": timestamp(state.started_at)}}
    if state.phase == "terminated" and state.ended is not None:
        return {"terminated": _terminated(state.ended, identity)}
    reason = state.reason if initialized else "PodInitializing"
    waiting = {"reason": reason}
    if state.message:
        waiting["message"] = state.message
    return {"waiting": waiting}


def _terminated(ended: Ended, identity: str) -> Json:
    result: Json = {
        "exitCode": ended.code,
        "reason": ended.reason,
        "startedAt": timestamp(ended.started),
        "finishedAt": timestamp(ended.finished),
        "containerID": f"{identity}/{ended.run}",
    }
    if ended.message:
        result["message"] = ended.message
    return result


def _condition(pod: Json, kind: str) -> Json:
    for condition in pod.get("status", {}).get("conditions", []):
        if condition["type"] == kind:
            return condition
    return {}


def _updated(pod: Json, kind: str, why_not: tuple[str, str] | None, now: float) -> Json:
    before = _condition(pod, kind)
    value = "True" if why_not is None else "False"
    changed = before.get("status") != value or "lastTransitionTime" not in before
    condition: Json = {
        "type": kind,
        "status": value,
        "lastProbeTime": None,
        "lastTransitionTime": timestamp(now) if changed else before["lastTransitionTime"],
        # A merge would keep the old reason if it were absent.
        "reason": why_not[0] or None if why_not else None,
        "message": why_not[1] or None if why_not else None,
    }
    return condition
