"""Anything that a pull request may leave instead of a diff, and the poster's reaction."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from grpc_platform_tools.github import artifact
from tests.tools.github.fake import FakeGitHub
from tests.tools.github.scene import RUN_URL, Posting, report

EVIL = "\n::error::@everyone <img src=x onerror=alert(1)> <!-- grpc-platform diff: billing -->"


def good(tmp_path: Path) -> dict[str, Any]:
    """A valid diff, to spoil."""
    report(changes=1).save(tmp_path / "good.json")
    return json.loads((tmp_path / "good.json").read_bytes())


def refused(github: FakeGitHub, posting: Posting) -> str:
    """Post, and check that a comment without anything hostile replaced the older one."""
    github.say(7, "<!-- grpc-platform diff: shop -->\nof an earlier commit")
    result = posting.poster("shop")
    assert result.exit_code == 0
    (body,) = github.bodies(7)
    assert "onerror" not in body + result.output
    assert "::" not in result.output  # such a line is a command to the runner
    assert body.startswith("<!-- grpc-platform diff: shop -->\n### shop: no diff of this commit\n")
    assert RUN_URL in body
    return body


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"# A comment\n\nready to post",
        b"[]",
        b"\xff\xfe\x00",
        b'{"project": "shop"}',
        b"[" * 100_000,
        b'{"project": ' + b"9" * 100_000 + b"}",
    ],
    ids=["empty", "Markdown", "a list", "no text", "not all of it", "deep", "a long number"],
)
def test_what_is_not_a_diff_is_reported_as_such(
    github: FakeGitHub, posting: Posting, text: bytes
) -> None:
    posting.leave("shop", text)
    assert "The run left a diff that cannot be read." in refused(github, posting)


@pytest.mark.parametrize("spoil", ["key", "value", "format", "nesting"])
def test_a_diff_in_another_form_than_this_programs_is_refused_without_showing_any_of_it(
    github: FakeGitHub, posting: Posting, tmp_path: Path, spoil: str
) -> None:
    diff = good(tmp_path)
    if spoil == "key":
        diff[EVIL] = EVIL
    elif spoil == "value":
        diff["stacks"][0]["status"] = EVIL
    elif spoil == "format":
        diff["format"] = 1
    else:
        diff["stacks"][0]["resources"][0]["properties"] = [{EVIL: {EVIL: EVIL}}]
    posting.leave("shop", json.dumps(diff).encode())
    assert "cannot be read" in refused(github, posting)


def test_the_diff_of_another_project_is_refused(github: FakeGitHub, posting: Posting) -> None:
    posting.leave("shop", report(f"billing{EVIL}"))
    assert "the diff of another project" in refused(github, posting)


def test_a_diff_that_is_too_large_is_not_read(
    github: FakeGitHub, posting: Posting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifact, "LARGEST", 3 * 1024**2)
    posting.leave("shop", b" " * (3 * 1024**2 + 1))
    assert "a diff of more than 3 MiB" in refused(github, posting)


@pytest.mark.parametrize("target", ["/etc/hostname", "elsewhere/diff.json", "diff.json"])
def test_a_link_is_not_followed(
    github: FakeGitHub, posting: Posting, tmp_path: Path, target: str
) -> None:
    posting.leave("elsewhere", report())
    (tmp_path / "diffs" / "shop").mkdir()
    (tmp_path / "diffs" / "shop" / "diff.json").symlink_to(target)
    refused(github, posting)


def test_a_linked_folder_is_not_followed(
    github: FakeGitHub, posting: Posting, tmp_path: Path
) -> None:
    posting.leave("elsewhere", report())
    (tmp_path / "diffs" / "shop").symlink_to("elsewhere")
    assert "a link in place of a diff" in refused(github, posting)


def test_a_pipe_is_not_waited_on(github: FakeGitHub, posting: Posting, tmp_path: Path) -> None:
    (tmp_path / "diffs" / "shop").mkdir(parents=True)
    os.mkfifo(tmp_path / "diffs" / "shop" / "diff.json")
    assert "something other than a file" in refused(github, posting)


def test_a_ready_made_comment_in_the_artifact_is_not_posted(
    github: FakeGitHub, posting: Posting, tmp_path: Path
) -> None:
    posting.leave("shop", report(changes=1))
    (tmp_path / "diffs" / "shop" / "comment.md").write_text(EVIL)
    posting.poster("shop")
    assert "onerror" not in github.bodies(7)[0]


def test_projects_that_were_not_asked_for_get_no_comment(
    github: FakeGitHub, posting: Posting
) -> None:
    for number in range(50):
        posting.leave(f"extra{number}", report(f"extra{number}"))
    posting.leave("shop", report())
    posting.poster("shop")
    assert len(github.comments[7]) == 1


def test_a_diff_that_breaks_the_renderer_leaves_no_older_one_in_place(
    github: FakeGitHub, posting: Posting, renders: Callable[[Exception], None]
) -> None:
    renders(ValueError(EVIL))
    posting.leave("shop", report())
    assert "a diff that cannot be shown" in refused(github, posting)


def test_a_text_that_github_refuses_leaves_no_older_one_in_place(
    github: FakeGitHub, posting: Posting, renders: Callable[[str], None]
) -> None:
    renders("x" * 70_000)
    posting.leave("shop", report())
    assert "GitHub refuses the text" in refused(github, posting)


def test_a_first_text_that_github_refuses_becomes_one_that_it_takes(
    github: FakeGitHub, posting: Posting, renders: Callable[[str], None]
) -> None:
    renders("x" * 70_000)
    posting.leave("shop", report())
    assert posting.poster("shop").exit_code == 0
    assert "GitHub refuses the text" in github.bodies(7)[0]
