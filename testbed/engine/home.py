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
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from grpc_platform_tools.graph import STACK_TYPE
from grpc_platform_tools.preview.stack_file import read_project
from testbed.cluster import control_plane, pki
from testbed.cluster.cluster import Cluster
from testbed.cluster.errors import LocalError
from testbed.engine import outcome
from testbed.engine.outcome import PASSPHRASE, Outcome
from testbed.engine.running import Running, When

_ROOT = Path(__file__).parents[2]
_OF_THE_PROVIDER = {
    # For the namespace that the local stack makes: a Secret has to be in it before.
    "PULUMI_K8S_UPSERT_EXISTING_OBJECTS": "true",
    # The components set this for their clusters, but the provider here is older than the SDK: it
    # reads only the environment.
    "PULUMI_K8S_ENABLE_PATCH_FORCE": "true",
}
_OWN_FILES = "Pulumi*.yaml"
_LEFT_OUT = {".git", ".venv", "build", "__pycache__"}
_KUBECONFIG = Path("grpc-platform/build/local/kubeconfig")
"""Where the committed stacks look for it, from the folder that holds the programs."""

LOGS = "logs"
"""The folder of a home with a log of each command and the steps that it took."""


@dataclass
class Home:
    """A directory with the engine's programs, plugins and state; its stacks can refer to each
    other. With a cluster the engine runs inside of its sandbox."""

    directory: Path
    pulumi: Path
    plugin: Path
    """The Kubernetes provider."""
    cluster: Cluster | None = None
    token: str | None = None
    """Of the service account that the engine signs in as; the administrator unless given."""
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
            pki.write_kubeconfig(self.kubeconfig, self.cluster.state / "pki", server, self.token)
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
            for name in (PASSPHRASE, f"{PASSPHRASE}_FILE")
            if (value := os.environ.get(name)) is not None
        }
        # Without a cluster there is no emulator, and nothing but a preview.
        return {
            **(control_plane.AWS_ENVIRONMENT | _OF_THE_PROVIDER if self.cluster else {}),
            **(given or {PASSPHRASE: "testbed"}),
            "PATH": os.pathsep.join((programs, os.environ.get("PATH", os.defpath))),
            "HOME": str(self.directory / "home"),
            "TMPDIR": str(self.directory / "tmp"),
            "PULUMI_HOME": str(self.directory / "home" / ".pulumi"),
            "PULUMI_BACKEND_URL": self.backend,
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        }


_NOTHING: Mapping[str, str] = {}
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

    def preview(
        self,
        *,
        refresh: bool = False,
        environment: Mapping[str, str] = _NOTHING,
        events: Path | None = None,
        policy_pack: Path | None = None,
    ) -> Outcome:
        """What `up` would do; ``environment`` holds for this run, and the engine's own event log
        goes to the file ``events``. What an advisory policy of the pack says is a warning, and what
        a mandatory one says is an error."""
        return self._run(
            "preview",
            refresh=refresh,
            environment=environment,
            events=events,
            policy_pack=policy_pack,
        )

    def up(
        self,
        *,
        refresh: bool = False,
        environment: Mapping[str, str] = _NOTHING,
        when: When | None = None,
    ) -> Outcome:
        """Bring the stack to what the program says.

        ``refresh`` takes over into the state what is there before that, as `--refresh` does;
        ``environment`` holds for this run; ``when`` may end it early.
        """
        return self._run("up", refresh=refresh, environment=environment, when=when)

    def refresh(self) -> Outcome:
        """Take over into the state what is there."""
        return self._run("refresh")

    def destroy(self) -> Outcome:
        return self._run("destroy")

    def export(self) -> dict[str, Any]:
        """The stack's state."""
        return self._run("export").result

    def pending(self) -> list[str]:
        """What the engine has begun to create, change or delete, by URN, as its state says.

        `when` hears of a step before that: the engine tells it first
        (https://github.com/pulumi/pulumi/blob/v3.259.0/pkg/engine/update.go, OnResourceStepPre).
        This reads the file, because a step may be over before `export` is.
        """
        folder = Path(self.home.backend.removeprefix("file://"), ".pulumi", "stacks", self.project)
        state = json.loads((folder / f"{self.stack}.json").read_text())
        operations: list[dict[str, Any]] = state["checkpoint"]["latest"].get("pending_operations")
        return [found["resource"]["urn"] for found in operations or ()]

    def import_outputs(self, outputs: Mapping[str, Any]) -> None:
        """Make the stack one that has these outputs and nothing else, for others to refer to."""
        urn = f"urn:pulumi:{self.stack}::{self.project}::{STACK_TYPE}::{self.project}-{self.stack}"
        resource = {"urn": urn, "type": STACK_TYPE, "custom": False, "outputs": dict(outputs)}
        manifest = {"time": "2026-01-01T00:00:00Z", "magic": "", "version": ""}
        self._run("import", state={"manifest": manifest, "resources": [resource]})

    def pulumi(self, *arguments: str) -> str:
        """Run a command of `pulumi` that needs no program, and return what it printed:
        ``pulumi("cancel", "--yes")``."""
        environment = (f"{name}={value}" for name, value in self.home.environment().items())
        argv = ("env", "-C", str(self.directory), *environment, "pulumi", *arguments)
        cluster = self.home.cluster
        done = subprocess.run(
            cluster.sandbox.command(*argv) if cluster else argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise LocalError(f"pulumi {' '.join(arguments)} failed: {done.stderr.strip()}")
        return done.stdout

    def rename(self, stack: str) -> None:
        """`pulumi stack rename`, which renames the stack file too."""
        self.pulumi("stack", "rename", stack, "--stack", self.stack)
        self.stack = stack

    def _run(
        self,
        command: _Command,
        *,
        state: Any = None,
        refresh: bool = False,
        environment: Mapping[str, str] = _NOTHING,
        when: When | None = None,
        events: Path | None = None,
        policy_pack: Path | None = None,
    ) -> Outcome:
        order = {
            "command": command,
            "directory": str(self.directory),
            "project": self.project,
            "stack": self.stack,
            "state": state,
            "refresh": refresh,
            "policy_packs": [str(policy_pack)] if policy_pack else None,
            "testbed": str(_ROOT),
            "events": str(events.resolve()) if events else "",
            "environment": {**self.home.environment(), **environment},
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
            running = Running(process, told)
            try:
                assert process.stdin is not None
                with contextlib.suppress(BrokenPipeError), process.stdin as stdin:
                    stdin.write(json.dumps(order))
                while process.poll() is None:
                    if cluster:
                        cluster.check()
                        cluster.on_wait()
                    if when:
                        for step in running.new_steps():
                            when(step, running)
                    time.sleep(0.1)
            finally:
                running.kill()
        what = f"pulumi {command} of stack {self.stack}"
        seconds = time.monotonic() - began
        return outcome.read(what, told, log, status=process.returncode, seconds=seconds)
