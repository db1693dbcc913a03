"""One pod from its binding to its deletion."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from testbed.node_agent import Json, fields, plan, sandbox, status
from testbed.node_agent.api import Api, ApiError
from testbed.node_agent.container import Container, Deadline
from testbed.node_agent.env import ConfigError, Surroundings, environment
from testbed.node_agent.events import Recorder
from testbed.node_agent.launch import Start
from testbed.node_agent.report import Report, remove
from testbed.node_agent.status import State
from testbed.node_agent.store import Store
from testbed.node_agent.volumes import Volumes

log = logging.getLogger(__name__)

CLUSTER_DOMAIN = "cluster.local"
_NODE_LOST = "testbed/node-lost"
"""The annotation of a pod whose node is lost: as if its kubelet were gone, nothing about it is
reported, it is not probed, and its deletion ends no process until the object itself is gone."""
_FORCED_GRACE = 1.0  # seconds that a force-deleted pod's processes still get
_LOOK_AGAIN = 1.0


@dataclass(frozen=True)
class Node:
    """The state that all pods of the agent's nodes share."""

    address: str
    api: Api
    store: Store
    recorder: Recorder
    network: sandbox.Network
    parts: Path
    state: Path
    dns: str
    api_host: str
    api_port: str
    cpu: float  # cores
    memory: int  # bytes


class Pod:
    """Runs one pod; ``update`` and ``gone`` pass on the API server's news about it."""

    def __init__(self, node: Node, pod: Json) -> None:
        self.node = node
        self.pod = pod
        self.parts = node.parts
        self.address = ""
        meta, spec = pod["metadata"], pod["spec"]
        name = f"{meta['namespace']}_{meta['name']}"
        self._directory = node.state / "pods" / f"{name}_{meta['uid']}"
        self._latest = node.state / "pods" / name
        restarts = spec.get("restartPolicy", "Always")
        once = "Never" if restarts == "Never" else "OnFailure"
        self._inits = [
            self._container(one, "Always" if status.is_sidecar(one) else once)
            for one in spec.get("initContainers", [])
        ]
        self._mains = [self._container(one, restarts) for one in spec["containers"]]
        self.states: dict[str, State] = {one.name: one.state for one in self._inits + self._mains}
        self._volumes = Volumes(self._request_token, self._lookup, self._directory / "volumes")
        self._sandbox: sandbox.PodSandbox | None = None
        self._initialized = not self._inits
        self._failed: tuple[str, str] | None = None
        self._started_at = time.time()
        self._report = Report(node.api, pod, self._status)
        self._news = asyncio.Event()
        self._deleting = asyncio.Event()
        self._deadline = Deadline()
        self._gone = False
        self.node_lost = False

    def update(self, pod: Json) -> None:
        """Take a newer version of the object."""
        self.node_lost = _NODE_LOST in pod["metadata"].get("annotations", {})
        if self.node_lost:
            return
        news = pod["metadata"].get("labels") != self.pod["metadata"].get("labels") or pod[
            "metadata"
        ].get("annotations") != self.pod["metadata"].get("annotations")
        self.pod = pod
        if news:
            self._news.set()
        if "deletionTimestamp" in pod["metadata"]:
            self._deadline.no_later_than(pod["metadata"].get("deletionGracePeriodSeconds", 30))
            self._deleting.set()
        self.changed()  # someone may have set a readiness gate

    def gone(self) -> None:
        """The object no longer exists: deleted by force, or finished."""
        self._gone = True
        self._deadline.no_later_than(_FORCED_GRACE)
        self._deleting.set()

    def changed(self) -> None:
        if not self.node_lost:
            self._report.due.set()

    def event(self, reason: str, message: str, *, warning: bool = True) -> None:
        if not self.node_lost:
            self.node.recorder.event(self.pod, reason, message, warning=warning)

    async def run(self) -> None:
        """Run until the object is gone from the API server."""
        self._directory.mkdir(parents=True, exist_ok=True)
        self._latest.unlink(missing_ok=True)
        self._latest.symlink_to(self._directory.name)
        ignored = fields.not_honoured(self.pod)
        if ignored:
            self.event("NotHonoured", f"not honoured by the local node: {'; '.join(ignored)}")
        reporting = asyncio.ensure_future(self._report.run())
        self.changed()
        try:
            await self._run_until_ended()
            await self._stop()
            if self._sandbox is not None:
                self._sandbox.close()
            self._volumes.remove()
            self.changed()
            await self._deleting.wait()
        finally:
            reporting.cancel()
        if not self._gone:
            with contextlib.suppress(ApiError, httpx.HTTPError):
                await self._report.send()  # how its containers ended
            await remove(self.node.api, self.pod)
        self.node.recorder.forget(self.pod)

    async def _run_until_ended(self) -> None:
        """Run until all containers completed, the pod's own deadline, or its deletion."""
        live = asyncio.ensure_future(self._live())
        deleting = asyncio.ensure_future(self._deleting.wait())
        try:
            done, _ = await asyncio.wait(
                {live, deleting},
                timeout=self.pod["spec"].get("activeDeadlineSeconds"),
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            live.cancel()
            deleting.cancel()
            await asyncio.wait({live})
        if not done:
            self._failed = ("DeadlineExceeded", "Pod was active longer than its deadline")
        elif not live.cancelled() and (error := live.exception()):
            log.error("%s", self._directory.name, exc_info=error)
            # Not a failed pod: its controller would create new ones endlessly.
            self.event("AgentError", f"the node agent failed with this pod: {error!r}")
        if not self._deleting.is_set():
            self._deadline.no_later_than(self.pod["spec"].get("terminationGracePeriodSeconds", 30))

    async def _live(self) -> None:
        await self._keep_trying(self._make_sandbox)
        await self._keep_trying(self._prepare_volumes)
        background: list[asyncio.Future[Any]] = [asyncio.ensure_future(self._refresh_volumes())]
        try:
            for init in self._inits:
                if status.is_sidecar(init.spec):
                    background.append(asyncio.ensure_future(init.run()))
                    await init.up.wait()
                elif await init.run():
                    return
            self._initialized = True
            self.changed()
            async with asyncio.TaskGroup() as group:
                for main in self._mains:
                    group.create_task(main.run())
        finally:
            for task in background:
                task.cancel()

    async def _stop(self) -> None:
        """Stop the main containers together, then sidecars from the last to the first."""
        if self._deleting.is_set() and any(one.process for one in self._mains):
            self.event("Killing", "Stopping the pod's containers", warning=False)
        running = [one for one in self._inits if not status.is_sidecar(one.spec)] + self._mains
        await asyncio.gather(*(one.stop(self._deadline) for one in running))
        for sidecar in reversed([one for one in self._inits if status.is_sidecar(one.spec)]):
            await sidecar.stop(self._deadline)

    async def _make_sandbox(self) -> None:
        context = self.pod["spec"].get("securityContext", {})
        sysctls = {one["name"]: one["value"] for one in context.get("sysctls", [])}
        self._sandbox = await sandbox.make_pod(self.node.network, plan.host_name(self.pod), sysctls)
        self.address = self._sandbox.address

    async def _prepare_volumes(self) -> None:
        await self._volumes.prepare(self.pod, self._around())

    async def _keep_trying(self, step: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                return await step()
            except sandbox.SandboxError as error:
                self.event("FailedCreatePodSandBox", str(error))
            except (ConfigError, ApiError, httpx.HTTPError, OSError) as error:
                self.event("FailedMount", str(error) or repr(error))
            await asyncio.sleep(_LOOK_AGAIN)

    async def _refresh_volumes(self) -> None:
        """Rewrite volumes when an object or the pod's own metadata changes, or a token must be
        renewed."""
        while True:
            waits = {
                asyncio.ensure_future(self.node.store.changed()),
                asyncio.ensure_future(self._news.wait()),
            }
            try:
                first = asyncio.FIRST_COMPLETED
                done, _ = await asyncio.wait(waits, timeout=10, return_when=first)
            finally:
                for task in waits:
                    task.cancel()
            self._news.clear()
            if done or self._volumes.token_due():
                try:
                    await self._volumes.refresh(self.pod, self._around())
                except (ApiError, httpx.HTTPError, OSError) as error:
                    self.event("FailedMount", f"volumes not refreshed: {error}")

    def prepare(self, container: Json, run: int) -> Start:
        """The launcher's plan for a run of a container; raises MissingPart or ConfigError."""
        assert self._sandbox is not None
        env = environment(self.pod, container, self._lookup, self._around())
        words = plan.argv(container, env, self.parts)
        command = plan.command(self.pod, container, env, words)
        directory = self._directory / container["name"]
        directory.mkdir(exist_ok=True)
        message = directory / "termination-log"
        message.write_text("")
        message.chmod(0o666)
        scratch = self.node.state / "scratch"
        scratch.mkdir(exist_ok=True)
        return {
            "namespaces": list(self._sandbox.namespaces),
            "root": {
                "scratch": str(scratch),
                "binds": plan.own_binds(self.parts)
                + plan.volume_binds(self.pod, container, env, self._directory / "volumes", message),
                "files": plan.etc_files(
                    self.pod, command["credentials"], self.address, self.node.dns, CLUSTER_DOMAIN
                ),
                "read_only": bool(
                    container.get("securityContext", {}).get("readOnlyRootFilesystem")
                ),
            },
            "log": str(self.log_file(container["name"], run)),
            "command": command,
        }

    def log_file(self, container: str, run: int) -> Path:
        """Where a run of a container writes its output."""
        return self._directory / container / f"{run}.log"

    def _container(self, spec: Json, restarts: str) -> Container:
        return Container(self, spec, restarts, self._directory / spec["name"])

    def _lookup(self, collection: str, name: str) -> Json | None:
        return self.node.store.get(collection, self.pod["metadata"]["namespace"], name)

    async def _request_token(self, spec: Json) -> Json:
        meta = self.pod["metadata"]
        account = self.pod["spec"].get("serviceAccountName", "default")
        path = f"/api/v1/namespaces/{meta['namespace']}/serviceaccounts/{account}/token"
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        answer = await self.node.api.call("POST", path, body)
        return answer["status"]

    def _around(self) -> Surroundings:
        node = self.node
        return Surroundings(
            self.address, node.address, node.api_host, node.api_port, node.cpu, node.memory
        )

    def _status(self) -> Json:
        progress = status.Progress(
            self._started_at,
            self.node.address,
            self.address,
            self._initialized,
            self.states,
            self._failed,
        )
        return status.compute(self.pod, progress, time.time())
