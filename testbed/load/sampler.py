"""The resource use of each program in the sandbox during an experiment."""

import json
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from testbed.cluster.cluster import Cluster

_INSIDE = Path(__file__).with_name("processes.py")


Sample = dict[str, Any]
"""``{"at": Unix time, "cpu": {name: cores}, "mebibytes": {name: resident}}``.

A name is a pod's (``POD/CONTAINER`` for a container that does not give the pod its name), or that
of a program beside the pods; the sampler itself is ``processes``. CPU is since the previous sample,
without a process's last use before it ended. Shared pages count in each process's memory.
"""


def of_kind(values: Mapping[str, float], kind: str) -> list[float]:
    """The values of the pods whose names begin with ``kind``, main containers only."""
    return [v for name, v in values.items() if name.startswith(f"{kind}-") and "/" not in name]


def cores(samples: Sequence[Sample], kind: str) -> float:
    """The mean total use of all pods of a kind."""
    return sum(sum(of_kind(sample["cpu"], kind)) for sample in samples) / len(samples)


def answered(windows: Sequence[Mapping[str, Any]], samples: Sequence[Sample]) -> float:
    """Calls per second, from those of a client's one-second windows that began while it was
    sampled."""
    first, last = samples[0]["at"], samples[-1]["at"]
    within = [window["ok"] for window in windows if first <= window["at"] < last]
    return sum(within) / len(within)


class Sampler:
    """Samples every ``interval`` seconds in the background, within its context."""

    def __init__(self, cluster: Cluster, interval: float = 1.0) -> None:
        self.samples: list[Sample] = []
        pods = str(cluster.state / "node" / "pods")
        self._command = cluster.sandbox.command(
            sys.executable, "-IS", str(_INSIDE), pods, str(interval)
        )

    def __enter__(self) -> "Sampler":
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._reader.join()
        self._process.wait()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self.samples.append(json.loads(line))
