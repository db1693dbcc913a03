"""The agent's main loop: passes the API server's news about pods to the tasks that run them."""

import asyncio
import logging
import signal
import urllib.parse
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path

from testbed.linux import kernel
from testbed.node_agent import Json, node, report, sandbox
from testbed.node_agent.api import Api
from testbed.node_agent.events import Recorder
from testbed.node_agent.metrics import Meter
from testbed.node_agent.placement import Placement
from testbed.node_agent.pod import Node, Pod
from testbed.node_agent.server import Server
from testbed.node_agent.store import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Options:
    """The command's flags; see ``--help``."""

    kubeconfig: Path
    state: Path
    parts: Path
    bridge: str
    pod_cidr: str
    first_pod: int
    dns: str
    nodes: dict[str, str]
    address: str
    port: int
    serving_cert: Path
    serving_key: Path
    scheduled: bool


class Agent:
    """All pods of its nodes, by uid."""

    def __init__(self, shared: Node, placement: Placement, *, scheduled: bool) -> None:
        self._node = shared
        self._placement = placement
        self._scheduled = scheduled
        self.pods: dict[str, Pod] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def containers(self) -> dict[tuple[str, str], int]:
        """The process of each running container, for the meter."""
        found: dict[tuple[str, str], int] = {}
        for uid, pod in self.pods.items():
            for name, state in pod.states.items():
                if state.pid:
                    found[uid, name] = state.pid
        return found

    async def follow_pods(self) -> None:
        async for kind, item in self._node.api.follow("/api/v1/pods"):
            if kind != "SYNCED":
                self._heard(kind, item)

    def _heard(self, kind: str, item: Json) -> None:
        uid = item["metadata"]["uid"]
        known = self.pods.get(uid)
        if kind == "DELETED" or "deletionTimestamp" in item["metadata"]:
            self._placement.leave(item)
        if kind == "DELETED":
            if known is not None:
                known.gone()
        elif known is not None:
            known.update(item)
        elif node.wants_a_node(item):
            if not self._scheduled and (name := self._placement.choose(item)) is not None:
                self._spawn(node.bind(self._node.api, item, name))
        elif item["spec"].get("nodeName") in self._placement.nodes:
            self._begin(item)

    def _begin(self, item: Json) -> None:
        if "deletionTimestamp" in item["metadata"]:
            # None of its processes run here. At 0 the agent deleted it earlier, and a finalizer
            # keeps it.
            if item["metadata"].get("deletionGracePeriodSeconds") != 0:
                self._spawn(report.remove(self._node.api, item))
        elif item.get("status", {}).get("phase") not in ("Succeeded", "Failed"):
            pod = self.pods[item["metadata"]["uid"]] = Pod(self._node, item)
            self._spawn(self._run(pod))

    async def _run(self, pod: Pod) -> None:
        try:
            await pod.run()
        finally:
            del self.pods[pod.pod["metadata"]["uid"]]

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("a pod's task failed", exc_info=error)


async def run(options: Options) -> None:
    """Run the nodes until SIGTERM or SIGINT; every container is killed at the end."""
    kernel.adopt_orphans()
    main = asyncio.current_task()
    assert main is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, main.cancel)
    api = Api(options.kubeconfig)
    server = urllib.parse.urlsplit(api.server)
    address, port = options.address, options.port
    (options.state / "pods").mkdir(parents=True, exist_ok=True)
    labels = {name: node.labels(name, zone) for name, zone in options.nodes.items()}
    first = next(iter(labels))
    store, recorder = Store(api), Recorder(api, first)
    shared = Node(
        address=address,
        api=api,
        store=store,
        recorder=recorder,
        network=sandbox.Network(options.bridge, address, options.pod_cidr, options.first_pod),
        parts=options.parts,
        state=options.state,
        dns=options.dns,
        api_host=server.hostname or "",
        api_port=str(server.port or 443),
        cpu=node.cpu_cores(),
        memory=node.memory_bytes(),
    )
    agent = Agent(shared, Placement(labels), scheduled=options.scheduled)
    meter = Meter(agent.containers)
    served = Server(agent.pods, meter, first, labels[first])
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(recorder.run())
            for collection in Store.COLLECTIONS:
                group.create_task(store.run(collection))
            await store.ready()
            for name, its in labels.items():
                await node.register(api, name, its, address, port)
                group.create_task(node.heartbeat(api, name))
            group.create_task(agent.follow_pods())
            group.create_task(meter.run())
            group.create_task(served.run(address, port, options.serving_cert, options.serving_key))
            group.create_task(node.register_metrics(api, address, port))
            log.info("%s at %s: pods are taken", ", ".join(labels), address)
    finally:
        await sandbox.kill_all()
