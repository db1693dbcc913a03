"""A service team's stack reads back what a platform stack exports."""

import re
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
import pytest

from grpc_platform import platform_stack
from grpc_platform.client_contract import client_contract
from grpc_platform.grpc_service import GrpcService
from grpc_platform.platform_stack import PlatformStack, ServingOutputs, service_args
from grpc_platform.specs import ServiceSpec
from grpc_platform.timing import Timing
from grpc_platform_tools.preview.fixtures import Fixtures
from grpc_platform_tools.preview.record import ProgramError, record

STACK = "organization/grpc-platform/prod"
TIMING = Timing(
    record_ttl=timedelta(seconds=20),
    propagation_delay=timedelta(seconds=45),
    min_resolution_interval=timedelta(seconds=20),
    pod_startup_time=timedelta(seconds=40),
    max_deadline=timedelta(seconds=90),
)
CONTRACT = client_contract(
    "events",
    ServiceSpec(streaming=True),
    zone_name="grpc.example.com",
    http_port=8080,
    https_port=8443,
    timing=TIMING,
)
SERVING = {
    "dns_name": "serving.grpc.example.com",
    "ingress_class_name": "contour",
    "http_port": 8080,
    "https_port": 8443,
}


def exported(clusters: dict[str, Any] | None = None) -> dict[str, Any]:
    """A platform stack's outputs; tests/examples holds the real program to it."""
    calling = {"endpoint": "https://calling.eks.invalid"}
    serving = {
        "endpoint": "https://serving.eks.invalid",
        "kubeconfig": "apiVersion: v1",
        "serving": SERVING,
    }
    return deepcopy(
        {
            "schema_version": 1,
            "zone": {"zone_id": "Z0123456789", "name": "grpc.example.com"},
            "timing": {
                "record_ttl": "20s",
                "max_connection_duration": "5m",
                "connection_shutdown_grace_period": "15s",
                "max_deadline": "1m30s",
                "propagation_delay": "45s",
                "min_resolution_interval": "20s",
                "pod_startup_time": "40s",
                "dns_convergence": "1m32s",
                "drain_delay": "1m32s",
                "termination_grace_period": "8m52s",
                "rebalance_time": "7m7s",
                "reconnect_interval": "5m15s",
            },
            "clusters": clusters or {"serving": serving, "calling": calling},
            "services": {"events": CONTRACT.to_dict()},
        }
    )


def read_back(
    of: Callable[[pulumi.Output[PlatformStack]], pulumi.Output[Any]], exports: dict[str, Any]
) -> list[Any]:
    """What `of` yields in a stack that refers to one with these exports."""
    seen: list[Any] = []
    record(
        lambda: of(PlatformStack.from_reference(STACK)).apply(seen.append),
        project="billing",
        fixtures=Fixtures(stacks={STACK: exports}),
    )
    return seen


def test_everything_exported_is_read_back() -> None:
    (stack,) = read_back(lambda platform: platform, exported())
    assert (stack.zone.zone_id, stack.zone.name) == ("Z0123456789", "grpc.example.com")
    assert stack.timing.timing() == TIMING
    assert stack.timing.rebalance_time == timedelta(minutes=7, seconds=7)
    assert stack.services == {"events": CONTRACT}
    assert stack.clusters["serving"].kubeconfig == "apiVersion: v1"
    assert stack.clusters["serving"].endpoint == "https://serving.eks.invalid"
    assert stack.clusters["serving"].serving == ServingOutputs.model_validate(SERVING)
    assert stack.clusters["calling"].serving is None


def test_a_port_is_still_a_whole_number() -> None:
    """The engine hands numbers on as floats, and `dns:///host:8080.0` is no address."""
    (port,) = read_back(
        lambda platform: pulumi.Output.from_input(service_args(platform, ServiceSpec()).http_port),
        exported(),
    )
    assert repr(port) == "8080"


def test_a_service_of_another_stack_is_made_as_it_asks_and_where_the_platform_is() -> None:
    def program() -> None:
        platform = PlatformStack.from_reference(STACK)
        spec = ServiceSpec(tls_secret="invoices-tls", deadline=timedelta(seconds=80))
        made = k8s.core.v1.Namespace("billing", metadata={"name": "billing"})
        args = service_args(platform, spec, namespace=made.metadata["name"])
        GrpcService("invoices", args)

    graph = record(program, project="billing", fixtures=Fixtures(stacks={STACK: exported()}))
    ingress = graph.only("kubernetes:networking.k8s.io/v1:Ingress").inputs
    assert ingress["metadata"]["namespace"] == "billing"
    assert ingress["spec"]["ingressClassName"] == "contour"
    assert ingress["spec"]["tls"][0]["secretName"] == "invoices-tls"
    cname = graph.only("aws:route53/record:Record").inputs
    assert (cname["zoneId"], cname["name"]) == ("Z0123456789", "invoices.grpc.example.com")
    assert (cname["records"], cname["ttl"]) == (["serving.grpc.example.com"], 20)
    contract = graph.only("grpc-platform:index:GrpcService").outputs["client_contract"]
    assert contract["target_uri"] == "dns:///invoices.grpc.example.com:8443"


def test_the_only_serving_cluster_need_not_be_named() -> None:
    (stack,) = read_back(lambda platform: platform, exported())
    assert stack.serving_cluster() == stack.serving_cluster("serving") == "serving"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("calling", "cluster: calling does not serve; choose one of second, serving"),
        (None, "cluster: not given; choose one of second, serving"),
    ],
)
def test_a_cluster_that_does_not_serve_is_refused(name: str | None, message: str) -> None:
    two = {"serving": {"serving": SERVING}, "second": {"serving": SERVING}, "calling": {}}
    (stack,) = read_back(lambda platform: platform, exported(two))
    with pytest.raises(pulumi.RunError, match=f"^{message}$"):
        stack.serving_cluster(name)


def test_an_existing_cluster_has_no_kubeconfig_to_give() -> None:
    existing = exported({"local": {"serving": SERVING}})
    with pytest.raises(
        pulumi.RunError, match="local was not made by the platform; use its kubeconfig"
    ):
        read_back(platform_stack.kubeconfig, existing)


NOT_VERSIONED = (
    "exports no schema_version; name a stack that grpc-platform deployed; if that was before "
    "outputs had a version, run pulumi up there"
)


NOTHING: dict[str, Any] = {}


@pytest.mark.parametrize(
    ("exports", "message"),
    [
        (NOTHING, NOT_VERSIONED),
        ({"zone": {"zone_id": "Z1", "name": "example.com"}}, NOT_VERSIONED),
        (
            {"schema_version": 1, "zone": NOTHING, "timing": NOTHING},
            "exports no clusters, services; finish pulumi up there",
        ),
        (
            exported({"serving": {"serving": {**SERVING, "http_port": "http"}}})
            | {"zone": NOTHING},
            "outputs not understood: zone.zone_id: Field required; zone.name: Field required; "
            "clusters.serving.serving.http_port: Input should be a valid integer, unable to parse "
            "string as an integer",
        ),
        (
            {"schema_version": 2, "zones": NOTHING},
            "exports schema_version 2, but this project reads 1; "
            "install here the release of grpc-platform that it was deployed with",
        ),
    ],
)
def test_exports_that_cannot_be_read_say_what_to_do(exports: dict[str, Any], message: str) -> None:
    with pytest.raises(pulumi.RunError, match=f"^{re.escape(f'stack {STACK}: {message}')}$"):
        read_back(lambda platform: platform, exports)


def test_no_more_than_ten_mistakes_of_an_export_are_told() -> None:
    """Each is a part of one line."""
    with pytest.raises(pulumi.RunError) as refused:
        read_back(
            lambda platform: platform,
            exported() | {"timing": {"max_deadline": "long"}} | {"zone": NOTHING},
        )
    assert str(refused.value).count(": ") == 2 + 10


def test_an_older_platform_must_be_deployed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform_stack, "SCHEMA_VERSION", 3)
    message = (
        "exports schema_version 1, but this project reads 3; "
        "run pulumi up there with the release of grpc-platform that is installed here"
    )
    with pytest.raises(pulumi.RunError, match=re.escape(message)):
        read_back(lambda platform: platform, exported())


def test_the_times_that_a_platform_of_release_0_1_does_not_export_are_what_it_waits() -> None:
    older = exported()
    for key in ("propagation_delay", "min_resolution_interval", "pod_startup_time"):
        del older["timing"][key]
    (stack,) = read_back(lambda platform: platform, older)
    assert stack.timing.timing() == Timing(
        record_ttl=TIMING.record_ttl, max_deadline=TIMING.max_deadline
    )


def test_a_contract_of_release_0_1_is_read_with_what_holds_for_any_platform() -> None:
    older = exported()
    for key in ("keepalive_time_seconds", "keepalive_timeout_seconds", "max_message_bytes"):
        del older["services"]["events"][key]
    for key in ("min_resolution_interval_seconds", "stream_lifetime_seconds"):
        del older["services"]["events"][key]
    (stack,) = read_back(lambda platform: platform, older)
    assert stack.services["events"] == replace(
        CONTRACT, min_resolution_interval_seconds=30, stream_lifetime_seconds=None
    )


def test_a_platform_of_the_same_version_may_export_more() -> None:
    newer: dict[str, Any] = exported() | {"dashboards": ["https://example.com"]}
    newer["services"]["events"]["colour"] = "green"
    newer["zone"] = {**newer["zone"], "name_servers": []}
    (stack,) = read_back(lambda platform: platform, newer)
    assert stack.zone.zone_id == "Z0123456789"


def test_a_reference_to_a_stack_without_recorded_exports_is_a_problem_of_the_preview() -> None:
    with pytest.raises(ProgramError):
        record(lambda: PlatformStack.from_reference(STACK), project="billing")
