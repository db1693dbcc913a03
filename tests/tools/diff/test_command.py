"""`diff` as a person runs it: which revisions, what is left, and the exit status."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from grpc_platform_tools.cli import app
from grpc_platform_tools.diff.report import Report
from tests.offline import WITHOUT_NETWORK, can_cut_the_network
from tests.tools.diff.conftest import HOLD, PROGRAM, Repo, is_held

COMMAND = [sys.executable, "-m", "grpc_platform_tools", "diff"]


def diff(repo: Repo, *arguments: str) -> Result:
    """Run the command in this process."""
    given = ["diff", *arguments, "--program", str(repo.directory)]
    return CliRunner().invoke(app, given, catch_exceptions=False)


def report(repo: Repo) -> Report:
    return Report.load((repo.directory / "build" / "diff" / "diff.json").read_bytes())


def test_no_change_ends_with_0_and_a_change_with_2(repo: Repo) -> None:
    base = repo.commit(repo.stack(size=1))
    assert diff(repo, "HEAD").exit_code == 0
    repo.write(repo.stack(size=2))
    result = diff(repo, base)
    assert result.exit_code == 2
    assert "+size: 2" in result.output
    assert "changes not committed" in report(repo).head
    (only,) = report(repo).stacks
    assert [(c.path, c.old, c.new) for c in only.outputs] == [("size", 1, 2)]
    assert [(c.path, c.old, c.new) for c in only.config] == [("shop:size", 1, 2)]
    comment = (repo.directory / "build" / "diff" / "comment.md").read_text()
    assert "-shop:size: 1\n+shop:size: 2" in comment


def test_two_revisions_are_compared_whatever_the_files_are_now(repo: Repo) -> None:
    base, head = repo.commit(repo.stack(size=1)), repo.commit(repo.stack(size=2))
    repo.write({"__main__.py": "raise SystemExit"})
    assert diff(repo, base, "--head", head).exit_code == 2
    assert (report(repo).base, report(repo).head) == (base[:7], head[:7])


def test_the_work_tree_and_index_stay_as_they_are(repo: Repo) -> None:
    repo.commit(repo.stack(size=1))
    repo.write({".gitignore": "build/\n", "new.txt": "x"})
    repo.git("add", "new.txt")
    before = repo.git("status", "--porcelain"), repo.git("worktree", "list")
    assert diff(repo, "HEAD").exit_code == 0
    assert (repo.git("status", "--porcelain"), repo.git("worktree", "list")) == before


def test_a_program_in_a_folder_gets_what_is_beside_it(make_repo: Callable[..., Repo]) -> None:
    repo = make_repo(inside="stacks/shop")
    source = f"import sys; sys.path.insert(0, '../lib'); import sizes\n{PROGRAM}"
    source += "pulumi.export('unit', sizes.UNIT)"
    repo.write({"__main__.py": source, "../lib/sizes.py": "UNIT = 'g'", **repo.stack()})
    repo.commit()
    repo.write({"../lib/sizes.py": "UNIT = 'kg'"})
    assert diff(repo, "HEAD").exit_code == 2
    assert [(c.old, c.new) for c in report(repo).stacks[0].outputs] == [("g", "kg")]


OWN = "import pulumi, {module} as own\npulumi.export('own', own.VALUE)"
LAYOUTS = {
    "components/grpc_platform/own.py": "grpc_platform.own",
    # Before release 0.2 the tools were in the package, and the components below it.
    "grpc_platform/components/own.py": "grpc_platform.components.own",
}


def packages(module: str) -> dict[str, str | None]:
    """A module of the components, and the files that make it one."""
    folder = str(Path(module).parent)
    files = {f"{folder}/__init__.py": ""}
    if folder.endswith("/components"):
        files["grpc_platform/__init__.py"] = ""
    return {**files, module: "VALUE = 1"}


@pytest.mark.parametrize("module", LAYOUTS)
@pytest.mark.parametrize("inside", [".", "examples/shop"])
def test_each_revision_gets_its_own_components(
    make_repo: Callable[..., Repo], inside: str, module: str
) -> None:
    """Not those that are installed beside the tool, nor those of the other revision."""
    repo = make_repo(inside=inside)
    up = os.path.relpath(repo.root, repo.directory)
    files = {f"{up}/{name}": text for name, text in packages(module).items()}
    repo.commit({"__main__.py": OWN.format(module=LAYOUTS[module]), **files, **repo.stack()})
    repo.write({f"{up}/{module}": "VALUE = 2"})
    assert diff(repo, "HEAD").exit_code == 2
    assert [(c.old, c.new) for c in report(repo).stacks[0].outputs] == [(1, 2)]


def test_components_that_moved_are_compared_across_the_move(repo: Repo) -> None:
    new, old = LAYOUTS
    main = OWN.format(module=LAYOUTS[old])
    repo.commit({"__main__.py": main, **packages(old), **repo.stack()})
    repo.git("rm", "-r", "-q", "grpc_platform")
    repo.write({"__main__.py": OWN.format(module=LAYOUTS[new]), **packages(new), new: "VALUE = 2"})
    assert diff(repo, "HEAD").exit_code == 2
    assert [(c.old, c.new) for c in report(repo).stacks[0].outputs] == [(1, 2)]


def test_one_stack_that_does_not_load_leaves_the_others_theirs(repo: Repo) -> None:
    repo.commit({**repo.stack("dev"), **repo.stack("prod")})
    repo.write({**repo.stack("dev", "large"), **repo.stack("prod", 3)})
    result = diff(repo, "HEAD")
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    dev, prod = report(repo).stacks
    assert (dev.status, prod.status) == ("failed", "compared")
    (problem,) = dev.problems["head"]
    assert problem == "Configuration 'shop:size' value 'large' is not a valid 'int'"
    assert prod.outputs


def test_a_program_that_is_new_at_head_is_all_new(repo: Repo) -> None:
    repo.write({"Pulumi.yaml": None, "__main__.py": None})
    base = repo.commit()
    repo.write({"Pulumi.yaml": "name: shop\n", "__main__.py": PROGRAM, **repo.stack()})
    assert diff(repo, base).exit_code == 2
    assert report(repo).stacks[0].status == "new"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["nowhere"], "'nowhere' is not a commit of {root}"),
        (["--", "--all"], "'--all' is not a commit of {root}"),
        (["HEAD", "--head", "nowhere"], "'nowhere' is not a commit of {root}"),
        (["HEAD", "--fail-on", "change"], "--fail-on 'change': must be replace, delete or"),
    ],
)
def test_a_wrong_argument_is_said_in_a_line(repo: Repo, arguments: list[str], problem: str) -> None:
    repo.commit(repo.stack())
    given = ["diff", "--program", str(repo.directory), *arguments]
    result = CliRunner().invoke(app, given, catch_exceptions=False)
    assert result.exit_code == 1
    assert result.stderr.startswith(problem.format(root=repo.root))
    assert len(result.stderr.splitlines()) == 1
    assert not (repo.directory / "build").exists()


def test_a_shallow_clone_is_told_from_a_wrong_name(repo: Repo, tmp_path: Path) -> None:
    repo.commit(repo.stack())
    first = repo.git("rev-parse", "HEAD")
    repo.commit(repo.stack(size=2))
    repo.git("clone", "-q", "--depth=1", f"file://{repo.root}", str(tmp_path / "shallow"))
    given = ["diff", first, "--program", str(tmp_path / "shallow")]
    result = CliRunner().invoke(app, given, catch_exceptions=False)
    assert "this clone is shallow: fetch more of it" in result.stderr


def test_a_folder_outside_any_repository_is_refused(tmp_path: Path) -> None:
    given = ["diff", "HEAD", "--program", str(tmp_path)]
    result = CliRunner().invoke(app, given, catch_exceptions=False)
    assert (result.exit_code, "is not in a readable git repository" in result.stderr) == (1, True)


def test_an_environment_is_compared_by_name_with_a_warning(repo: Repo) -> None:
    repo.commit(repo.stack())
    stack = f"{repo.stack()['Pulumi.dev.yaml']}environment: [shop/aws]\n"
    repo.write({"Pulumi.dev.yaml": stack})
    assert diff(repo, "HEAD").exit_code == 2
    (dev,) = report(repo).stacks
    assert [(c.path, c.new) for c in dev.config] == [("environment", ["shop/aws"])]
    assert dev.warnings == ("config from shop/aws (Pulumi ESC) is not known here",)


PROTECTED = """\
import pulumi
import pulumi_aws as aws
aws.kms.Key("key", description={0!r}, opts=pulumi.ResourceOptions(protect=True))
aws.route53.Record("record", zone_id="Z", name={0!r}, type="A", records=["10.0.0.1"], ttl=5)
"""


def test_fail_on_refuses_what_hits_a_protected_resource_only(repo: Repo) -> None:
    repo.commit({"__main__.py": PROTECTED.format("one"), **repo.stack()})
    repo.write({"__main__.py": PROTECTED.format("two")})  # the record is replaced, the key is not
    assert diff(repo, "HEAD", "--fail-on", "replace,delete").exit_code == 2
    repo.write({"__main__.py": "import pulumi"})
    assert diff(repo, "HEAD", "--fail-on", "replace").exit_code == 2
    result = diff(repo, "HEAD", "--fail-on", "replace,delete")
    assert result.exit_code == 1
    assert result.stderr == "dev: Key key would be deleted, which --fail-on refuses\n"


@pytest.mark.skipif(not can_cut_the_network(), reason="this machine permits no network namespace")
def test_it_needs_no_network_and_shows_no_credentials(repo: Repo, tmp_path: Path) -> None:
    shout = "import os; pulumi.export('seen', [k for k in os.environ if 'SECRET' in k])"
    repo.commit({"__main__.py": f"{PROGRAM}\n{shout}", **repo.stack()})
    repo.write(repo.stack(size=2))
    done = subprocess.run(
        [*WITHOUT_NETWORK, *COMMAND, "HEAD", "--program", repo.directory],
        env={**os.environ, "AWS_SECRET_ACCESS_KEY": "swordfish"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    found = json.dumps(json.loads((repo.directory / "build/diff/diff.json").read_text()))
    assert "SECRET" not in found
    assert "swordfish" not in done.stdout + done.stderr + found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_diff_leaves_nothing(repo: Repo, tmp_path: Path, number: int) -> None:
    """Neither a process nor a file, and nothing in build/."""
    started = tmp_path / "started"
    endless = f"{HOLD.format(str(started))}import time\nwhile True: time.sleep(1)"
    repo.commit({"__main__.py": endless, **repo.stack()})
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    process = subprocess.Popen(
        [*COMMAND, "HEAD", "--program", repo.directory],
        env={**os.environ, "TMPDIR": str(temporary)},
        stderr=subprocess.PIPE,
    )
    until(lambda: is_held(started))
    process.send_signal(number)
    process.communicate(timeout=120)
    assert process.returncode not in (0, 2)
    until(lambda: not is_held(started))
    assert list(temporary.iterdir()) == []
    assert not (repo.directory / "build").exists()


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)
