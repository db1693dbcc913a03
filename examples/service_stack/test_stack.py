"""What this team's stacks must register. Needs no engine, no credentials and no network."""

from pathlib import Path

import pytest

from grpc_platform_tools.graph import Graph
from grpc_platform_tools.preview.program import run_program
from grpc_platform_tools.preview.stack_file import read_stack_file

HERE = Path(__file__).parent


@pytest.fixture(scope="module", params=["local", "prod"])
def graph(request: pytest.FixtureRequest) -> Graph:
    """The resources that a stack registers."""
    return run_program(HERE, request.param, read_stack_file(HERE, request.param))


def test_each_service_has_a_name_of_its_own_that_leads_to_the_platforms_envoys(
    graph: Graph,
) -> None:
    records = {r.inputs["name"]: r for r in graph.of_type("aws:route53/record:Record")}
    assert {name.partition(".")[0] for name in records} == {"billing", "ledger"}
    (target,) = {tuple(r.inputs["records"]) for r in records.values()}
    assert target[0].partition(".")[2] in {name.partition(".")[2] for name in records}


def test_everything_is_in_the_teams_namespace(graph: Graph) -> None:
    objects = [r.inputs for r in graph if r.type.startswith("kubernetes:")]
    assert {item["metadata"]["namespace"] for item in objects} == {"payments"}


def test_billing_ends_a_call_after_30_s_and_the_ledgers_streams_have_no_end(graph: Graph) -> None:
    assert graph.exports["billing"]["deadline_seconds"] == 30
    assert graph.exports["ledger"].get("deadline_seconds") is None
