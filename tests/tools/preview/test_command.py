"""`preview` as a person runs it: alone, the same each time, whole or not at all."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from grpc_platform_tools.cli import app
from grpc_platform_tools.errors import UserError
from grpc_platform_tools.graph import STACK_TYPE, Graph, Resource
from grpc_platform_tools.preview.command import run_preview, write_preview
from grpc_platform_tools.preview.summary import summarise
from tests.offline import WITHOUT_NETWORK, can_cut_the_network

pytestmark = [
    pytest.mark.usefixtures("stopped_programs"),
    pytest.mark.filterwarnings("ignore:coroutine:RuntimeWarning"),
]
TOY = Path(__file__).parent / "programs" / "greeter"
COMMAND = [sys.executable, "-m", "grpc_platform_tools", "preview"]
EMPTY = Graph((Resource(urn="urn:s", type=STACK_TYPE, name="toy-dev"),))


def preview(*arguments: str | Path) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(app, ["preview", *map(str, arguments)], catch_exceptions=False)


def program(directory: Path, source: str, stack_file: str = "") -> Path:
    """A program with one stack, dev."""
    directory.mkdir(exist_ok=True)
    (directory / "Pulumi.yaml").write_text("name: shop\n")
    (directory / "Pulumi.dev.yaml").write_text(stack_file)
    (directory / "__main__.py").write_text(source)
    return directory


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.skipif(not can_cut_the_network(), reason="this machine permits no network namespace")
def test_two_runs_leave_the_same_bytes_with_or_without_network_environment_and_home(
    tmp_path: Path,
) -> None:
    loud = os.environ | {
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "PULUMI_CONFIG": '{"aws:region": "us-east-1", "toy:zone": "elsewhere.example"}',
        "PULUMI_CONFIG_SECRET_KEYS": '["toy:zone"]',
        "KUBECONFIG": "/nonexistent/config",
        "PYTHONHASHSEED": "1",
    }
    arguments = ["prod", "--program", str(TOY), "--output"]
    subprocess.run([*COMMAND, *arguments, tmp_path / "loud"], env=loud, check=True, timeout=60)
    subprocess.run(
        [*WITHOUT_NETWORK, *COMMAND, *arguments, tmp_path / "alone"],
        env={"PATH": os.environ["PATH"], "PYTHONHASHSEED": "2"},
        check=True,
        timeout=60,
    )
    files = contents(tmp_path / "alone")
    assert files == contents(tmp_path / "loud")
    assert {"resources.json", "dns.json", "topology.mmd", "summary.md"} < files.keys()
    everything = b"".join(files.values())
    assert b"the program sees" not in everything
    for hidden in (b"Y2lwaGVydGV4dC1vdXRlcg", b"Y2lwaGVydGV4dC1pbm5lcg", b"encrypted config"):
        assert hidden not in everything


def test_it_prints_the_summary_and_where_the_files_are(tmp_path: Path) -> None:
    result = preview("dev", "--program", TOY, "--output", tmp_path / "out")
    assert result.exit_code == 0
    assert "CNAME, 60 s: main.grpc.example" in result.output
    assert re.search(
        rf"Wrote {re.escape(str(tmp_path / 'out'))} \(6 manifests\) in [\d.]+ s", result.output
    )


def test_files_go_below_the_program_unless_told_otherwise(tmp_path: Path) -> None:
    where = program(tmp_path / "shop", "")
    assert preview("--program", where).exit_code == 0
    assert (where / "build" / "preview" / "dev" / "resources.json").is_file()


def test_a_programs_own_modules_and_files_are_found_from_anywhere(tmp_path: Path) -> None:
    where = program(
        tmp_path / "shop",
        "import pulumi, sizes_of_this_shop as s, pathlib\n"
        "pulumi.export('size', s.SIZE + pathlib.Path('note.txt').read_text())",
    )
    (where / "sizes_of_this_shop.py").write_text("SIZE = 'small'")
    (where / "note.txt").write_text(" and fine")
    before, path = dict(os.environ), list(sys.path)
    assert preview("--program", where).exit_code == 0
    saved = Graph.load(where / "build" / "preview" / "dev" / "resources.json")
    assert saved.exports == {"size": "small and fine"}
    assert (dict(os.environ), sys.path) == (before, path)


def test_a_folder_that_cannot_be_written_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    target = tmp_path / "file" / "below" / "out"
    result = preview("dev", "--program", TOY, "--output", target)
    assert result.exit_code == 2
    assert result.stderr == f"{target} cannot be written: Not a directory\n"


def test_an_earlier_preview_is_replaced_as_a_whole(tmp_path: Path) -> None:
    target = tmp_path / "out"
    write_preview(EMPTY, summarise(EMPTY, "dev"), target)
    (target / "left-over").write_text("")
    write_preview(EMPTY, summarise(EMPTY, "dev"), target)
    assert not (target / "left-over").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_run_that_breaks_off_leaves_the_earlier_preview(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "out"
    write_preview(EMPTY, summarise(EMPTY, "dev"), target)
    before = contents(target)

    def interrupted(*_: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("grpc_platform_tools.preview.command.topology", interrupted)
    other = Graph((*EMPTY.resources, Resource(urn="urn:x", type="x", name="x", parent="urn:s")))
    with pytest.raises(KeyboardInterrupt):
        write_preview(other, summarise(other, "dev"), target)
    assert contents(target) == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_with_anything_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("")
    with pytest.raises(UserError, match="holds something other than a preview"):
        run_preview("dev", TOY, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    ("source", "status", "lines"),
    [
        (
            "class Refused(Exception):\n"
            "    problems = ['size: too big', 'zone: missing']\n"
            "    exit_status = 2\n"
            "raise Refused",
            2,
            ["size: too big", "zone: missing"],
        ),
        (
            "from pulumi_aws import route53\nfor _ in 'ab': route53.Zone('twin')",
            1,
            ["urn:pulumi:dev::shop::aws:route53/zone:Zone::twin: registered 2 times"],
        ),
        (
            "import pulumi\npulumi.Config().require('size')",
            2,
            [
                "Missing required configuration variable 'shop:size'",
                "\tplease set a value using the command `pulumi config set shop:size <value>`",
            ],
        ),
        (
            "import pulumi\npulumi.Config().require_int('key')",
            2,
            [
                "Configuration 'shop:key' value '[encrypted config value]' is not a valid 'int': "
                "a preview decrypts nothing; read encrypted config as text"
            ],
        ),
        (
            "def build():\n    return {}['zone']\nbuild()",
            1,
            [
                "__main__.py:3 in <module>: build()",
                "__main__.py:2 in build: return {}['zone']",
                "KeyError: 'zone'",
            ],
        ),
        (
            "raise SystemExit(3)",
            1,
            ["__main__.py:1 in <module>: raise SystemExit(3)", "SystemExit: 3"],
        ),
        (
            "import os\nif not os.fork(): os._exit(0)\nos.wait()\nos._exit(0)",
            1,
            [
                "__main__.py:4 in <module>: os._exit(0)",
                "RuntimeError: os._exit ends the process before the program is recorded",
            ],
        ),
        (
            "import os\nos.execlp('true', 'true')",
            1,
            [
                "__main__.py:2 in <module>: os.execlp('true', 'true')",
                "RuntimeError: os.execv ends the process before the program is recorded",
            ],
        ),
    ],
)
def test_a_program_that_fails_says_why_in_lines_and_leaves_nothing(
    tmp_path: Path, source: str, status: int, lines: list[str]
) -> None:
    where = program(tmp_path / "shop", source, "config: {key: {secure: v1:abc}}")
    if "'key'" not in source:
        (where / "Pulumi.dev.yaml").write_text("")
    result = preview("--program", where)
    assert (result.stderr.splitlines(), result.exit_code) == (lines, status)
    assert result.stdout == ""
    assert not (where / "build" / "preview" / "dev").exists()


def test_a_program_that_does_not_parse_is_named_with_its_line(tmp_path: Path) -> None:
    where = program(tmp_path / "shop", "x = 1\ny = (\n")
    result = preview("--program", where)
    assert result.exit_code == 1
    assert '__main__.py", line 2' in result.stderr
    assert "Traceback" not in result.stderr


def test_a_program_without_main_is_refused(tmp_path: Path) -> None:
    where = program(tmp_path / "shop", "")
    (where / "__main__.py").unlink()
    result = preview("--program", where)
    assert (result.exit_code, "no __main__.py" in result.stderr) == (2, True)


def test_config_from_an_environment_is_a_warning_and_explains_what_is_missing(
    tmp_path: Path,
) -> None:
    source = "import pulumi\npulumi.export('size', pulumi.Config().{0}('size'))"
    directory = program(tmp_path / "a", source.format("get"), "environment: [shop/sizes]\n")
    warning = "config from shop/sizes (Pulumi ESC) is not known here"
    assert warning in preview("--program", directory).output
    (directory / "__main__.py").write_text(source.format("require"))
    failed = preview("--program", directory)
    assert failed.exit_code == 2
    assert failed.stderr.splitlines()[-1] == warning
