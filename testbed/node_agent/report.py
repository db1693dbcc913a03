"""Reports one pod to the API server: its status when it changes, and its end."""

import asyncio
import logging
from collections.abc import Callable

import httpx

from testbed.node_agent import Json
from testbed.node_agent.api import STRATEGIC, Api, ApiError

log = logging.getLogger(__name__)

_PAUSE = 0.1  # seconds in which changes are gathered into one update
_LOOK_AGAIN = 1.0


def path_of(pod: Json) -> str:
    meta = pod["metadata"]
    return f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"


class Report:
    """Sends the result of ``status``, unless it equals the last one sent."""

    def __init__(self, api: Api, pod: Json, status: Callable[[], Json]) -> None:
        self._api = api
        self._path = path_of(pod)
        self._uid: str = pod["metadata"]["uid"]
        self._status = status
        self._sent: Json = {}
        self.due = asyncio.Event()

    async def run(self) -> None:
        while True:
            await self.due.wait()
            self.due.clear()
            try:
                await self.send()
            except (ApiError, httpx.HTTPError) as error:
                if not isinstance(error, ApiError) or error.status not in (404, 409):
                    log.warning("%s: status not sent: %r", self._path, error)
                    self.due.set()
                    await asyncio.sleep(_LOOK_AGAIN)
            await asyncio.sleep(_PAUSE)

    async def send(self) -> None:
        wanted = self._status()
        if wanted != self._sent:
            # With the uid, the API server refuses the patch for a later pod of the same name.
            body = {"metadata": {"uid": self._uid}, "status": wanted}
            await self._api.call("PATCH", f"{self._path}/status", body, STRATEGIC)
            self._sent = wanted


async def remove(api: Api, pod: Json) -> None:
    """Tell the API server that no process of a deleted pod runs any more."""
    body: Json = {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "gracePeriodSeconds": 0,
        "preconditions": {"uid": pod["metadata"]["uid"]},
    }
    while True:
        try:
            await api.call("DELETE", path_of(pod), body)
        except (ApiError, httpx.HTTPError) as error:
            if isinstance(error, ApiError) and error.status in (404, 409):
                return
            log.warning("%s: not deleted: %r", path_of(pod), error)
            await asyncio.sleep(_LOOK_AGAIN)
        else:
            return
