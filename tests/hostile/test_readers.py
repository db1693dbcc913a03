"""What else is read: a project's file, fixtures, another stack's outputs, a contract, a target."""

import json
from pathlib import Path
from typing import Any

import pulumi
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from grpc_platform.platform_stack import PlatformStack
from grpc_platform_tools.call.command import Flags, run_call
from grpc_platform_tools.call.target import parse_resolver, parse_target
from grpc_platform_tools.client.contract import find_contract, read_outputs
from grpc_platform_tools.client.text import lines, not_said
from grpc_platform_tools.errors import UserError
from grpc_platform_tools.preview.fixture_file import read_fixtures
from grpc_platform_tools.preview.fixtures import FILE
from grpc_platform_tools.preview.program import main_of
from grpc_platform_tools.preview.stack_file import (
    config_values,
    environment_values,
    read_stack_file,
    stacks_of,
)
from tests.components.test_platform_stack import exported
from tests.hostile.cases import cases, said
from tests.hostile.stack_files import written
from tests.hostile.trees import mutated
from tests.hostile.values import TEXTS

PROJECT = {
    "name": "shop",
    "main": "src",
    "stackConfigDir": "stacks",
    "config": {"a": 1, "aws:region": {"value": "x"}, "b": {"secret": True, "default": "y"}},
}
STACK = {
    "config": {"a": 1, "b:c": {"d": [1]}, "s": {"secure": "x"}},
    "environment": ["a", {"b": {"merge": False}}],
}
FIXTURES = {
    "stacks": {"a/b/c": {"x": 1}, "d/e/f": "outputs.json"},
    "lookups": [{"function": "aws:ec2/getVpc:getVpc", "arguments": {"id": "x"}, "result": {}}],
    "computed": [{"type": "aws:ec2/vpc:Vpc", "name": "n", "outputs": {"id": "x"}}],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program's folder, for its files."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "stacks").mkdir()
    (folder / "__main__.py").write_text("")
    (folder / "outputs.json").write_text("{}")
    return folder


def as_yaml(right: Any) -> st.SearchStrategy[bytes]:
    """A file of YAML, spoiled."""
    spoiled = mutated(right, yaml=True)
    return spoiled.map(lambda t: written(t, escaped=False).encode(errors="surrogatepass"))


@cases(60)
@given(as_yaml(PROJECT), as_yaml(STACK))
def test_a_hostile_project_is_read_or_refused_in_lines(
    folder: Path, project: bytes, stack: bytes
) -> None:
    (folder / "Pulumi.yaml").write_bytes(project)
    for path in (folder, folder / "stacks"):
        (path / "Pulumi.dev.yaml").write_bytes(stack)
    stacks_of(folder)
    try:
        read_stack_file(folder, "dev")
        json.dumps([config_values(folder, "dev"), environment_values(folder, "dev")])
        main_of(folder)
    except UserError as refused:
        said(refused.problems)


@cases(60)
@given(as_yaml(FIXTURES))
@example(b'{"a\\tb\\e[31m": {}}')
@example(b"stacks: {x: " + b"y" * 100_000 + b"}")
def test_a_hostile_fixture_file_is_read_or_refused_in_lines(folder: Path, text: bytes) -> None:
    (folder / FILE).write_bytes(text)
    try:
        read_fixtures(folder)
    except UserError as refused:
        said(refused.problems)


@cases(100)
@given(mutated(exported()))
def test_another_stacks_hostile_outputs_are_read_or_refused(outputs: Any) -> None:
    given = {key: outputs.get(key) for key in PlatformStack.model_fields}
    try:
        stack = PlatformStack.read("a/b/c", given)
    except pulumi.RunError as refused:
        said([str(refused)[:500]])
        return
    # What goes into records, Ingresses and addresses is what a platform exports.
    entries = [cluster.serving for cluster in stack.clusters.values() if cluster.serving]
    for name in (stack.zone.zone_id, stack.zone.name, *(entry.dns_name for entry in entries)):
        assert name.isprintable()
        assert 0 < len(name) <= 1000


@cases(100)
@given(mutated(exported()))
def test_a_hostile_contract_is_shown_as_lines_or_refused(outputs: Any) -> None:
    try:
        contract = find_contract(read_outputs(json.dumps(outputs), "file"), "events", "file")
    except UserError as refused:
        said(refused.problems)
        return
    assert all(line.isprintable() for line in lines(contract))
    not_said(contract)


TARGETS = st.one_of(
    st.sampled_from(TEXTS),
    st.text(),
    st.lists(st.sampled_from([*"a.:/19[]é-_\n%@", "dns:///", "99999"]), max_size=9).map("".join),
)


@cases(150)
@given(TARGETS, st.sampled_from([None, True, False]), st.one_of(st.none(), TARGETS))
def test_a_hostile_target_is_refused_in_lines_or_can_be_dialled(
    text: str, tls: bool | None, authority: str | None
) -> None:
    try:
        target = parse_target(text, tls=tls, authority=authority)
    except UserError as refused:
        said([line[:500] for line in refused.problems])
        return
    for name in (target.host, target.authority):
        assert name.isascii()
        assert name.isprintable()
    assert len(target.host) <= 253
    assert 0 < target.port < 65536


@cases(50)
@given(TARGETS, TARGETS, st.floats())
def test_hostile_flags_of_a_call_are_refused_in_lines(text: str, data: str, timeout: float) -> None:
    flags = Flags(method=text, data=data, list_services=True, timeout=timeout)
    for act in (lambda: run_call("127.0.0.1", flags), lambda: parse_resolver(text + ":x")):
        with pytest.raises(UserError) as refused:
            act()
        said([line[:500] for line in refused.value.problems])
