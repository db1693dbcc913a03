"""A program's own fixtures: what a file may say, and how a wrong one is refused."""

from pathlib import Path

import pytest

from grpc_platform_tools.errors import UserError
from grpc_platform_tools.preview.fixture_file import read_fixtures
from grpc_platform_tools.preview.fixtures import FILE, Computed, Fixtures, LookUp


def given(directory: Path, text: str) -> Path:
    (directory / FILE).write_text(text)
    return directory


def test_a_program_without_the_file_has_none(tmp_path: Path) -> None:
    assert read_fixtures(tmp_path) == Fixtures()


def test_outputs_are_written_out_or_in_a_file_beside_it(tmp_path: Path) -> None:
    (tmp_path / "outputs.json").write_text('{"zone": {"name": "a.example"}}')
    text = "stacks:\n  o/p/one: outputs.json\n  o/p/two: {size: 3}\n"
    assert read_fixtures(given(tmp_path, text)).stacks == {
        "o/p/one": {"zone": {"name": "a.example"}},
        "o/p/two": {"size": 3},
    }


def test_look_ups_and_computed_outputs_are_read(tmp_path: Path) -> None:
    text = """
lookups:
  - function: aws:ec2/getVpc:getVpc
    arguments: {id: vpc-1}
    result: {cidrBlock: 10.1.0.0/16}
computed:
  - type: aws:s3/bucket:Bucket
    outputs: {bucketDomainName: b.example}
"""
    found = read_fixtures(given(tmp_path, text))
    assert found.lookups == (
        LookUp(
            function="aws:ec2/getVpc:getVpc",
            arguments={"id": "vpc-1"},
            result={"cidrBlock": "10.1.0.0/16"},
        ),
    )
    assert found.computed == (
        Computed(type="aws:s3/bucket:Bucket", outputs={"bucketDomainName": "b.example"}),
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("stack: {}", ": stack: unknown key; there are computed, lookups, stacks"),
        ("stacks: [a]", ": stacks: must be a mapping"),
        ("stacks: {o/p/s: gone.json}", ": stacks.o/p/s: there is no file {folder}/gone.json"),
        ("lookups: {a: b}", ": lookups: must be a list"),
        ("lookups: [{result: {}}]", ": lookups[0].function = null: must be text"),
        ("computed: [{type: 3}]", ": computed[0].type = 3: must be text"),
        (
            "computed: [{type: x, output: {}}]",
            ": computed[0]: output: unknown key; there are name, outputs, type",
        ),
        ("a: [", ": while parsing a flow node"),
    ],
)
def test_a_wrong_file_is_refused_by_its_place(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(UserError) as refused:
        read_fixtures(given(tmp_path, text))
    expected = f"{tmp_path / FILE}{problem.format(folder=tmp_path)}"
    assert str(refused.value).startswith(expected)
