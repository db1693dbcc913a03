"""What guards a run: one at a time, signals that end it in order, a full disk named as such."""

import contextlib
import os
import shutil
import signal
from collections.abc import Generator
from pathlib import Path
from types import FrameType

from testbed.cluster.build import FULL_DISK, NO_SPACE, take_lock
from testbed.cluster.errors import LocalError

_FULL = 4 * 1024**2
"""Bytes free below which nothing here works: etcd alone answers errors of all kinds then."""


@contextlib.contextmanager
def one_at_a_time(output: Path) -> Generator[None]:
    """Hold the lock of ``output``; LocalError names the process that has it."""
    with (output / "lock").open("a+") as lock:
        if not take_lock(lock):
            lock.seek(0)
            raise LocalError(
                f"another local cluster is being run from here, by process {lock.read().strip()}",
                advice="wait for it, or end it with Ctrl-C there",
            )
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


@contextlib.contextmanager
def ends_in_order() -> Generator[None]:
    """Turn the signals that end a process into exceptions, so that the tear-down runs."""

    def end(number: int, _: FrameType | None) -> None:
        # The tear-down takes a moment; a second signal must not cut it short.
        for name in signals:
            signal.signal(name, signal.SIG_IGN)
        raise SystemExit(128 + number)

    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {name: signal.signal(name, end) for name in signals}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


@contextlib.contextmanager
def telling_of_a_full_disk(state: Path) -> Generator[None]:
    """Name a full disk as the cause of whatever went wrong on it."""
    advice = f"free some space for {state.parent} and run it again"
    try:
        yield
    except OSError as error:
        if error.errno not in NO_SPACE:
            raise
        raise LocalError(f"the disk is full ({error.filename or error})", advice=advice) from None
    except LocalError as error:
        told = error.log.read_text("utf-8", "replace") if error.log and error.log.exists() else ""
        full = state.exists() and shutil.disk_usage(state).free < _FULL
        if not full and not FULL_DISK.search(told):
            raise
        raise LocalError(f"the disk is full: {error.cause}", advice=advice, log=error.log) from None
