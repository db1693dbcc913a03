"""The summary says what there is at a glance, on a page and on a terminal of any width."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from grpc_platform_tools.graph import STACK_TYPE, Graph, Resource
from grpc_platform_tools.preview.program import run_program
from grpc_platform_tools.preview.stack_file import read_stack_file
from grpc_platform_tools.preview.summary import Summary, as_markdown, print_summary, summarise

TOY = Path(__file__).parent / "programs" / "greeter"


@pytest.fixture(scope="module")
def dev() -> Summary:
    """The toy's dev stack."""
    return summarise(run_program(TOY, "dev", read_stack_file(TOY, "dev")), "dev")


def printed(summary: Summary, width: int = 100) -> list[str]:
    """Lines as a terminal that wide shows them, trailing blanks left out."""
    stream = io.StringIO()
    print_summary(summary, Console(file=stream, width=width, highlight=False))
    return [line.rstrip() for line in stream.getvalue().splitlines()]


def test_the_page_counts_every_resource_once(dev: Summary) -> None:
    rows = [line.split("|") for line in as_markdown(dev).splitlines() if "`" in line]
    assert sum(int(row[4]) for row in rows) == dev.root.count == 9


def test_the_page_has_the_chain_of_each_host(dev: Summary) -> None:
    assert (
        "| greeter.grpc.example | grpc.example | CNAME greeter.grpc.example 60 s, "
        "A main.grpc.example 30 s | every ready pod of Deployment edge/envoy (2 to 5) "
        "| Service default/greeter:50051 |"
    ) in as_markdown(dev).splitlines()


def test_the_terminal_shows_tree_chain_times_and_warnings(dev: Summary) -> None:
    lines = printed(dev)
    assert lines[0] == "dev  9 resources"
    assert any(line.endswith("Service greeter  2 resources  Record 1, Ingress 1") for line in lines)
    assert "    CNAME, 60 s: main.grpc.example" in lines
    assert "  drain delay     2m5s" in lines
    assert lines[-2:] == ["1 warning", "  one thing to know"]


def test_a_narrow_terminal_wraps_and_loses_nothing(dev: Summary) -> None:
    lines = printed(dev, width=24)
    assert max(map(len, lines)) <= 24
    wide = "".join(printed(dev)).translate(str.maketrans("", "", " │├└─"))
    assert "".join(lines).translate(str.maketrans("", "", " │├└─")) == wide


def test_without_a_timing_export_there_are_no_derived_times() -> None:
    stack = Resource(urn="urn:s", type=STACK_TYPE, name="toy-dev", outputs={"timing": "[secret]"})
    summary = summarise(Graph((stack,)), "dev")
    assert "Derived times" not in as_markdown(summary)
    assert printed(summary) == ["dev  0 resources"]


def test_warnings_of_program_manifests_and_names_are_all_told() -> None:
    stack = Resource(urn="urn:s", type=STACK_TYPE, name="toy-dev")
    chart = Resource(urn="urn:c", type="kubernetes:helm.sh/v3:Release", name="c", parent="urn:s")
    ingress = Resource(
        urn="urn:i",
        type="kubernetes:networking.k8s.io/v1:Ingress",
        name="i",
        parent="urn:s",
        inputs={
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": {"name": "i"},
            "spec": {"rules": [{"host": "c|d", "http": {"paths": [{"path": "/"}]}}]},
        },
    )
    summary = summarise(Graph((stack, chart, ingress), ("of the program",)), "dev")
    assert len(summary.warnings) == 3
    assert "- of the program" in as_markdown(summary).splitlines()
    assert "- c\\|d is routed, but no record leads to it" in as_markdown(summary).splitlines()
