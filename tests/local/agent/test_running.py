"""The environment of a pod's processes: network, files, identity."""

import json
from pathlib import Path

from testbed.cluster import fetch
from testbed.cluster.readiness import Object
from testbed.node_agent import fields
from tests.local.agent.bench import MOUNTS, PROGRAMS, VOLUMES, Bench, shell


def test_init_containers_run_in_order_before_the_others_and_share_volumes(bench: Bench) -> None:
    mount = [{"name": "shared", "mountPath": "/shared"}]
    inits = [
        shell(name="one", run="echo 1 >> /shared/x", volumeMounts=mount),
        shell(name="two", run="echo 2 >> /shared/x", volumeMounts=mount),
    ]
    bench.pod(
        "inits",
        {"run": "echo 3 >> /shared/x; cat /shared/x", "volumeMounts": mount},
        initContainers=inits,
        restartPolicy="Never",
        volumes=[{"name": "shared", "emptyDir": {}}],
    )
    pod = bench.wait_phase("inits", "Succeeded")
    assert bench.log("inits") == "1\n2\n3\n"
    assert all(one["ready"] for one in pod["status"]["initContainerStatuses"])


def test_a_failing_init_container_is_tried_again_and_holds_the_pod_back(bench: Bench) -> None:
    bench.pod("held", {}, initContainers=[shell(name="init", run="exit 3")])
    bench.wait("a restart", lambda: bench.container("held", "init")["restartCount"] >= 1)
    assert bench.get("pod", "held")["status"]["phase"] == "Pending"
    assert bench.container("held")["state"] == {"waiting": {"reason": "PodInitializing"}}


def test_a_sidecar_starts_first_and_ends_with_the_job(bench: Bench) -> None:
    sidecar = shell(
        name="side",
        run="sleep 1; echo up > /shared/up; sleep infinity",
        restartPolicy="Always",
        startupProbe={"exec": {"command": ["cat", "/shared/up"]}, "periodSeconds": 1},
        volumeMounts=[{"name": "shared", "mountPath": "/shared"}],
    )
    main = {
        "run": "cat /shared/up",
        "volumeMounts": [{"name": "shared", "mountPath": "/shared"}],
    }
    volumes: list[Object] = [{"name": "shared", "emptyDir": {}}]
    bench.pod("sides", main, initContainers=[sidecar], restartPolicy="Never", volumes=volumes)
    bench.wait_phase("sides", "Succeeded")
    assert bench.log("sides") == "up\n"
    bench.wait(
        "the sidecar to end", lambda: "terminated" in bench.container("sides", "side")["state"]
    )


def test_data_volumes_follow_their_objects_while_the_pod_runs(bench: Bench) -> None:
    bench.apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "1"}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"k": "1"}},
    )
    projected = [
        {"configMap": {"name": "c", "items": [{"key": "a", "path": "deep/a"}]}},
        {"secret": {"name": "s"}},
        {
            "downwardAPI": {
                "items": [{"path": "app", "fieldRef": {"fieldPath": "metadata.labels['app']"}}]
            }
        },
    ]
    mounts = [{"name": "all", "mountPath": "/all"}]
    volumes: list[Object] = [{"name": "all", "projected": {"sources": projected}}]
    bench.pod("data", {"volumeMounts": mounts}, volumes=volumes)
    bench.wait_ready("data")
    read = ("sh", "-c", "cat /all/deep/a /all/k /all/app")
    assert bench.enter("data", *read) == "11data"
    bench.kubectl("patch", "configmap", "c", "-p", '{"data":{"a":"2"}}')
    bench.kubectl("patch", "secret", "s", "-p", '{"stringData":{"k":"3"}}')
    bench.kubectl("label", "pod", "data", "--overwrite", "app=new")
    bench.wait("the files to change", lambda: bench.enter("data", *read) == "23new")


def test_a_pod_waits_for_the_objects_it_refers_to(bench: Bench) -> None:
    env = [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "late", "key": "a"}}}]
    bench.pod("waits", {"env": env, "run": 'echo "A is $A"; sleep infinity'})

    def reason():
        return bench.container("waits")["state"].get("waiting", {}).get("reason")

    bench.wait("the reason", lambda: reason() == "CreateContainerConfigError")
    late = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "late"}}
    bench.apply({**late, "data": {"a": "here"}})
    bench.wait_ready("waits")
    assert bench.log("waits") == "A is here\n"


def test_the_service_accounts_token_opens_the_api_server(bench: Bench) -> None:
    bench.pod(
        "token",
        {"run": f"exec python3 {PROGRAMS}/who_am_i.py", "volumeMounts": MOUNTS},
        volumes=VOLUMES,
        automountServiceAccountToken=True,
        restartPolicy="Never",
    )
    bench.wait_phase("token", "Succeeded")
    assert bench.log("token") == ("system:serviceaccount:agent-tests:default token agent-tests\n")


def test_containers_of_a_pod_share_its_address_and_host_name_and_nobody_elses(bench: Bench) -> None:
    serve = "exec python3 -u -m http.server 8080 --bind 0.0.0.0"
    ask = f"python3 {fetch.__file__} http://127.0.0.1:8080/etc/hostname"
    bench.pod(
        "shares",
        {"name": "server", "run": serve},
        {"name": "client", "run": f"until {ask}; do sleep 0.2; done; sleep infinity"},
    )
    pod = bench.wait_ready("shares")
    bench.wait("an answer", lambda: "shares\n" in bench.log("shares", "client"))
    bench.pod("other", {"run": ask}, restartPolicy="Never")
    bench.wait_phase("other", "Failed")
    assert "refused" in bench.log("other")
    address = pod["status"]["podIP"]
    assert bench.cluster.fetch(f"http://{address}:8080/etc/hostname") == ["shares\n"]


def test_an_ended_pods_address_is_silent(bench: Bench) -> None:
    """As in a VPC: a client that dials it is not refused; a refusal would arrive within 4 s
    here."""
    bench.pod("ended", {"run": "exec python3 -m http.server 8080"})
    address = bench.wait_ready("ended")["status"]["podIP"]
    bench.kubectl("delete", "pod", "ended")
    ask = f"exec python3 {fetch.__file__} http://{address}:8080"
    bench.pod("dials", {"run": ask}, restartPolicy="Never")
    bench.wait_phase("dials", "Failed")
    assert "TimeoutError: timed out" in bench.log("dials")


def test_users_groups_capabilities_and_read_only_roots(bench: Bench) -> None:
    script = (
        "id -u; id -g; grep -E '^(CapBnd|NoNewPrivs)' /proc/self/status | tr -d '\\t';"
        "touch /x 2>/dev/null || echo no /x; touch /usr/x 2>/dev/null || echo no /usr;"
        "touch /e/x && echo yes /e; touch /c/x 2>/dev/null || echo no /c"
    )
    security = {
        "runAsUser": 1234,
        "runAsGroup": 2345,
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    mounts = [{"name": "e", "mountPath": "/e"}, {"name": "c", "mountPath": "/c"}]
    config = {"name": "kube-root-ca.crt"}
    bench.pod(
        "secure",
        {"run": script, "securityContext": security, "volumeMounts": mounts},
        volumes=[{"name": "e", "emptyDir": {}}, {"name": "c", "configMap": config}],
        restartPolicy="Never",
    )
    bench.wait_phase("secure", "Succeeded")
    assert bench.log("secure").splitlines() == [
        "1234",
        "2345",
        "CapBnd:0000000000000000",
        "NoNewPrivs:1",
        "no /x",
        "no /usr",
        "yes /e",
        "no /c",
    ]


def test_a_read_only_root_binds_root_too(bench: Bench) -> None:
    script = "touch /x 2>/dev/null && echo written || echo refused"
    bench.pod(
        "roots",
        {"name": "free", "run": script},
        {"name": "bound", "run": script, "securityContext": {"readOnlyRootFilesystem": True}},
        restartPolicy="Never",
    )
    bench.wait_phase("roots", "Succeeded")
    assert bench.log("roots", "free") == "written\n"
    assert bench.log("roots", "bound") == "refused\n"


def test_a_container_sees_only_its_own_processes_and_what_the_host_lends(bench: Bench) -> None:
    root = Path(__file__).parents[3]
    lists = (
        f"ls -d /proc/[0-9]* | grep -c .; ls -A {root}; echo others;"
        f"ls -A / {root.parent} /root /home 2>&1; echo end; sleep infinity"
    )
    bench.pod("alone", {"run": lists})
    bench.wait("output", lambda: "end\n" in bench.log("alone"))
    lines = bench.log("alone").splitlines()
    assert int(lines[0]) <= 4  # the shell, its copies, ls, grep
    others = lines.index("others")
    assert lines[1:others] == [".venv", "testbed"]
    assert not any(name in lines[others:] for name in ("shared", "tmp.txt", ".ssh"))


def test_a_pod_can_be_entered_by_what_its_name_begins_with(bench: Bench) -> None:
    bench.pod("named-12345-abcde", {})
    bench.wait_ready("named-12345-abcde")
    assert bench.enter("named", "cat", "/proc/sys/kernel/hostname") == "named-12345-abcde\n"


def test_what_is_not_honoured_is_told_in_an_event(bench: Bench) -> None:
    bench.pod("limited", {"resources": {"limits": {"memory": "64Mi"}}})
    bench.wait("the event", lambda: bench.events("limited", "NotHonoured"))
    assert "containers[main].resources.limits" in bench.events("limited", "NotHonoured")[0]


def test_every_field_of_a_pod_in_the_api_servers_schema_is_known(bench: Bench) -> None:
    schema = json.loads(bench.cluster.kubectl("get", "--raw", "/openapi/v3/api/v1"))
    kinds = schema["components"]["schemas"]

    def below(name: str) -> list[str]:
        return list(kinds[f"io.k8s.api.core.v1.{name}"]["properties"])

    paths = [*below("PodSpec"), *(f"securityContext.{one}" for one in below("PodSecurityContext"))]
    paths += [f"containers[].{one}" for one in below("Container")]
    paths += [f"containers[].securityContext.{one}" for one in below("SecurityContext")]
    paths += [f"containers[].lifecycle.{one}" for one in below("Lifecycle")]
    paths += [f"containers[].resources.{one}" for one in below("ResourceRequirements")]
    known = {entry.removesuffix("[]") for entry in fields.TABLE}
    unknown = [
        path
        for path in paths
        if fields.reason(path) is None
        and not any(entry.startswith((f"{path}.", f"{path}[")) for entry in known)
    ]
    assert unknown == []


def test_a_sysctl_lets_a_plain_user_listen_on_port_80(bench: Bench) -> None:
    serve = "exec python3 -m http.server 80 --bind 0.0.0.0"
    security = {
        "runAsUser": 1234,
        "sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}],
    }
    probe = {"tcpSocket": {"port": 80}, "periodSeconds": 1}
    bench.pod("low", {"run": serve, "readinessProbe": probe}, securityContext=security)
    bench.wait_ready("low")


def test_a_network_that_cannot_be_made_is_told_and_leaves_nothing(bench: Bench) -> None:
    security = {"sysctls": [{"name": "net.ipv4.no_such_setting", "value": "0"}]}
    bench.pod("refused", {}, securityContext=security)
    bench.wait("the event", lambda: bench.events("refused", "FailedCreatePodSandBox"))
    assert "no_such_setting" in bench.events("refused", "FailedCreatePodSandBox")[0]
    bench.kubectl("delete", "pod", "refused")
