"""One recorder per stack: what its program sees and may leave behind, and the message when it
fails."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from grpc_platform_tools.cli import app
from grpc_platform_tools.diff.report import Report
from tests.tools.diff.conftest import HOLD, PROGRAM, Repo, is_held
from tests.tools.diff.test_command import COMMAND, until


def diff(repo: Repo, *arguments: str) -> Result:
    """Run the command in this process."""
    given = ["diff", *arguments, "--program", str(repo.directory)]
    return CliRunner().invoke(app, given, catch_exceptions=False)


def report(repo: Repo) -> Report:
    return Report.load((repo.directory / "build" / "diff" / "diff.json").read_bytes())


def problems(repo: Repo, source: str) -> list[str]:
    """The problems of a program, which are the same at both revisions."""
    repo.commit({"__main__.py": source, **repo.stack()})
    assert diff(repo, "HEAD").exit_code == 1
    (only,) = report(repo).stacks
    assert only.problems["base"] == only.problems["head"]
    return only.problems["head"]


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="only Linux shows it")
def test_a_program_cannot_read_the_environment_of_who_runs_the_diff(
    repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "swordfish")
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    shout = "pulumi.export('seen', open('/proc/self/environ').read())"
    repo.commit({"__main__.py": "import pulumi", **repo.stack()})
    repo.write({"__main__.py": f"import pulumi\n{shout}"})
    assert diff(repo, "HEAD").exit_code == 2
    seen = {c.path: str(c.new) for c in report(repo).stacks[0].outputs}["seen"]
    assert {pair.split("=")[0] for pair in seen.strip("\0").split("\0")} <= {
        *("PATH", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONDONTWRITEBYTECODE"),
        *("PYTHONUSERBASE", "HOME"),
    }
    assert "HOME=/nonexistent" in seen


def test_a_process_that_a_program_leaves_neither_holds_up_the_diff_nor_stays(
    repo: Repo, tmp_path: Path
) -> None:
    left = tmp_path / "left"
    source = (
        f"{PROGRAM}{HOLD.format(str(left))}"
        "import subprocess\nsubprocess.Popen(['sleep', '600'], pass_fds=[held.fileno()])\n"
    )
    repo.commit({"__main__.py": source, **repo.stack()})
    assert diff(repo, "HEAD").exit_code == 0
    assert left.exists()
    until(lambda: not is_held(left))


def test_a_diff_whose_terminal_closes_leaves_no_recorder(repo: Repo, tmp_path: Path) -> None:
    started = tmp_path / "started"
    endless = f"{HOLD.format(str(started))}import time\nwhile True: time.sleep(1)"
    repo.commit({"__main__.py": endless, **repo.stack()})
    process = subprocess.Popen([*COMMAND, "HEAD", "--program", repo.directory])
    until(lambda: is_held(started))
    process.send_signal(signal.SIGHUP)
    assert process.wait(timeout=30) not in (0, 2)
    until(lambda: not is_held(started))


def test_a_program_that_ends_its_process_is_a_problem(repo: Repo) -> None:
    assert problems(repo, "import ctypes; ctypes.CDLL(None)._exit(0)") == [
        "the program ended its process before it was recorded"
    ]


def test_a_recording_that_cannot_be_read_is_a_problem_of_its_stack_alone(repo: Repo) -> None:
    broken = (
        "import ctypes, pathlib, pulumi, sys\nif pulumi.get_stack() == 'dev':\n"
        "    pathlib.Path(sys.argv[4], 'resources.json').write_text('[{}]')\n"
        "    pathlib.Path(sys.argv[4], 'beside.json').write_text('{}')\n"
        "    ctypes.CDLL(None)._exit(0)\n"
    )
    repo.commit({"__main__.py": broken, **repo.stack("dev"), **repo.stack("prod")})
    assert diff(repo, "HEAD").exit_code == 1
    dev, prod = report(repo).stacks
    assert (dev.status, prod.status) == ("failed", "compared")
    assert dev.problems["head"][0].startswith("the recording cannot be read: ValidationError")


def test_problems_name_no_folder_of_this_machine(
    repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    source = "import pathlib\nhere = pathlib.Path(__file__).parent\n"
    source += "raise ValueError(f'{here}/a in {here} {here}/ and /home/somebody/x')"
    assert problems(repo, source) == [
        "__main__.py:3 in <module>: "
        "raise ValueError(f'{here}/a in {here} {here}/ and /home/somebody/x')".replace(
            "/home/somebody", "~"
        ),
        "ValueError: a in .  and ~/x",
    ]


def test_a_warning_and_the_names_of_a_diff_hide_account_ids(repo: Repo) -> None:
    repo.commit({"Pulumi.yaml": "name: shop-123456789012\n", "__main__.py": "import pulumi"})
    repo.write({"Pulumi.123456789012.yaml": ""})
    repo.write({"__main__.py": "import pulumi\npulumi.log.warn('in 123456789012')"})
    repo.commit()
    repo.write({"Pulumi.dev.yaml": ""})
    diff(repo, "HEAD")
    saved = (repo.directory / "build/diff/diff.json").read_text()
    assert "123456789012" not in saved
    assert json.loads(saved)["project"] == "shop-[account 1]"
    assert "in [account 1]" in saved


def test_a_removed_stack_need_not_have_worked(repo: Repo) -> None:
    repo.commit({"Pulumi.old.yaml": "config: [\n", **repo.stack()})
    repo.write({"Pulumi.old.yaml": None})
    assert diff(repo, "HEAD").exit_code == 2
    assert [(s.stack, s.status) for s in report(repo).stacks] == [
        ("dev", "compared"),
        ("old", "removed"),
    ]


def test_the_report_of_an_earlier_run_is_no_change(repo: Repo) -> None:
    commit = repo.commit(repo.stack())
    for _ in range(2):
        assert diff(repo, "HEAD").exit_code == 0
        assert report(repo).head == commit[:7]


@pytest.mark.parametrize("arguments", [["", "--head", "HEAD"], ["HEAD", "--head", ""]])
def test_an_empty_revision_is_refused(repo: Repo, arguments: list[str]) -> None:
    repo.commit(repo.stack())
    result = diff(repo, *arguments)
    assert (result.exit_code, result.stderr) == (1, "the name of a revision is empty\n")


def test_a_submodule_is_laid_out_from_the_work_tree_and_missed_elsewhere(
    repo: Repo, tmp_path: Path
) -> None:
    library = Repo(tmp_path / "library")
    library.commit({"sizes.py": "UNIT = 'g'"})
    source = f"{PROGRAM}import lib.sizes\npulumi.export('unit', lib.sizes.UNIT)"
    repo.write({"__main__.py": source, **repo.stack()})
    local = ("-c", "protocol.file.allow=always")
    repo.git(*local, "submodule", "--quiet", "add", str(library.root), "lib")
    repo.commit()
    assert diff(repo, "HEAD").exit_code == 0
    repo.git("submodule", "deinit", "--quiet", "--force", "lib")
    assert diff(repo, "HEAD", "--head", "HEAD").exit_code == 1
    assert report(repo).stacks[0].problems["head"][-1] == "submodules that are not checked out: lib"


@pytest.mark.parametrize(("main", "file"), [("src", "src/__main__.py"), ("src/a.py", "src/a.py")])
def test_a_program_in_the_main_of_its_project_runs_there(repo: Repo, main: str, file: str) -> None:
    source = f"import os\n{PROGRAM}import beside\npulumi.export('n', [beside.N, os.listdir()])"
    project = f"name: shop\nmain: {main}\n"
    repo.commit({"Pulumi.yaml": project, "__main__.py": None, file: source, **repo.stack()})
    repo.write({"src/beside.py": "N = 1"})
    repo.commit()
    repo.write({"src/beside.py": "N = 2"})
    assert diff(repo, "HEAD").exit_code == 2
    assert ("n[0]", 1, 2) in [(c.path, c.old, c.new) for c in report(repo).stacks[0].outputs]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no such device")
def test_a_standard_output_that_cannot_be_written_is_a_line(repo: Repo) -> None:
    repo.commit(repo.stack())
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, "HEAD", "--program", repo.directory],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.stderr == "cannot write: No space left on device\n"
    assert done.returncode == 1


def test_a_pipe_that_closes_ends_the_command_without_a_word(repo: Repo) -> None:
    repo.commit(repo.stack())
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "grpc_platform_tools", "diff", "HEAD", "--program", repo.directory],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert done.stderr == ""
