"""A pod's status follows from its containers' states."""

import pytest

from testbed.node_agent import Json
from testbed.node_agent.status import Ended, Progress, State, compute, timestamp

NOW = 1_700_000_000.0


def running(*, ready: bool = True) -> State:
    return State("running", started_at=NOW, ready=ready, started=True)


def ended(code: int) -> State:
    return State("terminated", ended=Ended(0, code, "Completed", "", NOW, NOW))


def backing_off() -> State:
    past = Ended(0, 1, "Error", "boom", NOW, NOW)
    return State("waiting", "CrashLoopBackOff", ended=past, previous=past)


def pod(policy: str = "Always", *, init: bool = False, **spec: object) -> Json:
    inits = [{"name": "init", "image": "i"}] if init else []
    mains = [{"name": "a", "image": "i"}, {"name": "b", "image": "i"}]
    return {
        "metadata": {"name": "p", "namespace": "n", "uid": "u"},
        "spec": {"containers": mains, "initContainers": inits, "restartPolicy": policy, **spec},
    }


def status(manifest: Json, a: State, b: State, init: State | None = None, *, now: float = NOW):
    initialized = init is None or (init.ended is not None and init.ended.code == 0)
    states = {"a": a, "b": b} | ({} if init is None else {"init": init})
    return compute(manifest, Progress(NOW, "10.0.0.1", "10.0.0.9", initialized, states), now)


def condition(result: Json, kind: str) -> Json:
    return next(one for one in result["conditions"] if one["type"] == kind)


@pytest.mark.parametrize(
    ("policy", "a", "b", "phase"),
    [
        ("Always", State(), State(), "Pending"),
        ("Always", running(), State(), "Running"),
        ("Always", ended(0), running(), "Running"),
        ("Always", ended(0), ended(0), "Running"),
        ("Always", backing_off(), backing_off(), "Running"),
        ("Never", ended(0), ended(0), "Succeeded"),
        ("Never", ended(0), ended(1), "Failed"),
        ("Never", running(), ended(1), "Running"),
        ("OnFailure", ended(0), backing_off(), "Running"),
        ("OnFailure", ended(0), ended(1), "Running"),
        ("OnFailure", ended(0), ended(0), "Succeeded"),
    ],
)
def test_the_phase_follows_the_restart_policy(policy: str, a: State, b: State, phase: str):
    assert status(pod(policy), a, b)["phase"] == phase


def test_a_pod_whose_init_container_failed_has_failed_only_if_it_may_not_try_again():
    assert status(pod("Never", init=True), State(), State(), ended(1))["phase"] == "Failed"
    assert status(pod("OnFailure", init=True), State(), State(), ended(1))["phase"] == "Pending"


def test_a_pod_is_ready_when_every_container_is():
    assert condition(status(pod(), running(), running()), "Ready")["status"] == "True"
    partly = condition(status(pod(), running(), running(ready=False)), "Ready")
    assert (partly["status"], partly["message"]) == (
        "False",
        "containers with unready status: ['b']",
    )


def test_readiness_gates_hold_back_ready_but_not_containers_ready():
    manifest = pod(readinessGates=[{"conditionType": "example/lb"}])
    waiting = status(manifest, running(), running())
    assert condition(waiting, "Ready")["reason"] == "ReadinessGatesNotReady"
    assert condition(waiting, "ContainersReady")["status"] == "True"
    manifest["status"] = {"conditions": [{"type": "example/lb", "status": "True"}]}
    assert condition(status(manifest, running(), running()), "Ready")["status"] == "True"


def test_a_condition_keeps_its_time_while_it_keeps_its_status():
    manifest = pod()
    manifest["status"] = status(manifest, running(), running(ready=False))
    later = status(manifest, running(), running(), now=NOW + 60)
    assert condition(later, "Initialized")["lastTransitionTime"] == timestamp(NOW)
    assert condition(later, "Ready")["lastTransitionTime"] == timestamp(NOW + 60)


def test_the_same_state_gives_the_same_status_so_nothing_needs_sending():
    manifest = pod()
    manifest["status"] = status(manifest, running(), running())
    assert status(manifest, running(), running(), now=NOW + 60) == manifest["status"]


def test_a_crash_looping_container_tells_its_last_end_and_what_it_waits_for():
    shown = status(pod(), backing_off(), running())["containerStatuses"][0]
    assert shown["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert shown["lastState"]["terminated"]["message"] == "boom"
    assert shown["ready"] is False


def test_containers_wait_for_the_init_containers():
    result = status(pod(init=True), State(), State(), running())
    assert result["containerStatuses"][0]["state"] == {"waiting": {"reason": "PodInitializing"}}
    assert condition(result, "Initialized")["status"] == "False"
