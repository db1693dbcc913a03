"""A small GitHub: the calls that posting makes, over HTTP, with the ways in which they go wrong."""

import json
import re
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from grpc_platform_tools.plain import is_list

TOKEN = "ghs_NotForAnyLog"
ME = "github-actions[bot]"
LONGEST_BODY = 65_536


@dataclass(frozen=True)
class Fault:
    """A failure of one call of `method` instead of its answer.

    With `processed` the call is carried out first. A `status` of None drops the connection.
    """

    method: str
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict[str, str])
    message: str = "Something went wrong"
    processed: bool = False


@dataclass
class FakeGitHub:
    """The repository acme/platform: its content, the next failures, and the received calls."""

    url: str = ""
    page_size: int = 100
    """The most elements a page has, whatever `per_page` asks for."""
    pulls: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    comments: dict[int, list[dict[str, Any]]] = field(default_factory=dict[int, Any])
    faults: list[Fault] = field(default_factory=list[Fault])
    calls: list[str] = field(default_factory=list[str])
    """`GET /repos/...?page=2`, in order, the failed ones too."""
    last_id: int = 0

    def pull(
        self, number: int, sha: str, *, branch: str, owner: str = "acme", repo: int = 1
    ) -> None:
        """Open a pull request."""
        head = {"sha": sha, "ref": branch, "label": f"{owner}:{branch}", "repo": {"id": repo}}
        self.pulls.append({"number": number, "state": "open", "head": head})
        self.comments[number] = []

    def say(self, number: int, body: str, login: str = ME) -> int:
        """Comment on a pull request; the comment's id."""
        self.last_id += 1
        self.comments[number].append({"id": self.last_id, "body": body, "user": {"login": login}})
        return self.last_id

    def bodies(self, number: int, login: str = ME) -> list[str]:
        """The texts of an account's comments on a pull request."""
        return [c["body"] for c in self.comments[number] if c["user"]["login"] == login]

    def answer(
        self, method: str, path: str, query: dict[str, str], content: Any
    ) -> tuple[int, Any]:
        """Carry out a call: the status and the answer."""
        if method == "GET" and path == "/repos/acme/platform/pulls":
            return 200, [
                pull
                for pull in self.pulls
                if pull["state"] == query.get("state")
                and pull["head"]["label"] == query.get("head")
            ]
        on_pull = re.fullmatch(r"/repos/acme/platform/issues/(\d+)/comments", path)
        one = re.fullmatch(r"/repos/acme/platform/issues/comments/(\d+)", path)
        if not on_pull and not one:
            return 404, {"message": "Not Found"}
        if method in ("POST", "PATCH") and len(content["body"]) > LONGEST_BODY:
            return 422, {"message": f"Body is too long (maximum is {LONGEST_BODY} characters)"}
        if method == "GET" and on_pull:
            return 200, self.comments[int(on_pull[1])]
        if method == "POST" and on_pull:
            return 201, {"id": self.say(int(on_pull[1]), content["body"])}
        everything = [c for comments in self.comments.values() for c in comments]
        found = [c for c in everything if one and c["id"] == int(one[1])]
        if method != "PATCH" or not found:
            return 404, {"message": "Not Found"}
        found[0]["body"] = content["body"]
        return 200, found[0]


@contextmanager
def serving() -> Generator[FakeGitHub]:
    """The fake, on a port of this machine."""
    fake = FakeGitHub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # keeps connections, as GitHub does

        def handle_call(self) -> None:
            _handle(fake, self)

        do_GET = do_POST = do_PATCH = handle_call

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fake.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handle(fake: FakeGitHub, request: BaseHTTPRequestHandler) -> None:
    url = urlsplit(request.path)
    query = {key: values[-1] for key, values in parse_qs(url.query).items()}
    fake.calls.append(f"{request.command} {request.path}")
    sent = request.rfile.read(int(request.headers.get("Content-Length") or 0))
    content = json.loads(sent) if sent else None
    if request.headers.get("Authorization") != f"Bearer {TOKEN}":
        return _answer(request, 401, {"message": "Bad credentials"}, {})
    fault = next((fault for fault in fake.faults if fault.method == request.command), None)
    if fault:
        fake.faults.remove(fault)
        if fault.processed:
            fake.answer(request.command, url.path, query, content)
        if fault.status is None:
            request.close_connection = True
            return None
        return _answer(request, fault.status, {"message": fault.message}, fault.headers)
    status, answer = fake.answer(request.command, url.path, query, content)
    headers: dict[str, str] = {}
    if is_list(answer):
        size, page = min(int(query.get("per_page", 30)), fake.page_size), int(query.get("page", 1))
        if page * size < len(answer):
            rest = urlencode(query | {"page": str(page + 1)})
            headers["Link"] = f'<{fake.url}{url.path}?{rest}>; rel="next"'
        answer = answer[(page - 1) * size : page * size]
    return _answer(request, status, answer, headers)


def _answer(
    request: BaseHTTPRequestHandler, status: int, answer: Any, headers: dict[str, str]
) -> None:
    body = json.dumps(answer).encode()
    request.send_response(status)
    for name, value in {**headers, "Content-Length": str(len(body))}.items():
        request.send_header(name, value)
    request.end_headers()
    request.wfile.write(body)
