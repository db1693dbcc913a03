"""A Pulumi home of its own, and the engine run in it: nothing of the user's state, login, plugins
or stack files is read or written.

    home = Home(directory, pulumi=..., plugin=..., cluster=cluster)
    engine = home.engine(program, "local")
    plan = engine.preview()
    engine.up()
"""

import contextlib
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from grpc_platform_tools.graph import STACK_TYPE
from grpc_platform_tools.preview.stack_file import read_project
from testbed.cluster import control_plane, pki
from testbed.cluster.cluster import Cluster
from testbed.cluster.errors import LocalError, ended

_ROOT = Path(__file__).parents[2]
_PASSPHRASE = "PULUMI_CONFIG_PASSPHRASE"
_UPSERT = "PULUMI_K8S_UPSERT_EXISTING_OBJECTS"
"""For the namespace that the local stack makes: a Secret has to be in it before."""
_OWN_FILES = "Pulumi*.yaml"
_LEFT_OUT = {".git", ".venv", "build", "__pycache__"}
_KUBECONFIG = Path("grpc-platform/build/local/kubeconfig")
"""Where the committed stacks look for it, from the folder that holds the programs."""

LOGS = "logs"
"""The folder of a home with a log of each command and the steps that it took."""
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""Stands for an input that a preview does not know yet."""
_NO_CHANGES: dict[str, int] = {}
UNCHANGED = {"same", "refresh", "read"}


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of a plan or an update, as the engine told it before taking it."""

    op: str
    """One of Pulumi's (`pulumi.automation.OpType`): same, create, update, delete, replace..."""
    urn: str
    type: str
    custom: bool
    """Whether a provider makes it; a component groups others."""
    parent: str | None
    provider: str | None
    inputs: dict[str, Any]
    """The new ones; of what is deleted, the old ones."""
    differs: tuple[str, ...]
    """What the provider finds different."""
    replaces: tuple[str, ...]
    """Of that, what makes it replace the resource."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a command of the engine did, or for a preview, would do."""

    steps: tuple[Step, ...]
    changes: Mapping[str, int]
    """Resources by operation, as the engine sums them up."""
    warnings: tuple[str, ...]
    seconds: float
    log: Path
    """What the command wrote beside its steps."""
    result: Any = None

    @property
    def changed(self) -> dict[str, int]:
        """`changes` without what stays as it is."""
        return {op: count for op, count in self.changes.items() if op not in UNCHANGED}


@dataclass
class Home:
    """A directory with the engine's programs, plugins and state; its stacks can refer to each
    other. With a cluster the engine runs inside of its sandbox."""

    directory: Path
    pulumi: Path
    plugin: Path
    """The Kubernetes provider."""
    cluster: Cluster | None = None
    backend: str = ""
    """Where state is kept; a folder of `directory` unless given."""

    def __post_init__(self) -> None:
        self.directory = self.directory.resolve()
        programs, state = self.directory / "bin", self.directory / "state"
        others = (self.directory / name for name in ("home", "tmp", LOGS))
        for folder in (programs, state, *others):
            folder.mkdir(parents=True, exist_ok=True)
        self.backend = self.backend or f"file://{state}"
        for name, target in (
            ("pulumi", self.pulumi),
            ("pulumi-resource-kubernetes", self.plugin),
        ):
            (programs / name).unlink(missing_ok=True)
            (programs / name).symlink_to(target.resolve())
        stand_in = programs / "pulumi-resource-aws"
        run = f"PYTHONPATH={_ROOT} exec {sys.executable} -m testbed.engine.aws"
        stand_in.write_text(f"#!/bin/sh\n{run}\n")
        stand_in.chmod(0o755)

    def engine(self, program: Path, stack: str) -> "Engine":
        """The engine for a stack of a copy of ``program``, taken now: of the same program a second
        time, what changed in it meanwhile is taken."""
        project, _ = read_project(program)
        copy = self.directory / "programs" / project
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir(parents=True)
        for entry in program.resolve().iterdir():
            if entry.match(_OWN_FILES):  # the Automation API writes stack files
                shutil.copy(entry, copy)
            elif entry.name not in _LEFT_OUT:
                (copy / entry.name).symlink_to(entry)
        if self.cluster and self.kubeconfig:
            self.kubeconfig.parent.mkdir(parents=True, exist_ok=True)
            server = f"https://{self.cluster.place.kubernetes_address}"
            pki.write_kubeconfig(self.kubeconfig, self.cluster.state / "pki", server)
        return Engine(self, copy, project, stack)

    @property
    def kubeconfig(self) -> Path | None:
        """The cluster's, which `engine` writes."""
        return self.directory / "programs" / _KUBECONFIG if self.cluster else None

    def environment(self) -> dict[str, str]:
        """Of the engine and of all that it starts."""
        programs = str(self.directory / "bin")
        given = {
            name: value
            for name in (_PASSPHRASE, f"{_PASSPHRASE}_FILE")
            if (value := os.environ.get(name)) is not None
        }
        # Without a cluster there is no emulator, and nothing but a preview.
        return {
            **(control_plane.AWS_ENVIRONMENT | {_UPSERT: "true"} if self.cluster else {}),
            **(given or {_PASSPHRASE: "testbed"}),
            "PATH": os.pathsep.join((programs, os.environ.get("PATH", os.defpath))),
            "HOME": str(self.directory / "home"),
            "TMPDIR": str(self.directory / "tmp"),
            "PULUMI_HOME": str(self.directory / "home" / ".pulumi"),
            "PULUMI_BACKEND_URL": self.backend,
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        }


_numbers = itertools.count(1)
_Command = Literal["preview", "up", "refresh", "destroy", "export", "import"]


@dataclass
class Engine:
    """The engine for one stack. Each method raises LocalError with the engine's own reason."""

    home: Home
    directory: Path
    """The copy of the program."""
    project: str
    stack: str

    def preview(self) -> Outcome:
        """What `up` would do."""
        return self._run("preview")

    def up(self) -> Outcome:
        return self._run("up")

    def refresh(self) -> Outcome:
        """Take over into the state what is there."""
        return self._run("refresh")

    def destroy(self) -> Outcome:
        return self._run("destroy")

    def export(self) -> dict[str, Any]:
        """The stack's state."""
        return self._run("export").result

    def import_outputs(self, outputs: Mapping[str, Any]) -> None:
        """Make the stack one that has these outputs and nothing else, for others to refer to."""
        urn = f"urn:pulumi:{self.stack}::{self.project}::{STACK_TYPE}::{self.project}-{self.stack}"
        resource = {"urn": urn, "type": STACK_TYPE, "custom": False, "outputs": dict(outputs)}
        manifest = {"time": "2026-01-01T00:00:00Z", "magic": "", "version": ""}
        self._run("import", {"manifest": manifest, "resources": [resource]})

    def _run(self, command: _Command, state: Any = None) -> Outcome:
        order = {
            "command": command,
            "directory": str(self.directory),
            "project": self.project,
            "stack": self.stack,
            "state": state,
            "testbed": str(_ROOT),
            "environment": self.home.environment(),
        }
        argv = ("env", f"PYTHONPATH={_ROOT}", sys.executable, "-m", "testbed.engine.child")
        cluster = self.home.cluster
        # Of its own: two may run at once, as two users' would.
        name = f"{self.project}-{self.stack}-{next(_numbers)}-{command}"
        log = self.home.directory / LOGS / f"{name}.log"
        told = log.with_suffix(".jsonl")
        began = time.monotonic()
        with log.open("w") as errors, told.open("w") as lines:
            process = subprocess.Popen(
                cluster.sandbox.command(*argv) if cluster else argv,
                stdin=subprocess.PIPE,
                stdout=lines,
                stderr=errors,
                text=True,
                start_new_session=True,
            )
            try:
                assert process.stdin is not None
                with contextlib.suppress(BrokenPipeError), process.stdin as stdin:
                    stdin.write(json.dumps(order))
                while process.poll() is None:
                    if cluster:
                        cluster.check()
                        cluster.on_wait()
                    time.sleep(0.1)
            finally:
                _kill(process)
        seconds = time.monotonic() - began
        # A child that was killed may have left a part of a line.
        whole = told.read_text().rpartition("\n")[0]
        said = [json.loads(line) for line in whole.splitlines()]
        if process.returncode:
            what = f"pulumi {command} of stack {self.stack}"
            failed = next((line["failed"] for line in said if "failed" in line), None)
            if failed is None:
                raise LocalError(f"{what} {ended(process.returncode)}", log=log)
            raise _failure(what, failed, said, log)
        return Outcome(
            steps=tuple(_step(line["step"]) for line in said if "step" in line),
            changes=next((line["changes"] for line in said if "changes" in line), _NO_CHANGES),
            warnings=tuple(w for w in _messages(said, "warning") if "from $PATH at" not in w),
            seconds=seconds,
            log=log,
            result=next((line["result"] for line in said if "result" in line), None),
        )


def _failure(
    what: str, failed: dict[str, str], said: Iterable[dict[str, Any]], log: Path
) -> LocalError:
    text = failed["said"]
    with log.open("a") as file:
        file.write(text)
    if failed["kind"] == "locked":
        return LocalError(f"{what}: the stack is locked by another update", log=log)
    reasons = [*_messages(said, "error"), *_errors(text)]
    if not reasons and (code := re.search(r"^\s*code: (-?\d+)", text, re.MULTILINE)):
        return LocalError(f"{what} {ended(int(code[1]))}", log=log)
    # A program that raised is told by its exception; the log has the traceback.
    told = (" ".join(reason.partition("\nTraceback ")[0].split()) for reason in reasons)
    reason = next(told, "no reason was given")
    if "passphrase" in reason:
        return LocalError(
            f"{what}: its stack file has encrypted values, and their passphrase is missing or "
            "another one",
            advice=f"set {_PASSPHRASE} to the one that they were encrypted with",
            log=log,
        )
    return LocalError(f"{what} failed: {reason}", log=log)


def _step(told: dict[str, Any]) -> Step:
    """A step as the child tells it, JSON's lists made tuples."""
    lists: dict[str, Any] = {name: tuple(told[name]) for name in ("differs", "replaces")}
    return Step(**(told | lists))


def _messages(said: Iterable[dict[str, Any]], severity: str) -> list[str]:
    found = (line["message"] for line in said if "message" in line)
    return [message["text"] for message in found if message["severity"] == severity]


def _errors(text: str) -> list[str]:
    return re.findall(r"^\s*(?:stderr: )?error: (.+)", text, re.MULTILINE)


def _kill(process: subprocess.Popen[str]) -> None:
    """A process with all that it started, where it still runs."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
