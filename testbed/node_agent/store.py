"""ConfigMaps and Secrets of the cluster, kept up to date, for volumes and environments."""

import asyncio

from testbed.node_agent import Json
from testbed.node_agent.api import Api


class Store:
    """The objects by (collection, namespace, name); ``changed`` wakes the tasks that wait for a
    change."""

    COLLECTIONS = ("configmaps", "secrets")

    def __init__(self, api: Api) -> None:
        self._api = api
        self._objects: dict[tuple[str, str, str], Json] = {}
        self._news = asyncio.Event()
        self._synced = {name: asyncio.Event() for name in self.COLLECTIONS}

    def get(self, collection: str, namespace: str, name: str) -> Json | None:
        return self._objects.get((collection, namespace, name))

    async def ready(self) -> None:
        for event in self._synced.values():
            await event.wait()

    async def changed(self) -> None:
        """Return at the next change of any object."""
        await self._news.wait()

    async def run(self, collection: str) -> None:
        async for kind, item in self._api.follow(f"/api/v1/{collection}"):
            if kind == "SYNCED":
                self._synced[collection].set()
                continue
            key = (collection, item["metadata"]["namespace"], item["metadata"]["name"])
            if kind == "DELETED":
                self._objects.pop(key, None)
            else:
                self._objects[key] = item
            # Wakes all current waiters; later ones wait for the next change.
            news, self._news = self._news, asyncio.Event()
            news.set()
