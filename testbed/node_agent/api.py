"""The Kubernetes API as the agent uses it: JSON over HTTPS with a client certificate."""

import asyncio
import base64
import json
import logging
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import yaml

from testbed.node_agent import Json

log = logging.getLogger(__name__)

STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"


class ApiError(Exception):
    """An answer other than 2xx; ``status`` is its HTTP status, the text is the server's message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class Api:
    """One API server at ``server``, with the kubeconfig's client certificate."""

    def __init__(self, kubeconfig: Path) -> None:
        document: Json = yaml.safe_load(kubeconfig.read_text())
        cluster, user = document["clusters"][0]["cluster"], document["users"][0]["user"]
        self.server: str = cluster["server"]
        here = kubeconfig.parent
        authority = _material(cluster, "certificate-authority", here)
        context = ssl.create_default_context(cadata=authority.decode())
        # The ssl module loads a key from files only.
        pair = here / f".{kubeconfig.name}.pem"
        pair.touch(mode=0o600)
        certificate = _material(user, "client-certificate", here)
        pair.write_bytes(certificate + b"\n" + _material(user, "client-key", here))
        context.load_cert_chain(pair)
        pair.unlink()
        self._client = httpx.AsyncClient(
            base_url=self.server,
            verify=context,
            trust_env=False,
            timeout=httpx.Timeout(15),
            limits=httpx.Limits(max_connections=64, max_keepalive_connections=8),
        )

    async def call(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        kind: str = "application/json",
        **query: str,
    ) -> Json:
        """One request. Raises ApiError for an answer other than 2xx, httpx.HTTPError if there is
        none."""
        content = None if body is None else json.dumps(body)
        answer = await self._client.request(
            method, path, params=query, content=content, headers={"Content-Type": kind}
        )
        if answer.is_error:
            raise ApiError(answer.status_code, _message(answer))
        return answer.json()

    async def get(self, path: str) -> Json:
        return await self.call("GET", path)

    async def apply(self, path: str, body: Json) -> Json:
        """Server-side apply; the agent owns the fields it names."""
        return await self.call("PATCH", path, body, APPLY, fieldManager="node-agent", force="true")

    async def follow(self, path: str) -> AsyncIterator[tuple[str, Json]]:
        """Every object of a collection and every change to it, endlessly.

        Yields ("ADDED" | "MODIFIED" | "DELETED", object), and ("SYNCED", {}) after each listing.
        After a lost watch it lists again, and yields objects that are gone as DELETED.
        """
        known: dict[str, Json] = {}
        while True:
            try:
                listing = await self.get(path)
                present = {item["metadata"]["uid"]: item for item in listing["items"]}
                for uid in known.keys() - present.keys():
                    yield "DELETED", known.pop(uid)
                for uid, item in present.items():
                    known[uid] = item
                    yield "ADDED", item
                yield "SYNCED", {}
                async for kind, item in self._watch(path, listing["metadata"]["resourceVersion"]):
                    if kind == "DELETED":
                        known.pop(item["metadata"]["uid"], None)
                    else:
                        known[item["metadata"]["uid"]] = item
                    yield kind, item
            except (ApiError, httpx.HTTPError, ValueError) as error:
                log.warning("watch of %s lost, listing again: %r", path, error)
                await asyncio.sleep(0.5)

    async def _watch(self, path: str, version: str) -> AsyncIterator[tuple[str, Json]]:
        query = {"watch": "1", "allowWatchBookmarks": "true", "timeoutSeconds": "600"}
        timeout = httpx.Timeout(15, read=630)
        while True:
            query["resourceVersion"] = version
            async with self._client.stream("GET", path, params=query, timeout=timeout) as answer:
                if answer.is_error:
                    await answer.aread()
                    raise ApiError(answer.status_code, _message(answer))
                async for line in answer.aiter_lines():
                    event: Json = json.loads(line)
                    item: Json = event["object"]
                    if event["type"] == "ERROR":
                        raise ApiError(item.get("code", 500), item.get("message", ""))
                    version = item["metadata"]["resourceVersion"]
                    if event["type"] != "BOOKMARK":
                        yield event["type"], item


def _material(section: Json, name: str, here: Path) -> bytes:
    """A certificate or key of a kubeconfig, given inline or as a file beside it."""
    if f"{name}-data" in section:
        return base64.b64decode(section[f"{name}-data"])
    return (here / section[name]).read_bytes()


def _message(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["message"])
    except (ValueError, KeyError, TypeError):
        return answer.text[:500]
