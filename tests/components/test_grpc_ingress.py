"""GrpcIngress and what a program exports of it, without this repository's config."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pulumi
import pytest

import grpc_platform as gp
from grpc_platform.conventions import EXTERNAL_DNS_ANNOTATION_PREFIX
from grpc_platform.specs import (
    ContourSpec,
    ExternalDnsSpec,
    ServiceSpec,
)
from grpc_platform.timing import DnsTiming
from grpc_platform_tools.graph import Graph

Recorded = Callable[[Callable[[], object]], Graph]


def program(*clusters: str, contours: dict[str, ContourSpec] | None = None) -> None:
    """A platform in existing clusters, whose zone has other times than the default, with a service
    in each."""
    times = DnsTiming(record_ttl=timedelta(minutes=2), propagation_delay=timedelta(seconds=90))
    zone = gp.ExistingZone(
        "zone", gp.ExistingZoneArgs(name="example.com", zone_id="Z1", timing=times)
    )
    made = {
        name: gp.ExistingCluster(
            name, gp.ExistingClusterArgs(kubeconfig="kubeconfig", context=name)
        )
        for name in clusters
    }
    ingresses = {
        name: gp.GrpcIngress(
            name,
            gp.GrpcIngressArgs(
                dns_name=f"{name}.example.com",
                zone=zone,
                clusters=made,
                contour=(contours or {}).get(name, ContourSpec()),
                external_dns=ExternalDnsSpec(credentials_secret="route53"),
            ),
        )
        for name in clusters
    }
    services = {
        name: gp.GrpcService(f"greeter-{name}", ingress.service_args(ServiceSpec()))
        for name, ingress in ingresses.items()
    }
    for key, value in gp.exports(zone, made, ingresses, services).items():
        pulumi.export(key, value)


def test_the_times_of_a_zone_reach_all_that_waits_for_dns(recorded: Recorded) -> None:
    graph = recorded(lambda: program("main"))
    pod: dict[str, Any] = graph.only("kubernetes:apps/v1:Deployment", "main-envoy").inputs["spec"]
    assert "--drain-delay=4m7s" in str(pod)  # 7 s + 90 s + 120 s + 30 s
    service = graph.only("kubernetes:core/v1:Service", "main-envoy-service")
    annotations = service.inputs["metadata"]["annotations"]
    assert annotations[f"{EXTERNAL_DNS_ANNOTATION_PREFIX}ttl"] == "120"
    assert graph.only("aws:route53/record:Record", "greeter-main-cname").inputs["ttl"] == 120
    assert graph.exports["timing"]["dns_convergence"] == "4m7s"
    contract = graph.exports["services"]["main"]
    assert contract["rebalance_time_seconds"] == 30 + 7 + 90 + 120 + 315


def test_a_platform_without_an_ingress_or_with_two_kinds_of_times_exports_nothing(
    recorded: Recorded,
) -> None:
    slower = ContourSpec.model_validate({"timeouts": {"max_connection_duration": "6m"}})
    with pytest.raises(ValueError, match="exports: ingresses: none"):
        recorded(program)
    with pytest.raises(ValueError, match="exports: ingresses: some have other times"):
        recorded(lambda: program("main", "second", contours={"second": slower}))
