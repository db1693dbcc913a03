"""Services move between two clusters by the steps of docs/moving.md, under load."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from experiments.experiment import count_failed
from testbed.cluster import apps, readiness, run
from testbed.cluster.build import Builder
from testbed.cluster.cluster import Cluster
from testbed.cluster.errors import LocalError
from testbed.cluster.place import SECOND
from testbed.cluster.sandbox import Sandbox, end_leftover
from testbed.cluster.two_clusters import TwoClusters
from testbed.program import changed_program, preview
from tests.local.stack import Platform

# As short as the rules allow, so that a move takes minutes and not half an hour.
TIMEOUTS = {"max_connection_duration": "30s", "connection_shutdown_grace_period": "5s"}
SECTIONS: dict[str, dict[str, Any]] = {
    "zone": {"record_ttl": "1s"},
    "contour": {"replicas": 1, "timeouts": TIMEOUTS},
    "envoy": {"min_replicas": 2, "max_replicas": 2},
    "callers": {"neighbours": {"cidr": "10.244.0.0/16"}},
    "clusters": {"second": {"existing": {"context": "second", "kubeconfig": "unread"}}},
}
CLIENTS = {
    "unary": ("--channels=6", "--pause=0.02"),
    "more": ("--channels=6", "--pause=0.02"),
    "stream": ("--service=ticker", "--channels=6", "--ticks=20", "--interval=0.1"),
}
CALLS = "http.ingress_http.downstream_rq_total"
CONNECTIONS = "http.ingress_http.downstream_cx_active"
IN_FLIGHT = "cluster.default_{}_50051.upstream_rq_active"
"""The metrics that docs/moving.md tells an operator to check."""
MOVED = 180  # seconds until the clients have followed: a connection's lifetime and a margin


@dataclass
class Two:
    """One stack on two clusters, `local` and `second`."""

    clusters: dict[str, Cluster]
    directory: Path
    steps: int = 0

    def __post_init__(self) -> None:
        self.stack = TwoClusters(self.clusters)

    def bring_to(self, **place: Any) -> Platform:
        """`pulumi up` with both services placed like this. Returns the clients' targets."""
        self.steps += 1
        directory = self.directory / str(self.steps)
        directory.mkdir()
        services = {"greeter": place, "ticker": {"streaming": True, **place}}
        program = changed_program(directory, "local", services=services, **SECTIONS)
        graph = preview("local", directory / "preview", program)
        self.stack.bring_to(graph)
        found = Platform(self.clusters["local"], graph)
        found.services = {service.name: service for service in apps.services(graph)}
        return found

    def envoys(self, context: str) -> list[str]:
        """The addresses of a cluster's Envoys."""
        selector = ("-n", "projectcontour", "-l", "app.kubernetes.io/name=envoy")
        pods = self.clusters[context].get("pods", *selector)["items"]
        return [pod["status"]["podIP"] for pod in pods]

    def counted(self, context: str, name: str) -> int:
        """One of Envoy's statistics, over a cluster's Envoys."""
        urls = [f"http://{a}:8002/stats?filter=^{name}$" for a in self.envoys(context)]
        lines = "\n".join(self.clusters[context].fetch(*urls)).splitlines()
        return sum(int(line.rpartition(":")[2]) for line in lines if name in line)

    def wait_for(self, what: str, context: str, counter: str, *, at_least: int) -> None:
        """Wait until a counter is high enough, or for 0 until it is 0."""
        self.clusters[context].wait(
            what,
            lambda: (
                self.counted(context, counter) >= at_least
                if at_least
                else self.counted(context, counter) == 0
            ),
            timeout=MOVED,
        )

    def wait_until_served(self, platform: Platform, context: str) -> None:
        """Wait until every Envoy of a cluster serves both hosts."""
        for name, service in platform.services.items():
            for address in self.envoys(context):
                asked = (address, service.target, f"--service={name}", "--ticks=1")
                platform.cluster.wait(
                    f"{service.target} to be served in {context}",
                    lambda asked=asked: platform.served_by(*asked),
                )


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    """Two control planes with a node each in one network, the sample apps ready in both."""
    state = tmp_path_factory.mktemp("two") / "state"
    builder, sandbox = Builder(), Sandbox(state)
    builder.start()
    try:
        sandbox.start()
        first = Cluster(sandbox, builder)
        second = Cluster(sandbox, builder, place=SECOND)
        for cluster in (first, second):
            cluster.start()
            apps.install(cluster)
            run.prepare(cluster)
        found = Two({"local": first, "second": second}, tmp_path_factory.mktemp("steps"))
        found.bring_to(cluster="local")
        for cluster in (first, second):
            for manifest in apps.manifests():
                readiness.wait_until_ready(cluster, manifest)
        yield found
    except LocalError as error:
        pytest.fail("\n".join([error.cause, *error.log_end()]))
    finally:
        builder.stop()
        sandbox.close()
        end_leftover(state)


def start_clients(platform: Platform) -> dict[str, str]:
    """Continuous calls to each service by its one name, for as long as it takes."""
    clients: dict[str, str] = {}
    for name, arguments in CLIENTS.items():
        service = platform.services["ticker" if "--service=ticker" in arguments else "greeter"]
        lasting = ("--seconds=1800", "--re-resolve=1", *arguments)
        clients[name] = platform.start(service.target, *lasting)
    return clients


def servers(cluster: Cluster) -> set[str]:
    return {pod["metadata"]["name"] for pod in cluster.get("pods", "-n", "default")["items"]}


def test_a_service_moves_step_by_step_and_no_call_is_lost(
    two: Two, capsys: pytest.CaptureFixture[str]
) -> None:
    platform = two.bring_to(cluster="local")
    two.wait_until_served(platform, "local")
    clients = start_clients(platform)
    two.wait_for("calls in the old cluster", "local", CALLS, at_least=500)
    two.wait_for("a stream", "local", IN_FLIGHT.format("ticker"), at_least=1)

    two.bring_to(weights={"local": 100, "second": 0})
    two.wait_until_served(platform, "second")
    asked = two.counted("second", CALLS)
    calls = two.counted("local", CALLS) + 500
    two.wait_for("more calls in the old cluster", "local", CALLS, at_least=calls)
    assert two.counted("second", CALLS) == asked, "nobody is sent where the weight is 0"

    two.bring_to(weights={"local": 50, "second": 50})
    two.wait_for("some to have moved", "second", CONNECTIONS, at_least=1)

    two.bring_to(weights={"local": 0, "second": 100})
    two.wait_for("all to have left", "local", CONNECTIONS, at_least=0)
    assert [two.counted("local", IN_FLIGHT.format(name)) for name in apps.SERVERS] == [0, 0]

    two.bring_to(cluster="second")
    gone = ("get", "ingress,service", "greeter", "ticker", "--ignore-not-found", "-o", "name")
    two.clusters["local"].wait("the old bundle to go", lambda: not platform.cluster.kubectl(*gone))
    calls = two.counted("second", CALLS) + 500
    two.wait_for("more calls without it", "second", CALLS, at_least=calls)

    reports = {name: platform.end(client) for name, client in clients.items()}
    with capsys.disabled():
        for name, report in reports.items():
            print(f"\n{name}: {report['codes']} {report['error']}", end="")
    for report in reports.values():
        assert set(report["codes"]) == {"OK"}
        for cluster in two.clusters.values():
            assert set(report["pods"]) & servers(cluster), "it called both clusters"
    assert sum(report["codes"]["OK"] for report in reports.values()) > 5000


def test_a_move_in_one_step_loses_calls(two: Two, capsys: pytest.CaptureFixture[str]) -> None:
    """The control: it shows why the steps exist, and that a loss is noticed."""
    platform = two.bring_to(cluster="second")
    two.wait_until_served(platform, "second")
    calls = two.counted("second", CALLS) + 500
    clients = start_clients(platform)
    two.wait_for("calls in the old cluster", "second", CALLS, at_least=calls)
    two.bring_to(cluster="local")
    two.wait_for("some to have moved", "local", CONNECTIONS, at_least=1)
    reports = {name: platform.end(client) for name, client in clients.items()}
    with capsys.disabled():
        for name, report in reports.items():
            print(f"\nin one step, {name}: {report['codes']}", end="")
    # Who loses calls depends on who reconnects between the new record and the old bundle's end.
    assert count_failed(*(report["codes"] for report in reports.values())) > 0
