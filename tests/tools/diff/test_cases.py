"""Prepared changes of a small program, each with the comment that was reviewed for it.

`cases/<name>.patch` says what it is, which stacks are compared, and the change; `<name>.md` is the
comment. After a change of what comments say:
`UPDATE_COMMENTS=1 pytest tests/tools/diff/test_cases.py`, then read every difference.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from grpc_platform_tools.diff import recorder
from grpc_platform_tools.diff.comment import comment
from grpc_platform_tools.diff.compare import compare
from grpc_platform_tools.diff.recordings import Recording, given, read_recording
from grpc_platform_tools.diff.redaction import Accounts
from grpc_platform_tools.diff.report import Report
from grpc_platform_tools.diff.revisions import Revision

HERE = Path(__file__).parent
CASES = sorted(path.stem for path in (HERE / "cases").glob("*.patch"))
LIMITS = {"too-much": 1_500}
"""Characters of a comment, if not the real limit."""
HIDDEN = (
    "swordfish",
    "Y2lwaGVydGV4dC",  # of every ciphertext
    "111122223333",
    "444455556666",
)
"""Texts that no comment and no report may show."""


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Recording]:
    """Every stack as it is before a change."""
    directory = tmp_path_factory.mktemp("base") / "program"
    shutil.copytree(HERE / "program", directory)
    return recorded(directory, ["dev", "prod"], Accounts())


def recorded(directory: Path, stacks: list[str], accounts: Accounts) -> dict[str, Recording]:
    """In this process, which has loaded the SDK: the program has no module of its own."""
    python = Path(sys.executable)
    revision = Revision(label="x", checkout=directory, inside=Path(), python=python)
    found: dict[str, Recording] = {}
    for stack in stacks:
        if stack in revision.stacks:
            output = directory / stack
            output.mkdir()
            recorder.main(directory, Path(), stack, output, given(revision, b"key"))
            found[stack] = read_recording(output, revision, stack, accounts)
    return found


@pytest.mark.parametrize("case", CASES)
def test_the_comment_is_the_one_that_was_reviewed(
    case: str, base: dict[str, Recording], tmp_path: Path
) -> None:
    patch = HERE / "cases" / f"{case}.patch"
    asked = re.search(r"^Stacks: (.*)$", patch.read_text(), re.MULTILINE)
    assert asked
    stacks = asked[1].split(", ")
    head = tmp_path / "program"
    shutil.copytree(HERE / "program", head)
    subprocess.run(["git", "apply", patch], cwd=head, check=True)
    # The base's accounts were named first, as in a command.
    accounts = Accounts()
    accounts.hide("111122223333")
    after = recorded(head, stacks, accounts)
    report = Report(
        project="shop",
        base="main (1a2b3c4)",
        head="5d6e7f8",
        stacks=tuple(compare(s, base.get(s), after.get(s)) for s in stacks),
    )
    limit = LIMITS.get(case, 60_000)
    text = comment(report, limit)
    assert len(text) <= limit
    report.save(tmp_path / "diff.json")
    for shown in (text, (tmp_path / "diff.json").read_text()):
        assert not [hidden for hidden in HIDDEN if hidden in shown]
    reviewed = patch.with_suffix(".md")
    if os.environ.get("UPDATE_COMMENTS"):
        reviewed.write_text(text)
    assert text == reviewed.read_text()


def test_every_comment_has_its_case() -> None:
    assert sorted(path.stem for path in (HERE / "cases").glob("*.md")) == CASES
