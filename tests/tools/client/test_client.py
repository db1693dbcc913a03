"""`grpc-platform client`: one contract, for people, for programs and for each language."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from grpc_platform import platform_stack
from grpc_platform.client_contract import ClientContract, client_contract
from grpc_platform.specs import ServiceSpec
from grpc_platform.timing import Timing
from grpc_platform_tools.cli import app
from grpc_platform_tools.client import contract as contract_module
from grpc_platform_tools.client import language
from grpc_platform_tools.client.language import LANGUAGES
from grpc_platform_tools.client.text import MEANINGS

PASSWORD = "hunter2"


def contract(service: str = "greeter", **spec: Any) -> dict[str, Any]:
    return client_contract(
        service,
        ServiceSpec(**spec),
        zone_name="grpc.example.com",
        http_port=8080,
        https_port=8443,
        timing=Timing(),
    ).to_dict()


GREETER, EVENTS = contract(), contract("events", streaming=True)
PLATFORM: dict[str, Any] = {
    "schema_version": 1,
    "services": {"greeter": GREETER, "events": EVENTS},
    "password": PASSWORD,  # as after --show-secrets
}


def client(*arguments: str | Path, given: str | None = None) -> Result:
    """Run the command in this process."""
    command = ["client", *map(str, arguments)]
    return CliRunner().invoke(app, command, input=given, catch_exceptions=False)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[object], Path]:
    """Write a stack's outputs to a file."""

    def write(outputs: object) -> Path:
        file = tmp_path / "outputs.json"
        file.write_text(outputs if isinstance(outputs, str) else json.dumps(outputs))
        return file

    return write


Write = Callable[[object], Path]


def test_json_is_the_contract_and_nothing_else(write: Write) -> None:
    result = client("greeter", "--outputs", write(PLATFORM), "--json")
    assert json.loads(result.stdout) == GREETER
    assert (result.exit_code, result.stderr) == (0, "")


def test_outputs_are_also_read_from_standard_input() -> None:
    result = client("events", "--outputs", "-", "--json", given=json.dumps(PLATFORM))
    assert json.loads(result.stdout) == EVENTS


def test_the_text_has_each_field_with_a_readable_value(write: Write) -> None:
    text = client("greeter", "--outputs", write(PLATFORM)).stdout
    shown = dict(re.findall(r"^(\w+) {2,}(.*)  \(.+\)$", text, re.MULTILINE))
    assert shown == {
        "target_uri": "dns:///greeter.grpc.example.com:8080",
        "host": "greeter.grpc.example.com",
        "port": "8080",
        "tls": "no",
        "deadline_seconds": "15 s",
        "reconnect_interval_seconds": "5 min 15 s",
        "rebalance_time_seconds": "7 min 22 s",
        "keepalive_time_seconds": "10 s",
        "keepalive_timeout_seconds": "5 s",
        "min_resolution_interval_seconds": "30 s",
        "stream_lifetime_seconds": "8 min 57 s",
        "max_message_bytes": "4,194,304 bytes",
        "service_config": GREETER["service_config"],
    }
    assert all(name in text for name in LANGUAGES)


def test_no_value_reaches_the_terminal_as_a_command(write: Write) -> None:
    strange = {**PLATFORM, "services": {"greeter": GREETER | {"host": "a\x1b[2Jb\nc"}}}
    text = client("greeter", "--outputs", write(strange)).stdout
    assert re.search(r"^host +a \[2Jb c  ", text, re.MULTILINE)


def test_a_service_without_deadline_says_never(write: Write) -> None:
    without = {key: value for key, value in EVENTS.items() if value is not None}  # as Pulumi does
    result = client("events", "--outputs", write({**PLATFORM, "services": {"events": without}}))
    assert re.search(r"^deadline_seconds +never ", result.stdout, re.MULTILINE)
    assert result.stderr == ""


def test_every_field_of_a_contract_has_a_meaning() -> None:
    assert MEANINGS.keys() == set(ClientContract.__dataclass_fields__)


def test_the_version_that_is_read_is_the_one_that_is_exported() -> None:
    assert contract_module.SCHEMA_VERSION == platform_stack.SCHEMA_VERSION


def test_what_an_older_platform_does_not_export_is_said_beside_the_rest(write: Write) -> None:
    older = {key: value for key, value in GREETER.items() if not key.startswith("keepalive")}
    file = write({**PLATFORM, "services": {"greeter": older}})
    result = client("greeter", "--outputs", file)
    assert "keepalive" not in result.stdout
    assert result.exit_code == 0
    assert result.stderr == (
        f"{file} does not export keepalive_time_seconds, keepalive_timeout_seconds: it was "
        "deployed by an older release; run pulumi up there with this one\n"
    )
    assert json.loads(client("greeter", "--outputs", file, "--json").stdout) == older


def test_an_output_of_a_teams_stack_may_be_the_contract(write: Write) -> None:
    result = client("billing", "--outputs", write({"billing": GREETER, "url": "x"}), "--json")
    assert json.loads(result.stdout) == GREETER


SECRET = "[secret]"
NO_PULUMI = "give what `pulumi stack output --json` prints"
PLAIN = "is secret; export it as plain values, and run pulumi up there"


@pytest.mark.parametrize(
    ("outputs", "problem"),
    [
        ("{'greeter': 1}", f"not JSON (line 1); {NO_PULUMI}"),
        ("[" * 100_000, f"not JSON; {NO_PULUMI}"),
        ([GREETER], f"not a stack's outputs; {NO_PULUMI}"),
        ({}, "no service 'greeter'; it exports no service"),
        ({**PLATFORM, "services": {}}, "no service 'greeter'; it exports no service"),
        (
            {"schema_version": 1, "services": {"events": EVENTS}, "billing": GREETER},
            "no service 'greeter'; services: billing, events",
        ),
        (
            {"services": {"greeter": GREETER}},
            "exports no schema_version, so it was deployed before outputs had a version; run "
            "pulumi up there with this release",
        ),
        (
            {**PLATFORM, "schema_version": 2},
            "exports another schema_version than 1, which this release reads; use the release of "
            "grpc-platform-tools that belongs to it",
        ),
        ({**PLATFORM, "services": SECRET}, f"services: {PLAIN}"),
        ({**PLATFORM, "services": {"greeter": SECRET}}, f"greeter: {PLAIN}"),
        (
            {**PLATFORM, "services": {"greeter": GREETER | {"host": SECRET}}},
            f"greeter: host: {PLAIN}",
        ),
        (
            {**PLATFORM, "services": {"greeter": PASSWORD}},
            "greeter: not a client contract; finish pulumi up there",
        ),
        (
            {**PLATFORM, "services": {"greeter": GREETER | {"port": PASSWORD}}},
            "greeter: port: missing or of another type; run pulumi up there with this release",
        ),
        (
            {**PLATFORM, "services": {"greeter": {"host": PASSWORD}}},
            "greeter: target_uri: missing or of another type; run pulumi up there with this "
            "release",
        ),
    ],
)
def test_outputs_without_the_contract_say_what_to_do_and_show_no_value(
    write: Write, outputs: object, problem: str
) -> None:
    file = write(outputs)
    for form in ((), ("--json",), ("--language", "go")):
        result = client("greeter", "--outputs", file, *form)
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr == f"{file}: {problem}\n"


def test_no_form_prints_another_output(write: Write, tmp_path: Path) -> None:
    for form in ((), ("--json",)):
        result = client("greeter", "--outputs", write(PLATFORM), *form)
        assert PASSWORD not in result.output
    missing = tmp_path / "missing.json"
    result = client("greeter", "--outputs", missing)
    assert result.stderr == f"{missing} cannot be read: No such file or directory\n"
    assert result.exit_code == 2


@pytest.mark.parametrize(
    "flags", [("--stack", "dev", "--outputs", "-"), ("--json", "--language", "go")]
)
def test_flags_that_exclude_each_other_are_refused(flags: tuple[str, ...]) -> None:
    result = client("greeter", *flags)
    assert (result.exit_code, result.stderr) == (2, f"give {flags[0]} or {flags[-2]}, not both\n")


@pytest.mark.parametrize(
    ("name", "comment", "package"),
    [("python", "#", "grpcio"), ("go", "//", "google.golang.org/grpc from 1.79 on")],
)
def test_the_lines_of_a_language_say_where_the_contract_comes_from_and_what_they_need(
    write: Write,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    comment: str,
    package: str,
) -> None:
    (tmp_path / f"{name}.txt").write_text("channel = dial(contract)\n")
    monkeypatch.setattr(language, "SNIPPETS", tmp_path)
    file = write(PLATFORM)
    lines = client("greeter", "--outputs", file, "--language", name).stdout.splitlines()
    command = f"grpc-platform client greeter --outputs {file} --json"
    assert lines[:2] == [
        f"{comment} The contract: {command}",
        f"{comment} Packages: {package}",
    ]
    assert lines[-1] == "channel = dial(contract)"


def test_a_language_that_has_no_lines_is_said(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(language, "SNIPPETS", tmp_path)
    result = client("greeter", "--outputs", write(PLATFORM), "--language", "rust")
    assert (result.exit_code, result.stderr) == (2, "this release has no lines for rust\n")


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A program whose stack dev exports two contracts and a secret."""
    (tmp_path / "Pulumi.yaml").write_text("name: shop\n")
    (tmp_path / "Pulumi.dev.yaml").write_text("")
    outputs = {key: value for key, value in PLATFORM.items() if key != "password"}
    (tmp_path / "__main__.py").write_text(
        "import json, pulumi\n"
        f"for name, value in json.loads({json.dumps(outputs)!r}).items():\n"
        "    pulumi.export(name, value)\n"
        f"pulumi.export('password', pulumi.Output.secret('{PASSWORD}'))\n"
    )
    return tmp_path


def test_a_stack_that_was_not_previewed_is_previewed(program: Path) -> None:
    result = client("greeter", "--program", program, "--json")
    assert json.loads(result.stdout) == GREETER
    assert (program / "build" / "preview" / "dev" / "resources.json").is_file()


def test_a_preview_that_is_there_is_read_and_its_time_shown(program: Path) -> None:
    file = program / "build" / "preview" / "dev" / "outputs.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({**PLATFORM, "services": {"previewed": GREETER}}))
    os.utime(file, (1_800_000_000, 1_800_000_000))
    result = client("previewed", "--program", program, "--stack", "dev")
    assert re.match(r"previewed \(stack dev, previewed 2027-01-1[45] \d\d:\d\d\)\n", result.stdout)


def test_a_stack_that_is_not_there_is_said_even_if_it_was_previewed_once(program: Path) -> None:
    (program / "build" / "preview" / "old").mkdir(parents=True)
    (program / "build" / "preview" / "old" / "outputs.json").write_text(json.dumps(PLATFORM))
    result = client("greeter", "--program", program, "--stack", "old")
    assert result.exit_code == 2
    assert result.stderr == f"no stack 'old' in {program}; stacks here: dev\n"
