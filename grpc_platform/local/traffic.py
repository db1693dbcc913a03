"""The calls of a run: made from client pods, by DNS name, and put together for the report."""

from typing import Any

from grpc_platform.local import apps
from grpc_platform.local.apps import Service
from grpc_platform.local.cluster import Cluster
from grpc_platform.local.report import Route

# Enough calls for a p99, and enough connections to meet every Envoy.
_CALLS = 300
_CHANNELS, _CALLS_EACH, _STREAMS_EACH = 12, 25, 4


def call(cluster: Cluster, services: list[Service]) -> tuple[list[Route], float]:
    """Call every service from pods; the routes taken, and when the first call was answered.

    A unary service is first called on one connection, through Envoy and past it in turn, which
    tells what Envoy adds; then each from many connections at once, which tells how calls spread.
    """
    compared = {s.name: _compare(cluster, s) for s in services if s.name == "greeter"}
    for service in services:
        calls = _CALLS_EACH if service.name == "greeter" else _STREAMS_EACH
        arguments = [service.target, "--service", service.name, f"--channels={_CHANNELS}"]
        apps.start_client(cluster, f"many-{service.name}", [*arguments, f"--calls={calls}"])
    spread = {s.name: apps.client_report(cluster, f"many-{s.name}") for s in services}
    pods = _pods_by_address(cluster)
    routes = [_route(s, spread[s.name], compared.get(s.name), pods) for s in services]
    answers = [
        target["first_answer"]
        for report in (*compared.values(), *spread.values())
        for target in report["targets"][:1]
        if target["first_answer"]
    ]
    return routes, min(answers, default=0.0)


def _compare(cluster: Cluster, service: Service) -> dict[str, Any]:
    name = f"one-{service.name}"
    arguments = [service.target, service.direct, "--service", service.name, f"--calls={_CALLS}"]
    apps.start_client(cluster, name, arguments)
    return apps.client_report(cluster, name)


def _route(
    service: Service, spread: dict[str, Any], compared: dict[str, Any] | None, pods: dict[str, str]
) -> Route:
    many = spread["targets"][0]
    codes = dict(many["codes"])
    if compared:
        for code, count in compared["targets"][0]["codes"].items():
            codes[code] = codes.get(code, 0) + count
    chain = spread["chains"][0]
    addresses = ", ".join(sorted(chain["addresses"]))
    # Latency is told of the calls that had the machine to themselves, where there are any.
    alone = compared["targets"] if compared else [many]
    return Route(
        service=service.name,
        chain=(chain["name"], f"CNAME {chain['canonical']}", f"A {addresses}"),
        made=sum(codes.values()),
        failed=sum(count for code, count in codes.items() if code != "OK"),
        codes=codes,
        envoys={pods.get(address, address): n for address, n in many["callers"].items()},
        servers=dict(many["pods"]),
        milliseconds=alone[0]["milliseconds"],
        direct_milliseconds=alone[1]["milliseconds"] if compared else None,
    )


def _pods_by_address(cluster: Cluster) -> dict[str, str]:
    pods = cluster.get("pods", "-A")["items"]
    return {p["status"]["podIP"]: p["metadata"]["name"] for p in pods if "podIP" in p["status"]}
