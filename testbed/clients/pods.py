"""Example clients in pods of the local cluster."""

import json
import shlex
import subprocess
import sys
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
            self.cluster.wait(f"{name} to call", lambda name=name: self._calls_or_ends(name))
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

    def stop(self) -> tuple[dict[str, list[Call]], dict[str, int]]:
        """Stop all; their calls and how many connections each opened, by name.

        Raises LocalError when one has not ended with status 0.
        """
        opened: dict[str, int] = {}
        if self._counter:
            opened = json.loads(self._counter.communicate("\n", timeout=60)[0])
        for name in self._pods:
            apps.stop_client(self.cluster, name)
        calls: dict[str, list[Call]] = {}
        for name in self._pods:
            self.cluster.wait(f"{name} to end", lambda name=name: self._phase(name) in _ENDED)
            if self._phase(name) != "Succeeded":
                raise self._failure(name)
            calls[name] = self.calls(name)
        return calls, opened

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


def _call(line: Mapping[str, Any]) -> Call:
    return Call(
        at=line["at"],
        ms=line["ms"],
        code=line["code"],
        envoy=line["envoy"],
        message=line["message"],
        ticks=line.get("ticks", 0),
    )
