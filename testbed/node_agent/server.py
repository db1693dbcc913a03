"""The agent's HTTPS server: metrics.k8s.io for the aggregation layer, logs for `kubectl logs`.

It checks no credentials: it listens inside the sandbox only.
"""

import asyncio
import json
import logging
import ssl
import urllib.parse
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from testbed.node_agent import Json, metrics
from testbed.node_agent.status import State

log = logging.getLogger(__name__)

_LOOK_AGAIN = 0.2  # seconds between reads of a followed log
_CHUNK = 1 << 16


class RunningPod(Protocol):
    """The facts about a pod that the server needs."""

    pod: Json
    states: dict[str, State]

    def log_file(self, container: str, run: int) -> Path: ...


class _Refused(Exception):  # noqa: N818  (an answer to give)
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Server:
    """Serves the logs of ``pods``, and their metrics from ``meter``."""

    pods: Mapping[str, RunningPod]
    meter: metrics.Meter
    node: str
    node_labels: dict[str, str]

    async def run(self, host: str, port: int, certificate: Path, key: Path) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server = await asyncio.start_server(self._connected, host, port, ssl=context)
        async with server:
            await server.serve_forever()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request per connection: it has few callers, all on this machine."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ", 2)
            url = urllib.parse.urlsplit(target)
            query = {key: values[-1] for key, values in urllib.parse.parse_qs(url.query).items()}
            try:
                await self._answer(method, urllib.parse.unquote(url.path), query, writer)
            except _Refused as refused:
                _send(writer, refused.status, {"kind": "Status", "message": str(refused)})
            await writer.drain()
        except (OSError, ValueError, asyncio.IncompleteReadError):
            pass  # the caller hung up or does not speak HTTP
        finally:
            writer.close()

    async def _answer(
        self, method: str, path: str, query: dict[str, str], writer: asyncio.StreamWriter
    ) -> None:
        if method != "GET":
            raise _Refused(405, f"{method} is not available here")
        words = path.strip("/").split("/")
        if words[0] == "containerLogs" and len(words) == 4:
            await self._logs(words[1], words[2], words[3], query, writer)
        elif path == metrics.GROUP:
            _send(writer, 200, metrics.resources())
        elif path.startswith(metrics.GROUP + "/"):
            _send(writer, 200, self._metrics(words[3:], query.get("labelSelector", "")))
        else:
            raise _Refused(404, f"nothing at {path}")

    def _metrics(self, words: list[str], selector: str) -> Json:
        match words:
            case ["nodes", *name]:
                known = metrics.node_metrics(self.meter, self.node, self.node_labels)
                here = [known] if known is not None else []
                return _one_or_list("NodeMetrics", here, name)
            case ["pods"]:
                found = self._pod_metrics(self.pods.values(), selector)
                return metrics.list_of("PodMetrics", found)
            case ["namespaces", space, "pods", *name]:
                inside = [
                    one for one in self.pods.values() if one.pod["metadata"]["namespace"] == space
                ]
                return _one_or_list("PodMetrics", self._pod_metrics(inside, selector), name)
            case _:
                raise _Refused(404, f"no resource {'/'.join(words)}")

    def _pod_metrics(self, pods: Iterable[RunningPod], selector: str) -> list[Json]:
        measured = (
            metrics.pod_metrics(self.meter, one.pod)
            for one in pods
            if metrics.selects(selector, one.pod["metadata"].get("labels") or {})
        )
        return [one for one in measured if one is not None]

    async def _logs(
        self,
        space: str,
        name: str,
        container: str,
        query: dict[str, str],
        writer: asyncio.StreamWriter,
    ) -> None:
        for pod in self.pods.values():
            meta = pod.pod["metadata"]
            if (meta["namespace"], meta["name"]) == (space, name) and container in pod.states:
                break
        else:
            raise _Refused(404, f"no container {container} of {space}/{name} here")
        state = pod.states[container]
        run = state.restarts
        if query.get("previous") == "true":
            run -= 1
        path = pod.log_file(container, run)
        if not path.exists():
            raise _Refused(400, f"container {container} of {space}/{name} has no log yet")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n")
        with path.open("rb") as file:
            if "tailLines" in query:
                file.seek(_start_of_last_lines(path, int(query["tailLines"])))
            left = int(query.get("limitBytes", 1 << 62))
            while True:
                going = state.restarts == run and state.phase == "running"
                while left and (part := file.read(min(_CHUNK, left))):
                    left -= len(part)
                    writer.write(part)
                    await writer.drain()
                if query.get("follow") != "true" or not going or writer.is_closing():
                    return
                await asyncio.sleep(_LOOK_AGAIN)


def _start_of_last_lines(path: Path, lines: int) -> int:
    data = path.read_bytes()
    position = len(data) - 1 if data.endswith(b"\n") else len(data)
    for _ in range(lines):
        if position <= 0:
            return 0
        position = data.rfind(b"\n", 0, position)
    return position + 1


def _one_or_list(kind: str, items: list[Json], name: list[str]) -> Json:
    if not name:
        return metrics.list_of(kind, items)
    for item in items:
        if [item["metadata"]["name"]] == name:
            return item
    raise _Refused(404, f"{kind} {name[0]} is not measured yet or not known")


def _send(writer: asyncio.StreamWriter, status: int, body: Json) -> None:
    data = json.dumps(body).encode()
    writer.write(
        f"HTTP/1.1 {status} x\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(data)}\r\nConnection: close\r\n\r\n".encode()
        + data
    )
