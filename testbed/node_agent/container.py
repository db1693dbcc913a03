"""One container of a pod: started, probed, restarted with back-off, stopped with grace."""

import asyncio
import json
import logging
import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from testbed.node_agent import Json, plan, probes, sandbox
from testbed.node_agent.env import ConfigError
from testbed.node_agent.launch import Command, Start
from testbed.node_agent.status import Ended, State

log = logging.getLogger(__name__)

FIRST_BACK_OFF, LONGEST_BACK_OFF = 10.0, 300.0  # seconds; the kubelet's
STEADY_AFTER = 600.0  # a container that ran this long restarts without back-off
LEAST_STOP = 2.0  # after SIGTERM, when a preStop hook has used up the grace period
_LOOK_AGAIN = 1.0  # between checks for a missing part, ConfigMap or Secret


class Owner(Protocol):
    """The pod's side of a container."""

    pod: Json
    address: str
    parts: Path
    node_lost: bool

    def prepare(self, container: Json, run: int) -> Start: ...
    def changed(self) -> None: ...
    def event(self, reason: str, message: str, *, warning: bool = True) -> None: ...


class Deadline:
    """When a pod must be gone; it may be moved earlier during a wait."""

    def __init__(self) -> None:
        self._at = float("inf")
        self._moved = asyncio.Event()

    def no_later_than(self, seconds: float) -> None:
        self._at = min(self._at, time.monotonic() + seconds)
        self._moved.set()

    def left(self) -> float:
        return max(0.0, self._at - time.monotonic())

    async def wait(self, *futures: asyncio.Future[Any], at_least: float = 0.0) -> bool:
        """Wait for the first of these; False if the deadline came first."""
        earliest = time.monotonic() + at_least
        while not any(future.done() for future in futures):
            self._moved.clear()
            left = max(self._at, earliest) - time.monotonic()
            if left <= 0:
                return False
            moved = asyncio.ensure_future(self._moved.wait())
            timeout = None if left == float("inf") else left
            await asyncio.wait(
                {*futures, moved}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED
            )
            moved.cancel()
        return True


@dataclass
class Container:
    """``restarts`` is Always, OnFailure or Never; ``spec`` the container of the manifest."""

    owner: Owner
    spec: Json
    restarts: str
    directory: Path
    state: State = field(default_factory=State)
    process: sandbox.Process | None = None
    up: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when it has started for the first time (startup probe passed)."""
    _plan: Start | None = None
    _back_off: float = 0.0

    @property
    def name(self) -> str:
        return str(self.spec["name"])

    async def run(self) -> int:
        """Run until it ends for good. Returns its last exit status. Cancelling leaves it
        running."""
        while True:
            await self._start()
            if self.process is not None:
                await self._supervise(self.process)
            ended = self.state.ended
            assert ended is not None
            if self.restarts == "Never" or (self.restarts == "OnFailure" and ended.code == 0):
                return ended.code
            await self._wait_before_restart(ended)
            self.state.restarts += 1

    async def stop(self, deadline: Deadline) -> None:
        """preStop, SIGTERM, and SIGKILL at the deadline; readiness is probed to the end."""
        process = self.process
        if process is None:
            return
        readiness = asyncio.ensure_future(self._follow_readiness())
        try:
            await self._stop(process, deadline)
        finally:
            readiness.cancel()
        self._note_end()

    async def _stop(self, process: sandbox.Process, deadline: Deadline) -> None:
        hook = self.spec.get("lifecycle", {}).get("preStop")
        if hook is not None and not process.exited.done():
            attempt = asyncio.ensure_future(self._attempt(hook))
            await deadline.wait(attempt, process.exited)
            attempt.cancel()
            await asyncio.wait({attempt})
            if not attempt.cancelled() and (failure := attempt.exception()):
                self.owner.event("FailedPreStopHook", f"{self.name}: {failure}")
        process.signal(signal.SIGTERM)
        if not await deadline.wait(process.exited, at_least=LEAST_STOP if hook else 0.0):
            process.signal(signal.SIGKILL)
            await process.exited

    async def _start(self) -> None:
        """Start the command once its inputs exist; sets ``process`` or ``state.ended``."""
        self.process = None
        while True:
            try:
                self._plan = self.owner.prepare(self.spec, self.state.restarts)
                break
            except plan.MissingPart as missing:
                await self._waiting("ErrImagePull", str(missing), "Failed")
            except ConfigError as error:
                await self._waiting("CreateContainerConfigError", str(error), "Failed")
            except OSError as error:  # a full disk
                await self._waiting("CreateContainerError", str(error), "Failed")
        before = time.time()
        try:
            self.process = await sandbox.start(self._plan)
        except sandbox.SandboxError as error:
            self.owner.event("Failed", f"{self.name}: {error}")
            self._set_ended(
                Ended(self.state.restarts, 128, "StartError", str(error), before, time.time())
            )
            return
        state = self.state
        state.phase, state.started_at, state.ended = "running", time.time(), None
        state.pid = self.process.pid
        # For `enter`.
        note = {"pid": self.process.pid, "command": self._plan["command"]}
        (self.directory / "running.json").write_text(json.dumps(note))
        self.owner.event("Started", f"Started container {self.name}", warning=False)
        if "startupProbe" not in self.spec and "postStart" not in self.spec.get("lifecycle", {}):
            self._note_started()
        self.owner.changed()

    async def _waiting(self, reason: str, message: str, event: str) -> None:
        state = self.state
        if (state.phase, state.reason, state.message) != ("waiting", reason, message):
            state.phase, state.reason, state.message = "waiting", reason, message
            self.owner.event(event, f"{self.name}: {message}")
            self.owner.changed()
        await asyncio.sleep(_LOOK_AGAIN)

    async def _supervise(self, process: sandbox.Process) -> None:
        """Run hooks and probes until the process ends, by itself or because of them."""
        watch = asyncio.ensure_future(self._watch())
        try:
            await asyncio.wait({watch, process.exited}, return_when=asyncio.FIRST_COMPLETED)
            if not process.exited.done():
                reason, grace = watch.result()
                self.owner.event("Killing", f"{self.name}: {reason}, will be restarted")
                deadline = Deadline()
                deadline.no_later_than(grace)
                await self.stop(deadline)
        finally:
            watch.cancel()
        self._note_end()

    async def _watch(self) -> tuple[str, float]:
        """Run the hooks and probes. Returns only when the container must be killed: the reason and
        the grace period."""
        grace = float(self.owner.pod["spec"].get("terminationGracePeriodSeconds", 30))
        hook = self.spec.get("lifecycle", {}).get("postStart")
        if hook is not None:
            try:
                await self._attempt(hook)
            except probes.ProbeFailed as failure:
                self.owner.event("FailedPostStartHook", f"{self.name}: {failure}")
                return "failed postStart hook", grace
        if "startupProbe" in self.spec:
            async for good, reason in self._verdicts("startupProbe"):
                if not good:
                    return self._unhealthy("startupProbe", reason, grace)
                break
        if not self.state.started:
            self._note_started()
            self.owner.changed()
        ready = asyncio.ensure_future(self._follow_readiness())
        try:
            if "livenessProbe" in self.spec:
                async for good, reason in self._verdicts("livenessProbe"):
                    if not good:
                        return self._unhealthy("livenessProbe", reason, grace)
            await ready
        finally:
            ready.cancel()
        raise AssertionError("probes never end by themselves")

    def _note_started(self) -> None:
        """Without a readiness probe, a started container is ready."""
        self.state.started, self.state.ready = True, "readinessProbe" not in self.spec
        self.up.set()

    async def _follow_readiness(self) -> None:
        if "readinessProbe" not in self.spec or not self.state.started:
            await asyncio.get_running_loop().create_future()
        async for good, reason in self._verdicts("readinessProbe"):
            if not good:
                self.owner.event("Unhealthy", f"Readiness probe of {self.name} failed: {reason}")
            if good != self.state.ready:
                self.state.ready = good
                self.owner.changed()

    def _verdicts(self, kind: str) -> probes.Verdicts:
        return probes.verdicts(self.spec[kind], lambda: self._probe(self.spec[kind]))

    async def _probe(self, probe: Json) -> None:
        if not self.owner.node_lost:
            await self._attempt(probe)

    def _unhealthy(self, kind: str, reason: str, grace: float) -> tuple[str, float]:
        self.owner.event("Unhealthy", f"{kind} of {self.name} failed: {reason}")
        own = self.spec[kind].get("terminationGracePeriodSeconds")
        return f"failed {kind}", grace if own is None else float(own)

    async def _attempt(self, handler: Json) -> None:
        await probes.attempt(handler, self.spec, self.owner.address, self._run_inside)

    async def _run_inside(self, words: list[str]) -> tuple[int, str]:
        assert self.process is not None
        assert self._plan is not None
        first = plan.executable(words[0], self.spec["image"], self.owner.parts)
        command: Command = {**self._plan["command"], "argv": [first, *words[1:]]}
        return await sandbox.run_inside(self.process, command)

    def _note_end(self) -> None:
        if self.process is None or self.state.phase == "terminated":
            return
        code = self.process.exited.result()
        self._set_ended(
            Ended(
                self.state.restarts,
                code,
                "Completed" if code == 0 else "Error",
                self._termination_message(code),
                self.state.started_at,
                time.time(),
            )
        )

    def _set_ended(self, ended: Ended) -> None:
        state = self.state
        state.phase, state.ended, state.ready, state.started = "terminated", ended, False, False
        state.pid = 0
        (self.directory / "running.json").unlink(missing_ok=True)
        self.owner.changed()

    def _termination_message(self, code: int) -> str:
        text = _tail(self.directory / "termination-log", 4096)
        policy = self.spec.get("terminationMessagePolicy")
        if not text and code and policy == "FallbackToLogsOnError":
            lines = _tail(self.directory / f"{self.state.restarts}.log", 2048).splitlines(
                keepends=True
            )
            text = "".join(lines[-80:])
        return text

    async def _wait_before_restart(self, ended: Ended) -> None:
        state = self.state
        if ended.finished - ended.started >= STEADY_AFTER:
            self._back_off = 0.0
        state.previous, wait = ended, self._back_off
        self._back_off = min(max(self._back_off * 2, FIRST_BACK_OFF), LONGEST_BACK_OFF)
        if wait:
            message = f"back-off {wait:.0f}s restarting failed container={self.name}"
            state.phase, state.reason, state.message = "waiting", "CrashLoopBackOff", message
            self.owner.event("BackOff", message)
            self.owner.changed()
            await asyncio.sleep(wait)


def _tail(path: Path, size: int) -> str:
    """The end of a file; empty if it cannot be read."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - size))
            return file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
