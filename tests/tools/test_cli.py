"""The command's face: help, exit statuses, and no traceback for a mistake."""

import os
import subprocess
import sys
from pathlib import Path

from typer.testing import CliRunner

from grpc_platform_tools.cli import app

TOY = Path(__file__).parent / "preview" / "programs" / "greeter"


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "grpc_platform_tools", *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_help_names_each_command_and_its_exit_statuses() -> None:
    assert "preview" in CliRunner().invoke(app, ["--help"]).output
    text = " ".join(CliRunner().invoke(app, ["preview", "--help"]).output.split())
    assert "Exit status: 0 when rendered; 1 when the program failed" in text
    assert "build/preview/STACK" in text


def test_an_unknown_stack_is_one_line_that_names_the_others_and_status_2() -> None:
    result = CliRunner().invoke(app, ["preview", "staging", "--program", str(TOY)])
    assert result.exit_code == 2
    assert result.stderr == f"no stack 'staging' in {TOY}; stacks here: dev, prod\n"


def test_an_unknown_flag_is_status_2() -> None:
    assert CliRunner().invoke(app, ["preview", "--colour"]).exit_code == 2


def test_a_mistake_is_told_before_the_sdk_is_imported() -> None:
    program = (
        "import sys\nfrom typer.testing import CliRunner\nfrom grpc_platform_tools.cli import app\n"
        "for line in ('--help', 'preview --help', 'preview nowhere', 'client x --stack nowhere'):\n"
        "    CliRunner().invoke(app, line.split())\n"
        "sys.exit('pulumi' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=TOY, check=False).returncode == 0


def test_colours_are_for_a_terminal_that_wants_them(tmp_path: Path) -> None:
    arguments = ("preview", "dev", "--program", str(TOY), "--output", str(tmp_path / "out"))
    assert "\x1b[" in run(*arguments, FORCE_COLOR="1", NO_COLOR="").stdout
    plain = run(*arguments, FORCE_COLOR="1", NO_COLOR="1")
    assert "\x1b[3" not in plain.stdout
    piped = run(*arguments, COLUMNS="30", PYTHONIOENCODING="ascii")
    assert "\x1b" not in piped.stdout + piped.stderr
    assert piped.returncode == 0
