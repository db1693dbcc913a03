"""The disruptions that the experiments make do what they say, and nothing else."""

import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from grpc_platform.conventions import CONTOUR_NAMESPACE
from testbed.cluster.control_plane import PYTHON
from testbed.cluster.place import FIRST
from testbed.disruptions import losses, operations, pods
from testbed.load.sampler import Sampler
from tests.local.stack import Platform

DIAL = (PYTHON, "-m", "tests.local.dial")


def envoy(platform: Platform) -> dict[str, Any]:
    """A ready Envoy."""
    return next(pod for pod in platform.envoys() if pods.ready(pod))


def wait_until_whole(platform: Platform, app: str = "envoy", *, size: int = 2) -> None:
    def is_whole() -> bool:
        found = pods.of_app(platform.cluster, app)
        return len(found) == size and all(map(pods.ready, found))

    platform.cluster.wait(f"{size} ready pods of {app}", is_whole, timeout=120)


def restarts(platform: Platform, app: str, namespace: str = CONTOUR_NAMESPACE) -> dict[str, int]:
    """Restarts of each container of an app's pods."""
    found = pods.of_app(platform.cluster, app, namespace)
    assert found
    return {
        f"{pod['metadata']['name']}/{container['name']}": container["restartCount"]
        for pod in found
        for container in pod["status"]["containerStatuses"]
    }


def dial(platform: Platform, address: str, port: int = 8080) -> str:
    """The result of a connection to an Envoy or another server, with a time-out of one second."""
    return platform.cluster.inside(*DIAL, address, str(port)).stdout.strip()


def test_a_killed_container_starts_again_and_no_other_does(platform: Platform) -> None:
    before, pod = restarts(platform, "envoy"), envoy(platform)["metadata"]["name"]
    losses.kill(platform.cluster, pod, "envoy")
    after = {**before, f"{pod}/envoy": before[f"{pod}/envoy"] + 1}
    platform.cluster.wait("Envoy to run again", lambda: restarts(platform, "envoy") == after)
    wait_until_whole(platform)


def test_a_black_holed_envoy_answers_nothing_and_goes_on_after_it(platform: Platform) -> None:
    before, pod = restarts(platform, "envoy"), envoy(platform)
    name, address = pod["metadata"]["name"], pod["status"]["podIP"]
    assert dial(platform, address) == "connected"
    with losses.black_holed(platform.cluster, name):
        assert dial(platform, address) == "TimeoutError", "a refusal is an answer"
        found = platform.cluster.get("pod", "-n", CONTOUR_NAMESPACE, name)
        assert pods.ready(found), "the API server does not know yet"
    assert dial(platform, address) == "connected"
    assert restarts(platform, "envoy") == before


def test_a_lost_node_is_silent_at_once_and_known_when_it_is_marked(platform: Platform) -> None:
    pod = envoy(platform)
    name, address = pod["metadata"]["name"], pod["status"]["podIP"]
    command = platform.cluster.sandbox.command(*DIAL, "--hold", address, "8080")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as connected:
        assert connected.stdout is not None
        assert connected.stdout.readline() == "connected\n"
        losses.lose_node(platform.cluster, name)
        assert connected.stdout.readline() == "TimeoutError\n", "its end reached a peer"
    assert address in ready_addresses(platform), "the API server knows already"
    losses.mark_not_ready(platform.cluster, name)
    platform.cluster.wait("it to leave", lambda: address not in ready_addresses(platform))
    losses.delete_now(platform.cluster, name)
    wait_until_whole(platform)


def ready_addresses(platform: Platform) -> set[str]:
    """The addresses that Envoy's Service publishes."""
    of_envoy = ("-n", CONTOUR_NAMESPACE, "-l", "kubernetes.io/service-name=envoy")
    return {
        address
        for item in platform.cluster.get("endpointslices", *of_envoy)["items"]
        for endpoint in item["endpoints"]
        for address in endpoint["addresses"]
        if endpoint["conditions"]["ready"]
    }


def test_a_stall_ends_by_itself(platform: Platform) -> None:
    pod = envoy(platform)
    name, address = pod["metadata"]["name"], pod["status"]["podIP"]
    with ThreadPoolExecutor(1) as other:
        stall = other.submit(losses.stall, platform.cluster, name, 4)
        platform.cluster.wait("silence", lambda: dial(platform, address) == "TimeoutError")
        assert not stall.done()
        stall.result()
    assert dial(platform, address) == "connected"


def test_pods_survive_the_api_server(platform: Platform) -> None:
    def all_restarts() -> dict[str, int]:
        return restarts(platform, "envoy") | restarts(platform, "greeter", "default")

    before = all_restarts()
    target = platform.services["greeter"].target
    calling = platform.start(target, "--channels=4", "--seconds=15", "--pause=0.01")
    platform.cluster.wait("the client to run", lambda: running(platform, calling))
    with losses.without_api_server(platform.cluster):
        assert dial(platform, FIRST.kubernetes_address, 443) == "ConnectionRefusedError"
    platform.cluster.check()
    assert set(platform.report(calling)["codes"]) == {"OK"}
    assert all_restarts() == before
    wait_until_whole(platform, "contour")


def running(platform: Platform, pod: str) -> bool:
    return platform.cluster.get("pod", pod)["status"].get("phase") == "Running"


def test_another_contour_leads_when_the_leader_goes(platform: Platform) -> None:
    wait_until_whole(platform, "contour")
    gone = losses.leader(platform.cluster)
    platform.cluster.kubectl("delete", "pod", "-n", CONTOUR_NAMESPACE, gone, "--wait=false")
    platform.cluster.wait("another leader", lambda: losses.leader(platform.cluster) != gone)
    wait_until_whole(platform, "contour")


def test_an_eviction_waits_for_the_disruption_budget(platform: Platform) -> None:
    """One Envoy may be missing at a time: a second one is refused until the first is back."""
    wait_until_whole(platform)
    first, second = (pod["metadata"]["name"] for pod in platform.envoys())
    assert operations.evict(platform.cluster, first) == 0
    assert operations.evict(platform.cluster, second) > 0
    for pod in (first, second):  # their drains take minutes
        losses.delete_now(platform.cluster, pod)
    wait_until_whole(platform)


def test_certificates_are_renewed(platform: Platform) -> None:
    def issued() -> set[str]:
        selector = ("secret", "-n", CONTOUR_NAMESPACE, *operations.CERTIFICATES)
        return {item["data"]["tls.crt"] for item in platform.cluster.get(*selector)["items"]}

    before = issued()
    operations.renew_certificates(platform.cluster)
    assert len(issued()) == 2
    assert not issued() & before


def test_external_dns_is_gone_for_a_while(platform: Platform) -> None:
    def publishers() -> int:
        return len(pods.of_app(platform.cluster, "external-dns", "external-dns"))

    with losses.without_external_dns(platform.cluster):
        assert publishers() == 0
    assert publishers() == 1


def test_the_fleet_takes_another_size_and_the_sampler_sees_it(platform: Platform) -> None:
    wait_until_whole(platform)
    scaler = platform.cluster.get("hpa", "-n", CONTOUR_NAMESPACE, "envoy")["spec"]
    before = {pod["metadata"]["name"] for pod in platform.envoys()}
    with Sampler(platform.cluster, interval=0.5) as sampler:
        operations.resize_fleet(platform.cluster, 3)
        report = platform.call(platform.services["greeter"].target, "--calls=2000")
        seen = len(sampler.samples)
        platform.cluster.wait("one more sample", lambda: len(sampler.samples) > seen)
    assert report["codes"] == {"OK": 2000}
    after = {pod["metadata"]["name"] for pod in platform.envoys()}
    assert before < after
    first, last = sampler.samples[0], sampler.samples[-1]
    assert before <= first["mebibytes"].keys()
    (new,) = after - before
    assert new not in first["mebibytes"]
    assert 20 < last["mebibytes"][new] < 500
    busy = [max(sample["cpu"].get(pod, 0.0) for sample in sampler.samples) for pod in before]
    assert max(busy) > 0, "somebody proxied the calls"
    assert {"etcd", "kube-apiserver", "coredns", "node-agent", "route53"} <= last["cpu"].keys()
    own = sum(sample["cpu"]["processes"] for sample in sampler.samples) / len(sampler.samples)
    assert own < 0.05, "of a core"
    operations.resize_fleet(
        platform.cluster, scaler["minReplicas"], scaler["maxReplicas"], wait=False
    )
    losses.delete_now(platform.cluster, new)
    wait_until_whole(platform)
