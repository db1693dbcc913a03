"""A program's own fixtures: what a file may say, and how a wrong one is refused."""

import json
from dataclasses import asdict
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
    ("text", "problems"),
    [
        ("stack: {}", [": stack: unknown key; there are computed, lookups, stacks"]),
        ("[]", [" = []: must be a mapping"]),
        ("stacks: [a]", [': stacks = ["a"]: must be a mapping']),
        ("stacks: {o/p/s: 3}", [": stacks.o/p/s = 3: must be a mapping"]),
        ("stacks: {o/p/s: gone.json}", [": stacks.o/p/s: there is no file {folder}/gone.json"]),
        ("lookups: {a: b}", [': lookups = {{"a": "b"}}: must be a list']),
        ("lookups: [a]", [': lookups[0] = "a": must be a mapping']),
        ("lookups: [{result: {}}]", [": lookups[0].function: is missing"]),
        ("computed: [{type: 3}]", [": computed[0].type = 3: must be text"]),
        (
            "computed: [{type: x, output: {}}, {name: []}]",
            [
                ": computed[0].output: unknown key; there are name, outputs, type",
                ": computed[1].type: is missing",
                ": computed[1].name = []: must be text",
            ],
        ),
        ("a: [", [": while parsing a flow node expected the node content"]),
    ],
)
def test_a_wrong_file_is_refused_with_a_line_for_each_place(
    tmp_path: Path, text: str, problems: list[str]
) -> None:
    with pytest.raises(UserError) as refused:
        read_fixtures(given(tmp_path, text))
    expected = [f"{tmp_path / FILE}{problem.format(folder=tmp_path)}" for problem in problems]
    found = refused.value.problems
    assert [line[: len(start)] for line, start in zip(found, expected, strict=True)] == expected


def test_a_key_without_a_value_is_as_good_as_none(tmp_path: Path) -> None:
    assert read_fixtures(given(tmp_path, "stacks:\nlookups:\n")) == Fixtures()


def test_what_was_read_reaches_a_recorder_as_plain_json(tmp_path: Path) -> None:
    text = "lookups: [{function: a:b:c, result: {x: 1}}]\nstacks: {o/p/s: {size: 3}}\n"
    found = read_fixtures(given(tmp_path, text))
    assert Fixtures.of(json.loads(json.dumps(asdict(found)))) == found
