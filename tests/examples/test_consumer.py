"""The consumer example, run against the exports of a recorded platform stack."""

import runpy
from datetime import timedelta
from pathlib import Path
from typing import Any

import pulumi
import yaml

from grpc_platform.components import platform_stack
from grpc_platform.components.platform_stack import ClusterExport, ServingExport
from grpc_platform.components.timing import Timing
from grpc_platform.preview.record import record

CONSUMER = Path(__file__).parents[2] / "examples" / "consumer"


def platform_exports() -> dict[str, Any]:
    def program() -> None:
        serving = ServingExport(
            dns_name="serving.grpc.example.com",
            ingress_class_name="contour",
            http_port=8080,
            https_port=8443,
        )
        for key, value in platform_stack.exports(
            zone_id="Z0123456789",
            zone_name="grpc.example.com",
            timing=Timing(record_ttl=timedelta(seconds=20)),
            clusters={"serving": ClusterExport(kubeconfig="apiVersion: v1", serving=serving)},
            services={},
        ).items():
            pulumi.export(key, value)

    return record(program).exports


def test_the_consumer_puts_its_service_on_the_platform_it_refers_to() -> None:
    config = yaml.safe_load((CONSUMER / "Pulumi.prod.yaml").read_text())["config"]
    graph = record(
        lambda: runpy.run_path(str(CONSUMER / "__main__.py")),
        project=yaml.safe_load((CONSUMER / "Pulumi.yaml").read_text())["name"],
        stack="prod",
        config=config,
        stacks={config["billing:platform"]: platform_exports()},
    )
    cname = graph.only("aws:route53/record:Record").inputs
    assert cname["zoneId"] == "Z0123456789"
    assert cname["name"] == "billing.grpc.example.com"
    assert cname["records"] == ["serving.grpc.example.com"]
    assert cname["ttl"] == 20
    cluster = graph.only("pulumi:providers:kubernetes", "cluster")
    assert cluster.inputs["kubeconfig"] == "apiVersion: v1"
    kubernetes = [r for r in graph if r.type.startswith("kubernetes:")]
    assert {r.type.split(":")[-1] for r in kubernetes} == {"Service", "Ingress"}
    assert {r.provider for r in kubernetes} == {cluster.urn}
    assert graph.exports["client"]["target_uri"] == "dns:///billing.grpc.example.com:8080"
    assert graph.exports["client"]["deadline_seconds"] == 30


def test_the_consumer_stays_about_ten_lines() -> None:
    lines = (CONSUMER / "__main__.py").read_text().splitlines()
    statements = [line for line in lines if line and not line.startswith(('"', "#"))]
    assert len(statements) <= 14
