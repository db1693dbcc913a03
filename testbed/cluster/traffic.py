"""The calls of a run: made from client pods by DNS name, and collected for the report."""

from typing import Any

from testbed.cluster import apps
from testbed.cluster.apps import Service
from testbed.cluster.cluster import Cluster
from testbed.cluster.report import Route

Reports = dict[str, dict[str, Any]]
"""A client's report, by the service that it called."""

_UNARY = "greeter"
# Enough calls for a p99, and enough connections to meet every Envoy.
_CALLS = 300
_CHANNELS, _CALLS_EACH, _STREAMS_EACH = 12, 25, 4


def compare(cluster: Cluster, services: list[Service]) -> tuple[Reports, float]:
    """Call the unary service on one connection, alternately through Envoy and directly.

    Returns the reports and when the first call was answered (0.0: none was).
    """
    reports: Reports = {}
    for service in services:
        if service.name == _UNARY:
            name, calls = f"one-{service.name}", f"--calls={_CALLS}"
            apps.start_client(cluster, name, [service.target, service.direct, calls])
            reports[service.name] = apps.client_report(cluster, name)
    answers = [report["targets"][0]["first_answer"] for report in reports.values()]
    return reports, min(answers, default=0.0)


def wait_for_fleet(cluster: Cluster, services: list[Service]) -> None:
    """Wait until each service's name leads to every ready Envoy pod and to no other address.

    This takes up to the records' TTL, as in prod.
    """
    pods = cluster.get("pods", "-n", "projectcontour", "-l", "app.kubernetes.io/name=envoy")
    fleet = sorted(pod["status"]["podIP"] for pod in pods["items"])
    for service in services:
        host = service.target.rpartition(":")[0]
        cluster.wait(
            f"{host} to lead to all {len(fleet)} Envoys",
            lambda host=host: sorted(cluster.addresses(host)) == fleet,
            timeout=90,
            blame="coredns",
        )


def spread(cluster: Cluster, services: list[Service], compared: Reports) -> list[Route]:
    """Call every service on many connections at once, to show how calls spread."""
    for service in services:
        calls = _CALLS_EACH if service.name == _UNARY else _STREAMS_EACH
        arguments = ("--service", service.name, f"--channels={_CHANNELS}", f"--calls={calls}")
        apps.start_client(cluster, f"many-{service.name}", [service.target, *arguments])
    reports = {s.name: apps.client_report(cluster, f"many-{s.name}") for s in services}
    pods: dict[str, str] = {
        pod["status"]["podIP"]: pod["metadata"]["name"]
        for pod in cluster.get("pods", "-A")["items"]
        if "podIP" in pod["status"]
    }
    return [_route(s, reports[s.name], compared.get(s.name), pods) for s in services]


def _route(
    service: Service, many: dict[str, Any], one: dict[str, Any] | None, pods: dict[str, str]
) -> Route:
    chain, called = many["chains"][0], many["targets"][0]
    codes: dict[str, int] = dict(called["codes"])
    for code, count in one["targets"][0]["codes"].items() if one else ():
        codes[code] = codes.get(code, 0) + count
    callers: dict[str, int] = called["callers"]
    # Latency is taken from the calls without other load, if there are any.
    alone = one["targets"][0] if one else called
    return Route(
        service=service.name,
        chain=(
            chain["name"],
            f"CNAME {chain['canonical']}",
            f"A {', '.join(sorted(chain['addresses']))}",
        ),
        made=sum(codes.values()),
        failed=sum(count for code, count in codes.items() if code != "OK"),
        codes=codes,
        envoys={pods.get(str(address), str(address)): n for address, n in callers.items()},
        servers=dict(called["pods"]),
        milliseconds=alone["milliseconds"],
        direct_milliseconds=one["targets"][1]["milliseconds"] if one else None,
    )
