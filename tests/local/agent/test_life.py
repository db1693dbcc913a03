"""How containers are started, probed, restarted and stopped."""

import json
import time

import pytest

from testbed.cluster.control_plane import PYTHON
from testbed.cluster.errors import LocalError
from testbed.cluster.readiness import Object
from testbed.node_agent.sandbox import SILENT_PODS
from tests.local.agent.bench import MOUNTS, PROGRAMS, VOLUMES, Bench, shell


@pytest.mark.parametrize(
    "handler",
    [
        {"exec": {"command": ["cat", "/tmp/ok"]}},
        {"httpGet": {"path": "/ok", "port": "web"}},
        {"tcpSocket": {"port": 8080}},
        {"grpc": {"port": 50051, "service": "app"}},
    ],
    ids=lambda handler: next(iter(handler)),
)
def test_readiness_follows_the_probe(bench: Bench, handler: Object) -> None:
    serve = "python3 -m http.server 8080 --bind 0.0.0.0 --directory /tmp & SERVER=$!"
    begin, end = ("touch /tmp/ok", "rm /tmp/ok")
    if "tcpSocket" in handler:
        serve, begin, end = ("", "touch /tmp/ok", "rm /tmp/ok; kill $SERVER; wait $SERVER")
        begin = "python3 -m http.server 8080 --bind 0.0.0.0 & SERVER=$!"
    if "grpc" in handler:
        serve = f"{PYTHON} {PROGRAMS}/health_server.py /tmp/ok &"
    wait = "until test -e /tmp/{}; do sleep 0.1; done"
    script = (
        f"{serve}\n{wait.format('begin')}; {begin}; {wait.format('end')}; {end}; sleep infinity"
    )
    bench.pod(
        "probed",
        {
            "run": script,
            "ports": [{"name": "web", "containerPort": 8080}],
            "readinessProbe": {**handler, "periodSeconds": 1, "failureThreshold": 1},
            "volumeMounts": MOUNTS,
        },
        volumes=VOLUMES,
    )
    bench.wait("it to run", lambda: "running" in bench.container("probed")["state"])
    assert not bench.ready("probed")
    bench.enter("probed", "touch", "/tmp/begin")
    bench.wait_ready("probed")
    bench.enter("probed", "touch", "/tmp/end")
    bench.wait("it to be unready", lambda: not bench.ready("probed"))
    assert bench.container("probed")["restartCount"] == 0


def test_a_failed_liveness_probe_restarts_the_container_after_its_pre_stop(bench: Bench) -> None:
    probe = {"exec": {"command": ["cat", "/v/alive"]}, "periodSeconds": 1, "failureThreshold": 2}
    bench.pod(
        "lives",
        {
            "run": "touch /v/alive; cat /v/stopped 2>/dev/null; sleep infinity",
            "livenessProbe": probe,
            "lifecycle": {"preStop": {"exec": {"command": ["touch", "/v/stopped"]}}},
            "volumeMounts": [{"name": "v", "mountPath": "/v"}],
        },
        volumes=[{"name": "v", "emptyDir": {}}],
    )
    bench.wait_ready("lives")
    bench.enter("lives", "rm", "/v/alive")
    bench.wait("a restart", lambda: bench.container("lives")["restartCount"] == 1)
    bench.wait_ready("lives")
    assert bench.events("lives", "Unhealthy")
    assert "touch" not in bench.log("lives", run=1)
    assert bench.enter("lives", "ls", "/v") == "alive\nstopped\n"


def test_the_startup_probe_holds_back_the_others(bench: Bench) -> None:
    script = "sleep 3; touch /tmp/started; sleep infinity"
    command = ["cat", "/tmp/started"]
    check = {"exec": {"command": command}, "periodSeconds": 1, "timeoutSeconds": 10}
    bench.pod(
        "slow",
        {
            "run": script,
            "startupProbe": {**check, "failureThreshold": 10},
            "livenessProbe": {**check, "failureThreshold": 1},
        },
    )
    bench.wait("it to run", lambda: "running" in bench.container("slow")["state"])
    assert bench.container("slow")["started"] is False
    bench.wait_ready("slow")
    assert bench.container("slow")["restartCount"] == 0


def test_crashes_are_restarted_with_growing_pauses_and_keep_their_message(bench: Bench) -> None:
    bench.pod(
        "crashes",
        {"run": "echo boom; exit 7", "terminationMessagePolicy": "FallbackToLogsOnError"},
    )

    def reason():
        return bench.container("crashes")["state"].get("waiting", {}).get("reason")

    bench.wait("the pause", lambda: reason() == "CrashLoopBackOff")
    container = bench.container("crashes")
    assert container["restartCount"] == 1  # the first restart comes at once
    last = container["lastState"]["terminated"]
    assert (last["exitCode"], last["message"]) == (7, "boom\n")


def test_deletion_runs_pre_stop_then_term_and_waits_for_the_process(bench: Bench) -> None:
    script = "trap 'echo term; sleep 1; echo bye; exit 0' TERM; while :; do sleep 0.1; done"
    stop = {"exec": {"command": ["sh", "-c", "echo pre-stop > /proc/1/fd/1; sleep 1"]}}
    container = {"run": script, "lifecycle": {"preStop": stop}}
    bench.pod("graceful", container, terminationGracePeriodSeconds=60)
    bench.wait_ready("graceful")
    log = bench.run_log("graceful")
    before = time.monotonic()
    bench.kubectl("delete", "pod", "graceful")
    assert 2 <= time.monotonic() - before < 60
    assert log.read_text() == "pre-stop\nterm\nbye\n"


@pytest.mark.parametrize(
    "spec", [{"sleep": {"seconds": 2}}, {"httpGet": {"port": 8080, "path": "/x"}}]
)
def test_other_pre_stop_hooks_are_run_too(bench: Bench, spec: Object) -> None:
    serve = "python3 -u -m http.server 8080 --bind 0.0.0.0 2>&1 & sleep infinity"
    bench.pod(
        "hooked",
        {
            "run": serve,
            "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
            "lifecycle": {"preStop": spec},
        },
    )
    bench.wait_ready("hooked")
    log = bench.run_log("hooked")
    before = time.monotonic()
    bench.kubectl("delete", "pod", "hooked")
    taken = time.monotonic() - before
    if "sleep" in spec:
        assert taken >= 2
    else:
        assert '"GET /x HTTP/1.1" 404' in log.read_text()


def test_a_process_that_ignores_term_is_killed_at_the_end_of_its_grace(bench: Bench) -> None:
    run = "trap '' TERM; while :; do sleep 0.1; done #stubborn"
    bench.pod("stubborn", {"run": run}, terminationGracePeriodSeconds=60)
    bench.wait_ready("stubborn")
    before = time.monotonic()
    bench.kubectl("delete", "pod", "stubborn", "--grace-period=3")
    assert 3 <= time.monotonic() - before < 60
    assert bench.processes("#stubborn") == 0


def test_a_shorter_grace_given_later_counts(bench: Bench) -> None:
    bench.pod(
        "hurried",
        {"run": "trap '' TERM; while :; do sleep 0.1; done"},
        terminationGracePeriodSeconds=300,
    )
    bench.wait_ready("hurried")
    bench.kubectl("delete", "pod", "hurried", "--wait=false")
    before = time.monotonic()
    bench.kubectl("delete", "pod", "hurried", "--grace-period=1")
    assert time.monotonic() - before < 300


def test_a_forced_deletion_leaves_no_process(bench: Bench) -> None:
    bench.pod("forced", {"run": "trap '' TERM; while :; do sleep 0.1; done #forced"})
    bench.wait_ready("forced")
    bench.kubectl("delete", "pod", "forced", "--grace-period=0", "--force")
    bench.wait("its processes to go", lambda: bench.processes("#forced") == 0, timeout=5)


def test_a_pod_whose_node_is_lost_is_neither_reported_nor_probed_nor_ended(bench: Bench) -> None:
    """The other pod shows when a node that is there would have acted."""
    check = {"exec": {"command": ["cat", "/tmp/ok"]}}
    probe = {**check, "periodSeconds": 1, "timeoutSeconds": 10, "failureThreshold": 1}
    for name in ("lost", "kept"):
        run = f"touch /tmp/ok; sleep infinity #{name}-node"
        bench.pod(name, {"run": run, "readinessProbe": probe, "livenessProbe": probe})
        bench.wait_ready(name)
    bench.kubectl("annotate", "pod", "lost", "testbed/node-lost=true")
    for name in ("lost", "kept"):
        bench.enter(name, "rm", "/tmp/ok")
    bench.wait("the other to restart", lambda: bench.container("kept")["restartCount"])
    for name in ("lost", "kept"):
        bench.kubectl("delete", "pod", name, "--wait=false", "--grace-period=1")
    bench.wait("the other to be gone", lambda: bench.gone("kept"))
    assert bench.ready("lost")
    assert bench.container("lost")["restartCount"] == 0
    assert bench.processes("#lost-node"), "its processes were ended"
    assert not bench.events("lost", "Unhealthy")
    bench.kubectl("delete", "pod", "lost", "--grace-period=0", "--force")
    bench.wait("its processes to go", lambda: bench.processes("#lost-node") == 0, timeout=5)


def test_pods_deleted_while_they_start_leave_nothing(bench: Bench) -> None:
    names = [f"brief-{number}" for number in range(8)]
    for name in names:
        bench.pod(
            name,
            {"run": "sleep infinity #brief"},
            initContainers=[shell(name="i", run="sleep 0.3")],
        )
    bench.kubectl("delete", "pods", "--all", "--grace-period=1")
    bench.wait("everything to go", lambda: bench.processes("#brief") == 0, timeout=5)

    def links():
        return bench.cluster.inside("cat", "/proc/net/dev").stdout.count("veth")

    # The kernel takes a namespace apart in its own time.
    bench.wait("networks to go but the silent", lambda: links() <= SILENT_PODS, timeout=5)


def test_a_namesake_made_at_once_is_another_pod(bench: Bench) -> None:
    for number in range(3):
        bench.pod("again", {"run": f"echo {number}; sleep infinity"})
        bench.wait_ready("again")
        assert bench.log("again") == f"{number}\n"
        bench.kubectl("delete", "pod", "again", "--grace-period=0", "--force")


def test_a_missing_executable_is_waited_for(bench: Bench) -> None:
    bench.apply(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "late"},
            "spec": {
                "restartPolicy": "Never",
                "containers": [{"name": "main", "image": "x/late-part:1"}],
            },
        }
    )

    def reason():
        return bench.container("late")["state"].get("waiting", {}).get("reason")

    bench.wait("the reason", lambda: reason() == "ErrImagePull")
    part = bench.cluster.state / "parts" / "late-part"
    part.write_text("#!/bin/sh\necho arrived\n")
    part.chmod(0o755)
    bench.wait_phase("late", "Succeeded")
    assert bench.log("late") == "arrived\n"


def test_evictions_respect_the_disruption_budget(bench: Bench) -> None:
    bench.apply(
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": {"name": "kept"},
            "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "kept"}}},
        }
    )
    bench.pod("kept", {})
    bench.wait_ready("kept")
    budget = "{.status.currentHealthy}"
    bench.wait(
        "the budget", lambda: bench.kubectl("get", "pdb", "kept", "-o", f"jsonpath={budget}") == "1"
    )
    eviction = json.dumps(
        {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": "kept", "namespace": "agent-tests"},
        }
    )
    path = "/api/v1/namespaces/agent-tests/pods/kept/eviction"
    with pytest.raises(LocalError, match="disruption budget"):
        bench.cluster.kubectl("create", "--raw", path, "-f-", stdin=eviction)
    bench.kubectl("delete", "pdb", "kept")
    bench.cluster.kubectl("create", "--raw", path, "-f-", stdin=eviction)
    bench.wait("it to go", lambda: bench.gone("kept"))


def test_a_probe_that_hangs_fails_in_time_and_leaves_no_process(bench: Bench) -> None:
    probe = {"exec": {"command": ["sh", "-c", "sleep 1000 #hangs"]}, "timeoutSeconds": 1}
    bench.pod("hangs", {"readinessProbe": {**probe, "periodSeconds": 1, "failureThreshold": 1}})
    bench.wait("the event", lambda: bench.events("hangs", "Unhealthy"))
    assert "no answer within 1 s" in bench.events("hangs", "Unhealthy")[0]
    bench.wait("a moment between two tries", lambda: bench.processes("sleep 1000") == 0)


def test_a_post_start_hook_comes_before_ready_and_its_failure_restarts(bench: Bench) -> None:
    hook = {"exec": {"command": ["sh", "-c", "sleep 1; touch /tmp/hook"]}}
    bench.pod("hooked", {"lifecycle": {"postStart": hook}})
    bench.wait_ready("hooked")
    assert bench.enter("hooked", "ls", "/tmp/hook") == "/tmp/hook\n"
    bench.pod("unhooked", {"lifecycle": {"postStart": {"exec": {"command": ["false"]}}}})
    bench.wait("a restart", lambda: bench.container("unhooked")["restartCount"] >= 1)
    assert bench.events("unhooked", "FailedPostStartHook")


def test_readiness_is_probed_until_a_stopping_pod_ends(bench: Bench) -> None:
    probe = {"exec": {"command": ["cat", "/tmp/ok"]}, "periodSeconds": 1, "failureThreshold": 1}
    stop = {"exec": {"command": ["sh", "-c", "rm /tmp/ok; sleep 15"]}}
    bench.pod(
        "leaves",
        {
            "run": "touch /tmp/ok; sleep infinity",
            "readinessProbe": probe,
            "lifecycle": {"preStop": stop},
        },
        terminationGracePeriodSeconds=20,
    )
    bench.wait_ready("leaves")
    bench.kubectl("delete", "pod", "leaves", "--wait=false")
    bench.wait("it to be unready", lambda: not bench.ready("leaves"), timeout=10)


def test_a_pod_ends_at_its_own_active_deadline(bench: Bench) -> None:
    bench.pod("bounded", {}, activeDeadlineSeconds=2, restartPolicy="Never")
    assert bench.wait_phase("bounded", "Failed")["status"]["reason"] == "DeadlineExceeded"
