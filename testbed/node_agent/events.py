"""Kubernetes Events on pods, sent in the background, and the same lines in the agent's log."""

import asyncio
import logging
import time
from dataclasses import dataclass, field

import httpx

from testbed.node_agent import Json
from testbed.node_agent.api import Api, ApiError
from testbed.node_agent.status import timestamp

log = logging.getLogger(__name__)

_QUIET = 30.0  # seconds in which the same event is counted but not sent again


@dataclass
class _Seen:
    name: str
    first: float
    sent: float
    count: int = 1


@dataclass
class Recorder:
    """Events of one node; ``run`` sends them."""

    api: Api
    node: str
    _queue: asyncio.Queue[tuple[str, Json]] = field(default_factory=asyncio.Queue[tuple[str, Json]])
    _seen: dict[tuple[str, str, str], _Seen] = field(
        default_factory=dict[tuple[str, str, str], _Seen]
    )

    def event(self, pod: Json, reason: str, message: str, *, warning: bool) -> None:
        meta = pod["metadata"]
        where = f"{meta['namespace']}/{meta['name']}"
        now = time.time()
        key = (meta["uid"], reason, message)
        seen = self._seen.get(key)
        if seen is not None:
            seen.count += 1
            if now - seen.sent < _QUIET:
                return
            seen.sent = now
        else:
            seen = self._seen[key] = _Seen(f"{meta['name'][:200]}.{time.time_ns():x}", now, now)
        log.log(logging.WARNING if warning else logging.INFO, "%s %s: %s", where, reason, message)
        body: Json = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": seen.name, "namespace": meta["namespace"]},
            "involvedObject": {
                "apiVersion": "v1",
                "kind": "Pod",
                "namespace": meta["namespace"],
                "name": meta["name"],
                "uid": meta["uid"],
            },
            "reason": reason,
            "message": message[:1024],
            "type": "Warning" if warning else "Normal",
            "source": {"component": "node-agent", "host": self.node},
            "firstTimestamp": timestamp(seen.first),
            "lastTimestamp": timestamp(now),
            "count": seen.count,
        }
        self._queue.put_nowait((f"/api/v1/namespaces/{meta['namespace']}/events", body))

    def forget(self, pod: Json) -> None:
        uid = pod["metadata"]["uid"]
        self._seen = {key: seen for key, seen in self._seen.items() if key[0] != uid}

    async def run(self) -> None:
        while True:
            path, body = await self._queue.get()
            try:
                await self.api.apply(f"{path}/{body['metadata']['name']}", body)
            except (ApiError, httpx.HTTPError) as error:
                log.info("event %s not recorded: %s", body["reason"], error)
