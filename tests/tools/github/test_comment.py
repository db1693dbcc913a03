"""One comment per project, on the right pull request, never of another commit."""

from collections.abc import Callable

import pytest

from grpc_platform_tools.diff.comment import comment
from tests.tools.github.fake import FakeGitHub
from tests.tools.github.scene import RUN_URL, SHA, Posting, report

MARKER = "<!-- grpc-platform diff: shop -->"


def only(bodies: list[str]) -> str:
    """The one there is."""
    (body,) = bodies
    return body


def test_the_first_run_makes_a_comment_with_the_diff_and_where_it_is_from(
    github: FakeGitHub, posting: Posting
) -> None:
    posting.leave("shop", report(changes=2))
    result = posting.poster("shop")
    assert (result.exit_code, result.output) == (0, "pull request 7: made the comment of shop\n")
    body = only(github.bodies(7))
    assert body.startswith(f"{MARKER}\n{comment(report(changes=2))}\n")
    assert body.endswith(f"<sub>Of commit 1a2b3c4, by [this run]({RUN_URL}).</sub>")


def test_the_next_run_updates_it_wherever_in_the_pages_it_is(
    github: FakeGitHub, posting: Posting
) -> None:
    github.page_size = 2
    for number in range(4):
        github.say(7, f"a remark, {number}", login="someone")
    github.say(7, f"{MARKER}\nof an earlier commit")
    github.say(7, "a last remark", login="someone")
    posting.leave("shop", report(changes=1))
    result = posting.poster("shop")
    assert result.output == "pull request 7: updated the comment of shop\n"
    assert comment(report(changes=1)) in only(github.bodies(7))
    assert [call for call in github.calls if "page=3" in call]
    assert len(github.comments[7]) == 6


def test_a_diff_without_changes_is_posted_too(github: FakeGitHub, posting: Posting) -> None:
    posting.leave("shop", report())
    posting.poster("shop")
    assert comment(report()) in only(github.bodies(7))


def test_another_users_comment_with_the_marker_is_left_alone(
    github: FakeGitHub, posting: Posting
) -> None:
    for login in ("someone", "github-actions", "another-app[bot]"):
        github.say(7, f"{MARKER}\nall is well", login=login)
    posting.leave("shop", report(changes=1))
    assert posting.poster("shop").output == "pull request 7: made the comment of shop\n"
    for login in ("someone", "github-actions", "another-app[bot]"):
        assert github.bodies(7, login) == [f"{MARKER}\nall is well"]
    only(github.bodies(7))


def test_a_comment_of_another_tool_of_the_same_account_is_left_alone(
    github: FakeGitHub, posting: Posting
) -> None:
    others = ["coverage: 80 %", f"quoted from elsewhere:\n{MARKER}", f"> {MARKER}", ""]
    for body in others:
        github.say(7, body)
    posting.leave("shop", report())
    posting.poster("shop")
    assert github.bodies(7)[:-1] == others


def test_each_project_has_a_comment_of_its_own(github: FakeGitHub, posting: Posting) -> None:
    for project in ("shop", "shop.api", "billing"):
        posting.leave(project, report(project, changes=1))
    for _ in range(2):
        posting.poster("shop", "shop.api", "billing")
    firsts = [body.partition("\n")[0] for body in github.bodies(7)]
    assert firsts == [
        MARKER,
        "<!-- grpc-platform diff: shop.api -->",
        "<!-- grpc-platform diff: billing -->",
    ]


def test_a_diff_that_shows_another_projects_marker_is_not_taken_for_its_comment(
    github: FakeGitHub, posting: Posting, renders: Callable[[str], None]
) -> None:
    renders("<!-- grpc-platform diff: billing -->\n<!-- grpc-platform diff: shop -->")
    for project in ("shop", "billing"):
        posting.leave(project, report(project))
    for _ in range(2):
        posting.poster("shop", "billing")
    assert [body.partition("\n")[0] for body in github.bodies(7)] == [
        MARKER,
        "<!-- grpc-platform diff: billing -->",
    ]


def test_two_comments_left_by_a_race_say_the_same(github: FakeGitHub, posting: Posting) -> None:
    for _ in range(2):
        github.say(7, f"{MARKER}\nold")
    posting.leave("shop", report(changes=3))
    posting.poster("shop")
    first, second = github.bodies(7)
    assert first == second
    assert "old" not in first


def test_a_pull_request_from_a_fork_is_found_by_its_branch(
    github: FakeGitHub, posting: Posting
) -> None:
    github.page_size = 1
    fork = {"id": 55, "full_name": "guest/platform", "owner": {"login": "guest"}}
    posting.event["workflow_run"]["head_repository"] = fork
    posting.event["workflow_run"]["head_branch"] = "fix/a&b=c #1"
    github.pull(8, SHA, branch="fix/a&b=c #1", owner="guest", repo=56)
    github.pull(9, SHA, branch="fix/a&b=c #1", owner="guest", repo=55)
    posting.leave("shop", report(changes=1))
    assert posting.poster("shop").output == "pull request 9: made the comment of shop\n"
    assert not github.comments[7] + github.comments[8]
    assert github.calls[1].count("state=open") == 1


def test_nothing_is_posted_once_the_branch_has_moved_on(
    github: FakeGitHub, posting: Posting
) -> None:
    github.pulls[0]["head"]["sha"] = "f" * 40
    posting.leave("shop", report(changes=1))
    result = posting.poster("shop")
    assert result.exit_code == 0
    assert result.output.startswith(f"nothing to post: {SHA} is no open pull request's")
    assert not github.comments[7]


def test_nothing_is_posted_to_a_closed_pull_request(github: FakeGitHub, posting: Posting) -> None:
    github.pulls[0]["state"] = "closed"
    posting.leave("shop", report(changes=1))
    assert posting.poster("shop").exit_code == 0
    assert not github.comments[7]


@pytest.mark.parametrize(
    "change",
    [{"event": "push"}, {"conclusion": "skipped"}, {"head_repository": None}],
    ids=["not a pull request", "skipped", "the fork is deleted"],
)
def test_a_run_that_compared_no_pull_request_posts_nothing(
    github: FakeGitHub, posting: Posting, change: dict[str, object]
) -> None:
    posting.event["workflow_run"] |= change
    assert posting.poster("shop").output.startswith("nothing to post: the run compared no pull")
    assert not github.calls


def test_two_pull_requests_with_one_newest_commit_get_no_diff_that_may_be_the_others(
    github: FakeGitHub, posting: Posting
) -> None:
    github.pull(8, SHA, branch="feature")
    github.say(8, f"{MARKER}\nof an earlier commit")
    posting.leave("shop", report(changes=1))
    posting.poster("shop")
    for number in (7, 8):
        assert "#7, #8 have the same newest commit" in only(github.bodies(number))


@pytest.mark.parametrize("conclusion", ["failure", "cancelled", "timed_out", "action_required"])
def test_a_run_that_failed_before_it_left_a_diff_says_so_in_the_comments_place(
    github: FakeGitHub, posting: Posting, conclusion: str
) -> None:
    github.say(7, f"{MARKER}\nof an earlier commit")
    posting.event["workflow_run"]["conclusion"] = conclusion
    result = posting.poster("shop", "billing")
    assert result.exit_code == 0
    updated, made = github.bodies(7)
    for body, project in ((updated, "shop"), (made, "billing")):
        assert f"### {project}: no diff of this commit\n" in body
        assert f"ended as `{conclusion}`. The run left no diff of this project." in body
        assert RUN_URL in body


def test_a_diff_of_a_run_that_failed_otherwise_is_shown_and_the_failure_too(
    github: FakeGitHub, posting: Posting
) -> None:
    posting.event["workflow_run"]["conclusion"] = "failure"
    posting.leave("shop", report(changes=2))
    posting.poster("shop")
    body = only(github.bodies(7))
    assert "ended as `failure`.** It left this diff:" in body
    assert comment(report(changes=2)) in body
