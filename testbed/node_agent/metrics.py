"""The resource use of pods, measured per process and served as metrics.k8s.io."""

import asyncio
import re
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from testbed.node_agent import Json
from testbed.node_agent.status import timestamp

GROUP = "/apis/metrics.k8s.io/v1beta1"

_PAUSE = 5.0  # seconds between samples
_KEPT = 4  # samples: usage is a mean over 15 s, the resolution of metrics-server
_SELECTOR = re.compile(
    r"\s*(!)?\s*([\w./-]+)\s*(?:(==|=|!=)\s*([\w.-]*)|\s(in|notin)\s*\(([^)]*)\))?\s*(?:,|$)"
)

Containers = Callable[[], Mapping[tuple[str, str], int]]
"""The running containers: (pod uid, container) -> process id."""


@dataclass(frozen=True)
class Usage:
    """CPU in seconds since the process began, memory in bytes (resident)."""

    cpu: float
    memory: int


@dataclass
class Meter:
    """Samples of every container, and of all processes in the agent's pid namespace (the node)."""

    containers: Containers
    _samples: deque[tuple[float, dict[tuple[str, str, int], Usage]]] = field(
        default_factory=lambda: deque[tuple[float, dict[tuple[str, str, int], Usage]]](maxlen=_KEPT)
    )

    async def run(self) -> None:
        while True:
            self._samples.append((time.time(), _sample(self.containers())))
            await asyncio.sleep(_PAUSE)

    def usage(self, pod: str, container: str) -> tuple[float, int] | None:
        """Cores (mean over the window) and bytes; None until there are two samples."""
        newest = [key for key in self._last() if key[:2] == (pod, container)]
        seen = (
            [(at, sample[newest[0]]) for at, sample in self._samples if newest[0] in sample]
            if newest
            else []
        )
        if len(seen) < 2:
            return None
        (first_at, first), (last_at, last) = seen[0], seen[-1]
        return max(0.0, last.cpu - first.cpu) / (last_at - first_at), last.memory

    @property
    def at(self) -> float:
        return self._samples[-1][0] if self._samples else 0.0

    @property
    def window(self) -> str:
        return f"{round(self.at - self._samples[0][0]) if self._samples else 0}s"

    def _last(self) -> dict[tuple[str, str, int], Usage]:
        return self._samples[-1][1] if self._samples else {}


NODE = ("", "")
"""The key of the whole node among the containers of a Meter."""


def _sample(containers: Mapping[tuple[str, str], int]) -> dict[tuple[str, str, int], Usage]:
    """Add up the processes of each container, known by their pid namespace."""
    spaces: dict[int, tuple[str, str, int]] = {}
    for (pod, name), pid in containers.items():
        try:
            spaces[Path(f"/proc/{pid}/ns/pid").stat().st_ino] = (pod, name, pid)
        except OSError:
            continue
    totals: dict[tuple[str, str, int], Usage] = {}
    for process in psutil.process_iter():
        try:
            # CPU of the process and of its reaped children.
            cpu, memory = sum(process.cpu_times()[:4]), process.memory_info().rss
            space = Path(f"/proc/{process.pid}/ns/pid").stat().st_ino
        except (psutil.Error, OSError):
            continue  # it ended meanwhile
        for key in (spaces.get(space), (*NODE, 0)):
            if key is not None:
                before = totals.get(key, Usage(0.0, 0))
                totals[key] = Usage(before.cpu + cpu, before.memory + memory)
    return totals


def resources() -> Json:
    """The group's discovery document."""
    kinds = (("nodes", "NodeMetrics", False), ("pods", "PodMetrics", True))
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": "metrics.k8s.io/v1beta1",
        "resources": [
            {
                "name": name,
                "singularName": "",
                "namespaced": namespaced,
                "kind": kind,
                "verbs": ["get", "list"],
            }
            for name, kind, namespaced in kinds
        ],
    }


def pod_metrics(meter: Meter, pod: Json) -> Json | None:
    """One PodMetrics; None until every container has been measured for long enough."""
    measured: list[Json] = []
    for container in pod["spec"]["containers"]:
        usage = meter.usage(pod["metadata"]["uid"], container["name"])
        if usage is None:
            return None
        measured.append({"name": container["name"], "usage": _amounts(*usage)})
    meta = {key: pod["metadata"].get(key) for key in ("name", "namespace", "labels")}
    return {**_head("PodMetrics", meter), "metadata": meta, "containers": measured}


def node_metrics(meter: Meter, name: str, labels: dict[str, str]) -> Json | None:
    usage = meter.usage(*NODE)
    if usage is None:
        return None
    meta = {"name": name, "labels": labels}
    return {**_head("NodeMetrics", meter), "metadata": meta, "usage": _amounts(*usage)}


def list_of(kind: str, items: list[Json]) -> Json:
    return {
        "kind": f"{kind}List",
        "apiVersion": "metrics.k8s.io/v1beta1",
        "metadata": {},
        "items": items,
    }


def selects(selector: str, labels: Mapping[str, str]) -> bool:
    """Whether a label selector, in the form of a URL query, selects these labels."""
    for match in _SELECTOR.finditer(selector):
        absent, key, sign, value, word, values = match.groups()
        if key is None:
            continue
        has = labels.get(key)
        if sign in ("=", "=="):
            good = has == value
        elif sign == "!=":
            good = has != value
        elif word:
            among = has in [one.strip() for one in values.split(",")]
            good = among if word == "in" else not among
        else:
            good = (has is None) if absent else (has is not None)
        if not good:
            return False
    return True


def _head(kind: str, meter: Meter) -> Json:
    return {
        "kind": kind,
        "apiVersion": "metrics.k8s.io/v1beta1",
        "timestamp": timestamp(meter.at),
        "window": meter.window,
    }


def _amounts(cores: float, memory: int) -> Json:
    return {"cpu": f"{round(cores * 1e9)}n", "memory": f"{memory // 1024}Ki"}
