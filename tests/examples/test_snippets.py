"""What the tools print for a language are lines of the example client, which is built and run."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from examples.clients import snippets
from grpc_platform_tools.client.language import LANGUAGES, SNIPPETS, snippet

GO = """package main

func main() {
\tmeasure(func() {
\t\t// snippet: begin
\t\tchannel, err := dial(contract)

\t\tif err != nil {
\t\t\tpanic(err)
\t\t}
\t\t// snippet: end
\t})
}
"""
LINES = """channel, err := dial(contract)

if err != nil {
\tpanic(err)
}
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree with one client, and the folder of the copies."""
    (tmp_path / "tools" / "grpc_platform_tools" / "client").mkdir(parents=True)
    (tmp_path / "examples" / "clients" / "go").mkdir(parents=True)
    (tmp_path / "examples" / "clients" / "go" / "main.go").write_text(GO)
    return tmp_path


def copies(tree: Path) -> dict[str, str]:
    folder = tree / "tools" / "grpc_platform_tools" / "client" / "snippets"
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_the_marked_lines_are_copied_and_nothing_around_them(tree: Path) -> None:
    assert snippets.main([], tree) == 0
    assert copies(tree) == {"go.txt": LINES}
    assert snippets.main(["--check"], tree) == 0


def test_a_changed_client_and_one_that_is_gone_make_their_copies_stale(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    snippets.main([], tree)
    client = tree / "examples" / "clients" / "go" / "main.go"
    client.write_text(GO.replace("dial", "connect"))
    assert snippets.main(["--check"], tree) == 1
    assert copies(tree) == {"go.txt": LINES}
    client.unlink()
    assert snippets.main(["--check"], tree) == 1
    stale = "tools/grpc_platform_tools/client/snippets/go.txt is stale: make docs\n"
    assert capsys.readouterr().err == stale * 2
    snippets.main([], tree)
    assert copies(tree) == {}


@pytest.mark.parametrize(
    "text", [GO.replace("begin", "start"), GO.replace("end", "stop"), GO.replace("snippet", "")]
)
def test_a_client_whose_lines_are_not_marked_is_refused(tree: Path, text: str) -> None:
    (tree / "examples" / "clients" / "go" / "main.go").write_text(text)
    with pytest.raises(SystemExit, match="go"):
        snippets.main([], tree)


def test_a_client_with_two_snippets_is_refused(tree: Path) -> None:
    (tree / "examples" / "clients" / "go" / "other.go").write_text(GO)
    with pytest.raises(SystemExit, match="examples/clients/go: 2 snippets; mark one"):
        snippets.main([], tree)


def test_the_tools_and_the_examples_have_the_same_languages() -> None:
    assert set(LANGUAGES) == set(snippets.SOURCES)


def test_the_tools_print_the_lines_of_the_clients_that_are_here() -> None:
    lines = snippets.snippets()
    assert {path.stem for path in SNIPPETS.glob("*.txt")} == lines.keys()
    for language in LANGUAGES:
        if language in lines:
            assert f"{snippet(language, 'command')}\n".endswith(f"\n\n{lines[language]}")


def test_the_lines_for_python_need_nothing_else() -> None:
    program: dict[str, Any] = {}
    exec(snippet("python", "command"), program)

    async def dial() -> None:
        contract = {"target_uri": "dns:///127.0.0.1:1", "host": "127.0.0.1", "tls": False}
        channel, timeout = program["open_channel"](contract)
        assert timeout is None
        await channel.close()

    asyncio.run(dial())
