"""A recording does not depend on the program's folder, and holds assets by their content."""

from collections.abc import Callable
from pathlib import Path

import pytest

from grpc_platform_tools.graph import Graph, Resource
from grpc_platform_tools.preview.layout import Layout
from grpc_platform_tools.preview.program import run_program
from grpc_platform_tools.preview.stack_file import read_stack_file

MAIN = "import os, pathlib, pulumi\nhere = pathlib.Path(__file__).parent\n"
ASSETS = f"""{MAIN}
class Thing(pulumi.CustomResource):
    def __init__(self, name, **props):
        super().__init__("test:index:Thing", name, props)
Thing(
    "thing",
    file=pulumi.FileAsset("code.py"),
    absolute=pulumi.FileArchive(str(here)),
    beside=pulumi.FileAsset(here.parent / "shared.txt"),
    both=pulumi.AssetArchive(
        {{"text": pulumi.StringAsset("x"), "file": pulumi.FileAsset(here / "code.py")}}
    ),
    hidden=pulumi.Output.secret(pulumi.FileAsset(here / "code.py")),
    note=f"runs {{here}}/run.sh in {{here.parent}}, not in {{here}}-2",
)
"""
DYNAMIC = f"""{MAIN}
from pulumi.dynamic import CreateResult, Resource, ResourceProvider
def helper(x): return x
class Provider(ResourceProvider):
    def create(self, props):
        return CreateResult(helper("id-1"), {{}})
class Thing(Resource):
    pass
Thing(Provider(), "thing", {{"a": 1}})
"""


@pytest.fixture
def recorded(tmp_path: Path) -> Callable[..., Graph]:
    """The recording of a program laid out in a checkout of this name."""

    def recorded(name: str, source: str, code: str = "A = 1") -> Graph:
        checkout = tmp_path / name
        directory = checkout / "shop"
        (directory / "__pycache__").mkdir(parents=True)
        (directory / "__pycache__" / "code.pyc").write_text(name)
        files = {"Pulumi.yaml": "name: shop", "Pulumi.dev.yaml": "", "__main__.py": source}
        for file, text in {**files, "code.py": code, "../shared.txt": code}.items():
            (directory / file).write_text(text)
        stack_file = read_stack_file(directory, "dev")
        return run_program(directory, "dev", stack_file, checkout=checkout, mark_key=b"key")

    return recorded


def thing(graph: Graph) -> Resource:
    (found,) = (r for r in graph if r.name == "thing")
    return found


def test_two_folders_with_the_same_files_record_the_same(recorded: Callable[..., Graph]) -> None:
    one, two = recorded("one", ASSETS), recorded("another-name", ASSETS)
    assert one.resources == two.resources
    assert one.marks == two.marks
    inputs = thing(one).inputs
    assert inputs["note"] == "runs ./run.sh in .., not in ../shop-2"
    assert inputs["absolute"].keys() == {"path", "sha256"}
    paths = (inputs["file"]["path"], inputs["absolute"]["path"], inputs["beside"]["path"])
    assert paths == ("code.py", ".", "../shared.txt")
    assert inputs["both"]["assets"]["text"] == {"text": "x"}


def test_other_content_shows_in_every_asset_of_it(recorded: Callable[..., Graph]) -> None:
    one, two = recorded("one", ASSETS), recorded("two", ASSETS, code="A = 2")
    before, after = thing(one).inputs, thing(two).inputs
    assert {key for key in before if before[key] != after[key]} == {
        "file",
        "absolute",
        "beside",
        "both",
    }
    assert one.marks != two.marks


def test_a_folder_right_below_the_root_may_be_one_in_a_container_and_stays() -> None:
    layout = Layout(Path("/app"), Path("/app"))
    assert layout.settled({"command": ["/app/serve"]}) == {"command": ["/app/serve"]}


def test_a_dynamic_provider_changes_with_its_code_and_not_with_its_folder(
    recorded: Callable[..., Graph],
) -> None:
    one, two = recorded("one", DYNAMIC), recorded("another-name", DYNAMIC)
    assert (one.resources, one.marks) == (two.resources, two.marks)
    three = recorded("three", DYNAMIC.replace("id-1", "id-2"))
    assert one.marks != three.marks
