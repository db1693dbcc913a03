"""Whether the machine was quiet: what programs other than the experiment's own used of it."""

import contextlib
import os
import threading
import time
from pathlib import Path

import psutil

BUSY = 0.2
"""Cores of other programs, from which on a result is marked."""
_BEFORE, _INTERVAL = 2.0, 5.0  # seconds
_HERTZ = os.sysconf("SC_CLK_TCK")


class _Others:
    """Cores that programs other than this one and its children use."""

    def __init__(self) -> None:
        self._last = self._read()

    def since_last(self) -> float:
        """The mean since the time before."""
        machine, own, at = self._read()
        last_machine, last_own, last_at = self._last
        self._last = machine, own, at
        # A process that ends between the two readings takes its time with it.
        return max(0.0, machine - last_machine - (own - last_own)) / (at - last_at)

    def _read(self) -> tuple[float, float, float]:
        return _machine(), own_seconds(), time.monotonic()


class Watch:
    """Notes what others use, before and within its context."""

    def __init__(self) -> None:
        self._found: list[float] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Watch":
        others = _Others()
        time.sleep(_BEFORE)
        self._before = others.since_last()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def told(self) -> dict[str, float]:
        """Cores of others: before the experiment, and in the mean of it."""
        mean = sum(self._found) / len(self._found) if self._found else self._before
        return {"before": round(self._before, 2), "mean": round(mean, 2)}

    def _watch(self) -> None:
        others = _Others()
        while not self._ended.wait(_INTERVAL):
            self._found.append(others.since_last())


def busy(told: dict[str, float]) -> bool:
    """Whether others may have changed the figures."""
    return max(told.values(), default=0.0) >= BUSY


def mark(told: dict[str, float]) -> str:
    """What a reader is told of a busy machine."""
    return (
        f"the machine was busy: other programs used {told['before']:g} cores before and "
        f"{told['mean']:g} meanwhile, so the times count for little"
    )


def _machine() -> float:
    """CPU seconds of all programs, and those that a hypervisor gave to others."""
    head = Path("/proc/stat").read_text().splitlines()[0].split()
    user, nice, system, _idle, _iowait, _irq, _softirq, steal = map(int, head[1:9])
    # Without the kernel's own work on packets, which counts with no process.
    return (user + nice + system + steal) / _HERTZ


def own_seconds() -> float:
    """CPU seconds of this process and all that it started, those that have ended included."""
    me = psutil.Process()
    total = 0.0
    for process in (me, *me.children(recursive=True)):
        with contextlib.suppress(psutil.Error):
            total += sum(process.cpu_times()[:4])
    return total
