"""The few calls of GitHub's API that posting needs, with retries.

After a lost connection or a server error a call is repeated at growing intervals; after a rate
limit, when GitHub says. One time limit holds for all calls together.
"""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

import requests
from pydantic import TypeAdapter, ValidationError

PATIENCE = 600.0
"""Seconds that all calls and the waits between them may take together."""
_TIMEOUT = (10, 30)  # seconds to connect, and between two bytes of an answer
_LONGEST_PAUSE = 60.0  # also GitHub's advice for a rate limit that names no time
_LOST = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
)

_T = TypeVar("_T")


class GitHubError(Exception):
    """GitHub refused a call, or could not be reached in time."""

    exit_status = 1

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problems = [problem]


class RefusedTextError(GitHubError):
    """GitHub refuses this text: it is too long or has a character that GitHub does not take."""


@dataclass(eq=False)
class _FailedError(Exception):
    """A failed call that may be repeated."""

    cause: str
    wait: float | None = None
    """Seconds to wait, if GitHub asked for some."""
    lost: bool = False
    """Whether GitHub may have carried it out despite the failure."""


class GitHub:
    """The API for one account. `now` and `sleep` are the clock, in seconds."""

    def __init__(
        self,
        url: str,
        token: str,
        *,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._url = url.rstrip("/")
        self._token = token
        self._now = now
        self._sleep = sleep
        self._deadline = now() + PATIENCE
        self._session = requests.Session()
        # A function and not a header: a .netrc file would override a header.
        self._session.auth = self._authorised
        self._session.headers["Accept"] = "application/vnd.github+json"
        self._session.headers["X-GitHub-Api-Version"] = "2022-11-28"

    def each(self, path: str, form: TypeAdapter[list[_T]], **query: str) -> Iterator[_T]:
        """Every element of a list, from all of its pages."""
        url: str | None = f"{self._url}/{path}"
        parameters: Mapping[str, str] = {**query, "per_page": "100"}
        while url:
            page = self._insist("GET", url, parameters=parameters)
            try:
                elements = form.validate_json(page.content)
            except ValidationError as error:
                where = f"GET {urlsplit(url).path}"
                raise GitHubError(f"{where}: the answer is not in GitHub's form") from error
            yield from elements
            url, parameters = page.links.get("next", {}).get("url"), {}

    def change(self, path: str, content: Mapping[str, str]) -> None:
        """PATCH, which may be repeated."""
        self._insist("PATCH", f"{self._url}/{path}", content=content)

    def create(self, path: str, content: Mapping[str, str], exists: Callable[[], bool]) -> None:
        """POST, which may not be repeated: when an answer is lost, `exists` looks first."""
        attempt = 0
        while True:
            try:
                self._send("POST", f"{self._url}/{path}", content=content)
            except _FailedError as failed:
                self._pause(failed, attempt)
                if failed.lost and exists():
                    return
            else:
                return
            attempt += 1

    def _insist(
        self,
        method: str,
        url: str,
        *,
        parameters: Mapping[str, str] | None = None,
        content: Mapping[str, str] | None = None,
    ) -> requests.Response:
        attempt = 0
        while True:
            try:
                return self._send(method, url, parameters=parameters, content=content)
            except _FailedError as failed:
                self._pause(failed, attempt)
            attempt += 1

    def _send(
        self,
        method: str,
        url: str,
        *,
        parameters: Mapping[str, str] | None = None,
        content: Mapping[str, str] | None = None,
    ) -> requests.Response:
        call = f"{method} {urlsplit(url).path}"
        try:
            response = self._session.request(
                method, url, params=parameters, json=content, timeout=_TIMEOUT
            )
        except requests.RequestException as error:
            # Only the error's type: some error texts hold the request, with the token.
            cause = f"{call}: no answer ({type(error).__name__})"
            if isinstance(error, _LOST):
                raise _FailedError(cause, lost=True) from None
            raise GitHubError(cause) from None
        if response.ok:
            return response
        cause = f"{call}: {response.status_code} {self._message(response)}"
        wait = self._asked_to_wait(response)
        if wait is not None:
            raise _FailedError(cause, wait)
        if response.status_code >= 500:
            raise _FailedError(cause, lost=True)
        raise (RefusedTextError if response.status_code == 422 else GitHubError)(cause)

    def _pause(self, failed: _FailedError, attempt: int) -> None:
        pause = max(min(2.0**attempt, _LONGEST_PAUSE), failed.wait or 0)
        if self._now() + pause > self._deadline:
            raise GitHubError(
                f"{failed.cause}; gave up: another try in {pause:.0f} s would take the whole "
                f"beyond {PATIENCE:.0f} s"
            ) from None
        sys.stderr.write(f"{failed.cause}; again in {pause:.0f} s\n")
        self._sleep(pause)

    def _asked_to_wait(self, response: requests.Response) -> float | None:
        """Seconds until the next call is allowed; None if this is not a rate limit."""
        if response.status_code not in (403, 429):
            return None
        after = response.headers.get("Retry-After", "")
        if after.isdigit():
            return float(after)
        reset = response.headers.get("X-RateLimit-Reset", "")
        if response.headers.get("X-RateLimit-Remaining") == "0" and reset.isdigit():
            return max(0.0, float(reset) - self._now()) + 1
        limited = response.status_code == 429 or "rate limit" in self._message(response).lower()
        return _LONGEST_PAUSE if limited else None

    def _message(self, response: requests.Response) -> str:
        """GitHub's message about a refusal, in one line and without the token."""
        try:
            text = str(response.json()["message"])
        except (ValueError, KeyError, TypeError):
            text = response.reason
        return " ".join(text.replace(self._token, "***").split())[:200]

    def _authorised(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request
