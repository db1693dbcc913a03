"""The consumer example, on the platform that this repository's own prod stack exports."""

import json
from pathlib import Path
from typing import Any

import pytest

from grpc_platform.components.platform_stack import PlatformStack
from grpc_platform.graph import Graph
from grpc_platform.preview.fixtures import Fixtures
from grpc_platform.preview.program import run_program
from grpc_platform.preview.record import record
from grpc_platform.preview.stack_file import read_stack_file

ROOT = Path(__file__).parents[2]
CONSUMER = ROOT / "examples" / "consumer"
STACK = "organization/grpc-platform/prod"


@pytest.fixture(scope="module")
def platform() -> Graph:
    return run_program(ROOT, "prod", read_stack_file(ROOT, "prod"))


@pytest.fixture(scope="module")
def consumer() -> Graph:
    return run_program(CONSUMER, "prod", read_stack_file(CONSUMER, "prod"))


def test_what_the_consumer_is_previewed_with_is_what_the_platform_exports(platform: Graph) -> None:
    assert json.loads((CONSUMER / "platform-prod.json").read_text()) == platform.exports


def test_every_output_of_the_platform_is_one_that_others_read(platform: Graph) -> None:
    seen: list[PlatformStack] = []
    record(
        lambda: PlatformStack.from_reference(STACK).apply(seen.append),
        fixtures=Fixtures(stacks={STACK: platform.exports}),
    )
    assert without_nulls(seen[0].model_dump(mode="json")) == without_nulls(platform.exports)


def without_nulls(value: Any) -> Any:
    """Pulumi leaves some of them out."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return value


def test_the_consumer_puts_its_service_on_the_platform_it_refers_to(
    platform: Graph, consumer: Graph
) -> None:
    cname = consumer.only("aws:route53/record:Record").inputs
    assert cname["zoneId"] == platform.exports["zone"]["zone_id"]
    assert cname["name"] == "billing.grpc.prod.example.com"
    assert cname["records"] == ["serving.grpc.prod.example.com"]
    cluster = consumer.only("pulumi:providers:kubernetes", "cluster")
    assert cluster.inputs["kubeconfig"] == platform.exports["clusters"]["serving"]["kubeconfig"]
    kubernetes = [r for r in consumer if r.type.startswith("kubernetes:")]
    assert {r.type.split(":")[-1] for r in kubernetes} == {"Service", "Ingress"}
    assert {r.provider for r in kubernetes} == {cluster.urn}


def test_its_clients_learn_how_to_call_it(consumer: Graph) -> None:
    client = consumer.exports["client"]
    assert client["target_uri"] == "dns:///billing.grpc.prod.example.com:8080"
    assert client["deadline_seconds"] == 30


def test_the_consumer_stays_about_ten_lines() -> None:
    lines = (CONSUMER / "__main__.py").read_text().splitlines()
    statements = [line for line in lines if line and not line.startswith(('"', "#"))]
    assert len(statements) <= 14
