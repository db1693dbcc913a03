"""Example clients in pods of the local cluster."""

import json
import shlex
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed.clients import languages
from testbed.cluster import apps
from testbed.cluster.cluster import Cluster
from testbed.cluster.errors import LocalError
from testbed.disruptions.pods import process

_NAMESPACE = "default"
_CONNECTIONS = Path(__file__).with_name("connections.py")


@dataclass(frozen=True)
class Call:
    """A line of a client's output: a call, or a stream, that has ended."""

    at: float
    """Unix time at which it was sent."""
    ms: float
    code: str
    envoy: str
    """The address of the Envoy that carried it; empty if it failed."""
    message: str
    ticks: int = 0
    """The messages of a stream."""

    @property
    def end(self) -> float:
        """Unix time at which it ended."""
        return self.at + self.ms / 1000


def install(cluster: Cluster, names: Iterable[str]) -> None:
    """Let pods run these built clients."""
    parts = cluster.state / "parts"
    cluster.link("examples", languages.FOLDER.parent)
    for folder in Path("/etc").glob("java-*-openjdk"):  # Debian's JDK has its configuration there
        cluster.link(folder.name, folder)
    for name in names:
        script = parts / f"client-{name}"
        script.write_text(f'#!/bin/sh\nexec {shlex.join(languages.execute(name))} "$@"\n')
        script.chmod(0o755)


@dataclass(frozen=True, kw_only=True)
class Stopped:
    """What clients did, by name."""

    at: float
    """Unix time at which they were told to stop."""
    calls: dict[str, list[Call]]
    opened: dict[str, int]
    """How many connections each opened since all of them called."""
    waiting: set[str]
    """Those that still waited for an answer 20 s later: a call without a deadline may do so for
    many minutes."""


@dataclass
class Clients:
    """Clients that run side by side, each in a pod of its own."""

    cluster: Cluster
    port: int
    """The Envoys' port, to which connections are counted."""

    def __post_init__(self) -> None:
        self._pods: dict[str, str] = {}
        self._counter: subprocess.Popen[str] | None = None

    def start(self, name: str, language: str, contract: Any, arguments: Sequence[str]) -> None:
        """Start a client of this language in a pod called ``name``."""
        file = f"{name}.json"
        (self.cluster.state / "parts" / file).write_text(json.dumps(contract))
        program = f"client-{language}"
        apps.start_client(self.cluster, name, (f"/parts/{file}", *arguments), (program,))
        self._pods[name] = program

    def wait_until_calling(self) -> None:
        """Wait until a call of each has ended, then count connections."""
        for name in self._pods:
            self.cluster.wait(
                f"{name} to call",
                lambda name=name: self._calls_or_ends(name),
                timeout=_FIRST,
            )
        pids = [
            f"{name}={process(self.cluster, _NAMESPACE, name, apps.CLIENT)}" for name in self._pods
        ]
        self._counter = subprocess.Popen(
            self.cluster.sandbox.command(
                sys.executable, "-IS", str(_CONNECTIONS), str(self.port), *pids
            ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def calls(self, name: str) -> list[Call]:
        """What a client has said so far."""
        log = self.cluster.pod_log(_NAMESPACE, name, apps.CLIENT)
        lines = log.read_text(errors="replace").splitlines() if log else []
        # The log holds its standard error too, and perhaps a line that is not complete.
        whole = (line for line in lines if line.startswith("{") and line.endswith("}"))
        return [_call(json.loads(line)) for line in whole]

    def stop(self) -> Stopped:
        """Stop all. Raises LocalError when one has ended with another status than 0."""
        opened: dict[str, int] = {}
        if self._counter:
            opened = json.loads(self._counter.communicate("\n", timeout=60)[0])
        at = time.time()
        for name in self._pods:
            apps.stop_client(self.cluster, name)
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until and not all(self._phase(n) in _ENDED for n in self._pods):
            self.cluster.check()
            time.sleep(0.5)
        phases = {name: self._phase(name) for name in self._pods}
        for name, phase in phases.items():
            if phase == "Failed":
                raise self._failure(name)
        return Stopped(
            at=at,
            calls={name: self.calls(name) for name in self._pods},
            opened=opened,
            waiting={name for name, phase in phases.items() if phase not in _ENDED},
        )

    def remove(self) -> None:
        """Delete the pods, whether or not they have ended."""
        if self._counter and self._counter.poll() is None:
            self._counter.kill()
        if self._pods:
            gone = ("--ignore-not-found", "--grace-period=0", "--force")
            self.cluster.kubectl("delete", "pod", "-n", _NAMESPACE, *self._pods, *gone)

    def _calls_or_ends(self, name: str) -> bool:
        if self._phase(name) in _ENDED:
            raise self._failure(name)
        return bool(self.calls(name))

    def _failure(self, name: str) -> LocalError:
        log = self.cluster.pod_log(_NAMESPACE, name, apps.CLIENT)
        return LocalError(f"{name} failed", log=log)

    def _phase(self, name: str) -> str:
        return self.cluster.get("pod", "-n", _NAMESPACE, name)["status"].get("phase", "")


_ENDED = ("Succeeded", "Failed")
_FIRST = 180.0  # seconds: a stream, which may outlast two connections, is told when it has ended
_PATIENCE = 20.0  # seconds, longer than the contract's deadline


def _call(line: Mapping[str, Any]) -> Call:
    return Call(
        at=line["at"],
        ms=line["ms"],
        code=line["code"],
        envoy=line["envoy"],
        message=line["message"],
        ticks=line.get("ticks", 0),
    )
