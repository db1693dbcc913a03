"""The diagram shows a call's path, stays small and is well formed."""

import re
from pathlib import Path

from grpc_platform_tools.graph import STACK_TYPE, Graph, Resource
from grpc_platform_tools.preview.dns import chains
from grpc_platform_tools.preview.program import run_program
from grpc_platform_tools.preview.stack_file import read_stack_file
from grpc_platform_tools.preview.topology import topology

TOY = Path(__file__).parent / "programs" / "greeter"
STACK = Resource(urn="urn:stack", type=STACK_TYPE, name="toy-dev")


def component(kind: str, name: str, parent: Resource = STACK, needs: str = "") -> list[Resource]:
    """A component and one resource in it."""
    urn = f"{parent.urn}/{kind}:{name}"
    options = {"component": True}
    return [
        Resource(urn=urn, type=f"t:i:{kind}", name=name, parent=parent.urn, options=options),
        Resource(
            urn=f"{urn}/resource",
            type="aws:x:Thing",
            name=name,
            parent=urn,
            depends_on=(needs,) if needs else (),
        ),
    ]


def draw(*resources: Resource) -> str:
    """The picture of a graph without names."""
    return topology(Graph((STACK, *resources)), [])


def test_the_way_of_a_call_leads_from_client_by_name_to_proxy_to_service() -> None:
    graph = run_program(TOY, "dev", read_stack_file(TOY, "dev"))
    lines = [line.strip() for line in topology(graph, chains(graph)).splitlines()]
    node = {m[2]: m[1] for line in lines if (m := re.match(r'(c\d+)\["(\w+)<br/>', line))}
    assert 'client -->|"greeter.grpc.example"| n0("main.grpc.example")' in lines
    pods = "every ready pod of Deployment edge/envoy (2 to 5)"
    assert f'n0 -->|"{pods}"| {node["Envoy"]}' in lines
    assert f"{node['Envoy']} ==> {node['Service']}" in lines
    assert f"{node['Cluster']} -.-> {node['Envoy']}" in lines


def test_what_follows_from_other_arrows_has_none_of_its_own() -> None:
    a, b = component("A", "a"), component("B", "b", needs="urn:stack/A:a/resource")
    c = component("C", "c", needs="urn:stack/B:b/resource")
    far = Resource(
        urn="urn:far", type="x", name="far", parent=c[0].urn, depends_on=(a[1].urn, b[1].urn)
    )
    arrows = [line.strip() for line in draw(*a, *b, *c, far).splitlines() if "-.->" in line]
    assert arrows == ["c0 -.-> c1", "c1 -.-> c2"]


def test_a_component_with_others_inside_is_a_box_and_has_no_arrow_to_them() -> None:
    outer = component("Outer", "outer")
    inner = component("Inner", "inner", parent=outer[0], needs=outer[1].urn)
    assert draw(*outer, *inner).splitlines() == [
        "flowchart LR",
        '  subgraph c0["Outer<br/>outer<br/>2 resources"]',
        '    c1["Inner<br/>inner<br/>1 resource"]',
        "  end",
    ]


def test_many_of_one_class_are_drawn_as_one() -> None:
    many = [r for n in range(50) for r in component("GrpcService", f"s{n}")]
    assert draw(*many, *component("Zone", "zone")).splitlines() == [
        "flowchart LR",
        '  c0["GrpcService<br/>50 of them<br/>50 resources"]',
        '  c1["Zone<br/>zone<br/>1 resource"]',
    ]


def test_a_name_cannot_break_out_of_its_label() -> None:
    assert "<br/>a&quot;]&lt;b&amp;<br/>" in draw(*component("Kind", 'a"]<b&'))
