"""What the poster does when GitHub limits, fails or falls silent."""

import socket
from typing import Any

import pytest

from grpc_platform_tools.github.api import PATIENCE
from tests.tools.github.fake import TOKEN, FakeGitHub, Fault
from tests.tools.github.scene import Clock, Posting, report

METHODS = ["GET", "PATCH", "POST"]
MARKER = "<!-- grpc-platform diff: shop -->"


@pytest.fixture(params=METHODS)
def method(request: pytest.FixtureRequest, github: FakeGitHub, posting: Posting) -> str:
    """A call that the next run makes; PATCH where there is a comment to update."""
    posting.leave("shop", report(changes=1))
    if request.param == "PATCH":
        github.say(7, f"{MARKER}\nof an earlier commit")
    return request.param


def the_comment(github: FakeGitHub, posting: Posting) -> str:
    """Post. Returns the text of the only comment."""
    result = posting.poster("shop")
    assert result.exit_code == 0, result.output
    (body,) = github.bodies(7)
    assert "earlier" not in body
    return body


def failure(posting: Posting) -> str:
    """Post and fail. Returns the last line of the output."""
    result = posting.poster("shop")
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    return result.stderr.splitlines()[-1]


def test_a_rate_limit_is_waited_out_as_long_as_it_says(
    github: FakeGitHub, posting: Posting, clock: Clock, method: str
) -> None:
    github.faults.append(Fault(method, 429, {"Retry-After": "37"}))
    the_comment(github, posting)
    assert clock.slept == [37]


def test_a_used_up_quota_is_waited_for_until_it_is_filled_again(
    github: FakeGitHub, posting: Posting, clock: Clock, method: str
) -> None:
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(clock.time) + 250)}
    github.faults.append(Fault(method, 403, headers, "API rate limit exceeded"))
    the_comment(github, posting)
    assert clock.slept == [251]


def test_a_rate_limit_that_names_no_time_is_waited_out_for_a_minute(
    github: FakeGitHub, posting: Posting, clock: Clock, method: str
) -> None:
    limited = "You have exceeded a secondary rate limit."
    github.faults += [Fault(method, 403, message=limited), Fault(method, 429)]
    the_comment(github, posting)
    assert clock.slept == [60, 60]


def test_a_rate_limit_that_says_now_again_and_again_is_not_hammered(
    github: FakeGitHub, posting: Posting, clock: Clock, method: str
) -> None:
    github.faults += [Fault(method, 429, {"Retry-After": "0"})] * 3
    the_comment(github, posting)
    assert clock.slept == [1, 2, 4]


@pytest.mark.parametrize("status", [None, 500, 502, 503])
@pytest.mark.parametrize("processed", [False, True], ids=["not carried out", "carried out"])
def test_a_lost_answer_leads_to_one_comment(
    github: FakeGitHub, posting: Posting, method: str, status: int | None, processed: bool
) -> None:
    github.faults.append(Fault(method, status, processed=processed))
    the_comment(github, posting)


def test_a_comment_that_arrived_is_not_made_again_however_many_answers_are_lost(
    github: FakeGitHub, posting: Posting
) -> None:
    posting.leave("shop", report(changes=1))
    github.faults += [Fault("POST"), Fault("POST", 502), Fault("POST", processed=True)]
    the_comment(github, posting)
    assert len([call for call in github.calls if call.startswith("POST")]) == 3


def test_a_fault_that_lasts_is_given_up_within_the_bound(
    github: FakeGitHub, posting: Posting, clock: Clock, method: str
) -> None:
    github.faults += [Fault(method, 502, message="Bad gateway")] * 1_000
    started = clock.time
    line = failure(posting)
    assert f"{method} /repos/acme/platform/" in line
    assert ": 502 Bad gateway; gave up" in line
    assert PATIENCE - 60 <= clock.time - started <= PATIENCE


def test_the_bound_holds_for_all_calls_together(
    github: FakeGitHub, posting: Posting, clock: Clock
) -> None:
    posting.leave("shop", report())
    wait = str(int(PATIENCE * 0.6))
    github.faults += [
        Fault("GET", 429, {"Retry-After": wait}),
        Fault("POST", 429, {"Retry-After": wait}),
    ]
    assert "gave up" in failure(posting)
    assert clock.slept == [PATIENCE * 0.6]


def test_a_wait_beyond_the_bound_is_not_begun(
    github: FakeGitHub, posting: Posting, clock: Clock, method: str
) -> None:
    github.faults.append(Fault(method, 429, {"Retry-After": "3000"}, "Slow down"))
    line = failure(posting)
    assert "429 Slow down; gave up: another try in 3000 s would take the whole beyond 600 s" in line
    assert not clock.slept


@pytest.mark.parametrize(
    ("status", "message"),
    [(401, "Bad credentials"), (403, "Resource not accessible by integration")],
)
def test_a_refusal_is_one_line_and_not_tried_again(
    github: FakeGitHub, posting: Posting, clock: Clock, method: str, status: int, message: str
) -> None:
    github.faults.append(Fault(method, status, message=message))
    line = failure(posting)
    assert line.startswith(f"{method} /repos/acme/platform/")
    assert line.endswith(f": {status} {message}")
    assert not clock.slept


def test_an_unreachable_server_is_given_up_within_the_bound(
    posting: Posting, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        monkeypatch.setenv("GITHUB_API_URL", f"http://127.0.0.1:{taken.getsockname()[1]}")
        started = clock.time
        assert "no answer (ConnectionError); gave up" in failure(posting)
    assert clock.time - started <= PATIENCE


def test_an_answer_of_another_form_is_one_line(github: FakeGitHub, posting: Posting) -> None:
    github.pulls[0].pop("number")
    assert failure(posting).endswith("/pulls: the answer is not in GitHub's form")


@pytest.mark.parametrize("url", ["nowhere", "http://", "ftp://127.0.0.1/"])
def test_an_invalid_address_is_one_line(
    posting: Posting, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("GITHUB_API_URL", url)
    assert "no answer (" in failure(posting)


def test_a_token_that_github_repeats_is_not_printed(github: FakeGitHub, posting: Posting) -> None:
    """In every test, `poster` looks for the token in all output."""
    github.faults.append(Fault("GET", 403, message=f"no rights for Bearer {TOKEN}\n::error::x"))
    assert failure(posting).endswith(": 403 no rights for Bearer *** ::error::x")


@pytest.mark.parametrize("inside", ["\r\nInjected: ", " ", "\u2028"])
def test_an_invalid_token_is_neither_sent_nor_printed(
    github: FakeGitHub, posting: Posting, monkeypatch: pytest.MonkeyPatch, inside: str
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", f"{TOKEN}{inside}{TOKEN}")
    result = posting.poster("shop")
    assert (result.exit_code, result.stderr) == (2, "GITHUB_TOKEN is not a token\n")
    assert not github.calls


def test_a_token_of_the_machine_is_not_sent_instead(
    github: FakeGitHub, posting: Posting, monkeypatch: pytest.MonkeyPatch
) -> None:
    (posting.folder / ".netrc").write_text("machine 127.0.0.1 login me password other\n")
    monkeypatch.setenv("NETRC", str(posting.folder / ".netrc"))
    posting.leave("shop", report())
    the_comment(github, posting)


@pytest.mark.parametrize("name", ["GITHUB_TOKEN", "GITHUB_EVENT_PATH"])
def test_outside_of_a_job_it_says_what_is_missing(
    posting: Posting, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delenv(name)
    result = posting.poster("shop")
    assert (result.exit_code, result.stderr) == (
        2,
        f"{name} is not set: this command is for a job of GitHub Actions\n",
    )


@pytest.mark.parametrize("event", [{"action": "opened"}, [], {"workflow_run": {}}])
def test_the_event_of_something_else_is_one_line(posting: Posting, event: Any) -> None:
    posting.event = event
    result = posting.poster("shop")
    assert result.exit_code == 2
    assert result.stderr.endswith("is not the event of a workflow_run that completed\n")


@pytest.mark.parametrize("name", ["", "a b", "a-->", "a\nb", "../x", "é", "x" * 101])
def test_only_what_pulumi_takes_is_a_projects_name(
    github: FakeGitHub, posting: Posting, name: str
) -> None:
    result = posting.poster(name)
    assert result.exit_code == 2
    assert result.stderr == f"{name!r} is not the name of a Pulumi project\n"
    assert not github.calls
