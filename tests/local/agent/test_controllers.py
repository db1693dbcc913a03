"""What the cluster's controllers need from a node: Jobs, rollouts, CPU for the autoscaler, logs."""

import json
from typing import Any

from testbed.cluster.readiness import Object
from tests.local.agent.bench import MOUNTS, PROGRAMS, VOLUMES, Bench, shell


def deployment(name: str, run: str, *, replicas: int | None = None, **fields: Any) -> Object:
    spec: Object = {
        "selector": {"matchLabels": {"app": name}},
        "template": {
            "metadata": {"labels": {"app": name}},
            "spec": {
                "automountServiceAccountToken": False,
                "terminationGracePeriodSeconds": 2,
                "containers": [shell(run=run, volumeMounts=MOUNTS, **fields)],
                "volumes": VOLUMES,
            },
        },
    }
    if replicas is not None:
        spec["replicas"] = replicas
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def job(run: str, **spec: Any) -> Object:
    template = {"spec": {"restartPolicy": "Never", "containers": [shell(run=run)]}}
    return {"template": template, **spec}


def test_a_job_completes_and_a_failing_one_gives_up(bench: Bench) -> None:
    kind = {"apiVersion": "batch/v1", "kind": "Job"}
    bench.apply({**kind, "metadata": {"name": "good"}, "spec": job("echo done")})
    bench.apply({**kind, "metadata": {"name": "bad"}, "spec": job("exit 1", backoffLimit=0)})
    bench.kubectl("wait", "job/good", "--for=condition=Complete", "--timeout=20s")
    bench.kubectl("wait", "job/bad", "--for=condition=Failed", "--timeout=20s")
    assert bench.kubectl("logs", "job/good") == "done\n"


def test_a_cron_jobs_run_completes(bench: Bench) -> None:
    cron = {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": job("echo tick")}}
    bench.apply(
        {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "cron"}, "spec": cron}
    )
    bench.kubectl("create", "job", "now", "--from=cronjob/cron")
    bench.kubectl("wait", "job/now", "--for=condition=Complete", "--timeout=20s")


def test_a_rollout_replaces_every_pod(bench: Bench) -> None:
    bench.apply(deployment("rolls", "echo 1; sleep infinity", replicas=2))
    bench.kubectl("rollout", "status", "deployment/rolls", "--timeout=30s")
    bench.apply(deployment("rolls", "echo 2; sleep infinity", replicas=2))
    bench.kubectl("rollout", "status", "deployment/rolls", "--timeout=30s")
    bench.wait(
        "the old ones to go",
        lambda: len(bench.cluster.get("pods", "-n", "agent-tests")["items"]) == 2,
    )
    names = bench.kubectl("get", "pods", "-o", "jsonpath={.items[*].metadata.name}").split()
    assert [bench.kubectl("logs", name) for name in names] == ["2\n", "2\n"]


def test_the_autoscaler_sees_the_cpu_that_a_container_uses(bench: Bench) -> None:
    resources = {"requests": {"cpu": "100m"}}
    bench.apply(
        deployment("busy", f"exec python3 {PROGRAMS}/burn.py", resources=resources),
        {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "busy"},
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "busy"},
                "maxReplicas": 2,
                "metrics": [
                    {
                        "type": "ContainerResource",
                        "containerResource": {
                            "name": "cpu",
                            "container": "main",
                            "target": {"type": "Utilization", "averageUtilization": 50},
                        },
                    }
                ],
            },
        },
    )
    replicas = "{.spec.replicas}"
    bench.wait(
        "two replicas",
        lambda: bench.kubectl("get", "deployment", "busy", "-o", f"jsonpath={replicas}") == "2",
        timeout=90,
    )
    path = "/apis/metrics.k8s.io/v1beta1/namespaces/agent-tests/pods?labelSelector=app%3Dbusy"
    measured = json.loads(bench.cluster.kubectl("get", "--raw", path))["items"][0]["containers"][0]
    assert 0.05e9 < int(measured["usage"]["cpu"].removesuffix("n")) < 0.35e9


def test_logs_can_be_followed_cut_and_read_for_the_previous_run(bench: Bench) -> None:
    bench.pod("talks", {"run": "echo one; echo two; echo three; test -e /tmp/again || exit 1"})
    bench.wait("a restart", lambda: bench.container("talks")["restartCount"] >= 1)
    assert bench.kubectl("logs", "talks", "--previous", "--tail=2") == "two\nthree\n"
    bench.pod(
        "counts", {"run": "for n in 1 2 3; do echo $n; sleep 0.5; done"}, restartPolicy="Never"
    )
    bench.wait("it to run", lambda: bench.log("counts"))
    assert bench.kubectl("logs", "-f", "counts") == "1\n2\n3\n"


def test_a_pod_that_does_nothing_causes_no_status_updates(bench: Bench) -> None:
    probe = {"exec": {"command": ["true"]}, "periodSeconds": 1}
    bench.pod("quiet", {"readinessProbe": probe, "livenessProbe": probe})
    before = bench.wait_ready("quiet")["metadata"]["resourceVersion"]
    bench.pod("timer", {"run": "sleep 4"}, restartPolicy="Never")
    bench.wait_phase("timer", "Succeeded")
    assert bench.get("pod", "quiet")["metadata"]["resourceVersion"] == before
