"""A running local cluster: starts its programs in order, and talks to it through kubectl."""

import json
import subprocess
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty
from typing import Any

from testbed.cluster import control_plane, parts, pki
from testbed.cluster.build import Builder
from testbed.cluster.errors import LocalError, ended
from testbed.cluster.place import FIRST, Place
from testbed.cluster.sandbox import Sandbox

POD_PARTS = ("contour", "external-dns")
"""Built parts that run in pods; once built, they are linked into the node agent's directory."""
_FETCH = (control_plane.PYTHON, "-m", "testbed.cluster.fetch")


class CommandError(LocalError):
    """A program run inside failed; ``said`` is its output about that."""

    def __init__(self, name: str, status: int, said: str) -> None:
        super().__init__(f"{name} {ended(status)}: {said}")
        self.said = said


@dataclass
class Cluster:
    """A control plane, a node and a resolver in a sandbox; the first cluster brings a Route53."""

    sandbox: Sandbox
    builder: Builder
    on_wait: Callable[[], None] = lambda: None
    """Called now and then during waits."""
    place: Place = FIRST
    """SECOND for a second cluster in the same sandbox; the first one must be started before."""
    kubeconfig: Path | None = None
    """The kubeconfig for `kubectl`; the administrator's unless given."""
    zones: int = 1
    """Availability zones, with a node in each (`control_plane.nodes`)."""
    nodes: int = 0
    """Nodes to which kube-scheduler binds pods; `control_plane.NODE` then runs clients only.
    Without any there is no scheduler, and the nodes of the zones run all pods."""
    propagation: float = 0.0
    """Seconds until answers show a change made at Route53; up to 60 at the real one."""
    started: dict[str, float] = field(default_factory=dict[str, float])
    """Seconds from each program's start to its readiness."""

    @property
    def state(self) -> Path:
        """The folder of this cluster's files."""
        return self.sandbox.state / self.place.prefix.rstrip("-")

    def start(self) -> None:
        """Bring the cluster up to a ready node. Raises LocalError naming the program that fails."""
        pki.make_certificates(self.state / "pki", self.place)
        (self.state / "logs").mkdir(exist_ok=True)
        (self.state / "parts").mkdir()
        self.link("envoy", parts.wheel_program("envoy"))
        etcd = [str(parts.wheel_program("etcd")), *control_plane.etcd(self.state, self.place)]
        self.sandbox.run(f"{self.place.prefix}etcd", etcd, listens=self.place.etcd)
        if self.place == FIRST:
            recording = control_plane.route53_recording(self.state)
            self.sandbox.run(
                "route53", control_plane.route53(), recording, listens=control_plane.ROUTE53
            )
            environment = control_plane.AWS_ENVIRONMENT
            name_server = control_plane.name_server(self.propagation)
            self.sandbox.run("name-server", name_server, environment)
        # Nothing else can start before it is built.
        self._run_part("kube-apiserver", control_plane.kube_apiserver(self.state, self.place))
        self._wait_for_api_server()
        self.started["kube-apiserver"] = self._since("kube-apiserver")
        scheduled = self.nodes > 0
        first = control_plane.nodes(self.zones)
        agent = control_plane.agent(self.state, self.place, first, scheduled=scheduled)
        self._run("node-agent", agent)
        self._run_part("kube-controller-manager", control_plane.kube_controller_manager(self.state))
        self._wait_for_node(control_plane.NODE, "node-agent")
        self.started["node-agent"] = self._since("node-agent")
        self.wait(
            "the controllers to work",
            lambda: bool(self._try("get", "serviceaccount", "default", "-n", "default")),
            blame="kube-controller-manager",
        )
        self.started["kube-controller-manager"] = self._since("kube-controller-manager")
        if scheduled:
            self.kubectl("cordon", control_plane.NODE)
            self._run_part("kube-scheduler", control_plane.kube_scheduler(self.state))
            for _ in range(self.nodes):
                self.add_node()

    def add_node(self) -> str:
        """Let a new node join, and wait until it is ready. Returns its name."""
        self._last_node += 1
        name = f"node-{self._last_node}"
        node = {name: control_plane.nodes(self.zones)[control_plane.NODE]}
        number = self._last_node
        agent = control_plane.agent(self.state, self.place, node, number=number, scheduled=True)
        self._run(name, agent)
        self._wait_for_node(name, name)
        # The API server taints a new node; the node controller, which is off here, removes that.
        self.kubectl("taint", "node", name, "node.kubernetes.io/not-ready:NoSchedule-")
        return name

    def remove_node(self, name: str) -> None:
        """End a node with all that runs on it, and delete its object, as EKS does with a machine
        that it has terminated."""
        self.sandbox.end(self.place.prefix + name)
        self.kubectl("delete", "node", name)

    def restart_as(self, name: str, program: Path) -> None:
        """End a program of the control plane in an orderly way, and start another build of it with
        the same arguments."""
        self.sandbox.end(self.place.prefix + name)
        self._run(name, [str(program), *self._arguments[name]])
        self._wait_for_api_server()

    def start_resolver(self, zones: Collection[str]) -> None:
        """Start CoreDNS; restart it when ``zones`` differ from the current ones."""
        if zones == self._zones:
            return
        if self._zones is not None:
            self.sandbox.end(f"{self.place.prefix}coredns")
        self._zones = zones
        self._run_part("coredns", control_plane.coredns(self.state, self.place, zones))
        ready = (*_FETCH, f"http://{self.place.dns_address}:8181/ready")
        self.wait(
            "CoreDNS to be ready",
            lambda: self.inside(*ready, check=False).returncode == 0,
            blame="coredns",
        )
        self.started["coredns"] = self._since("coredns")

    def link(self, name: str, program: Path) -> None:
        """Let pods run ``program`` under this name."""
        link = self.state / "parts" / name
        link.unlink(missing_ok=True)
        link.symlink_to(program.resolve())

    # --- talking to it -------------------------------------------------------------------------

    def inside(
        self, *argv: str, stdin: str | None = None, check: bool = True, timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Run a program in the sandbox, beside the pods, and return what it printed."""
        name = Path(argv[0]).name
        try:
            done = subprocess.run(
                self.sandbox.command(*argv),
                input=stdin,
                capture_output=True,
                text=True,
                check=False,
                timeout=timeout,
            )
        except subprocess.TimeoutExpired:
            self.check()
            raise LocalError(f"{name} had no answer within {timeout:.0f} s") from None
        if check and done.returncode:
            # If a program has ended, that is the cause.
            self.check()
            raise CommandError(name, done.returncode, done.stderr.strip()[-2000:])
        return done

    def enter(self, *arguments: str, check: bool = True) -> str:
        """Run something in a pod and return what it printed: `[-c CONTAINER] NAMESPACE/POD --
        COMMAND...`."""
        agent = (control_plane.PYTHON, "-m", "testbed.node_agent", "enter")
        state = ("--state", str(self.state / "node"))
        return self.inside(*agent, *state, *arguments, check=check).stdout

    def kubectl(self, *arguments: str, stdin: str | None = None, timeout: float = 120) -> str:
        """Run kubectl; LocalError has its standard error."""
        return self.inside(*self._kubectl(*arguments), stdin=stdin, timeout=timeout).stdout

    def get(self, *arguments: str) -> dict[str, Any]:
        """`kubectl get ... -o json`."""
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def fetch(self, *urls: str) -> list[str]:
        """The answers of HTTP servers; LocalError names a status other than 200."""
        return self.inside(*_FETCH, *urls).stdout.split("\0")

    def addresses(self, name: str) -> list[str]:
        """The pods' resolver's current answer for ``name``."""
        return self._look_up(name, "A", 53)

    def published(self, name: str, kind: str) -> bool:
        """Whether the zone's name server has records of ``kind`` for ``name``.

        Asked directly: the resolver would cache an NXDOMAIN.
        """
        return bool(self._look_up(name, kind, control_plane.NAME_SERVER_PORT))

    def pod_log(self, namespace: str, pod: str, container: str) -> Path | None:
        """The log of a container's latest start; None before the first."""
        directory = self.pod_directory(namespace, pod) / container
        starts = sorted(directory.glob("*.log"), key=lambda log: int(log.stem))
        return starts[-1] if starts else None

    def pod_directory(self, namespace: str, pod: str) -> Path:
        """The folder that the agent of the pod's node keeps for it, whether or not it is there."""
        name = f"{namespace}_{pod}"
        here = self.state / "node" / "pods" / name
        return next(self.state.glob(f"node-*/pods/{name}"), here)

    def wait(
        self,
        what: str,
        holds: Callable[[], bool],
        *,
        timeout: float = 60,
        blame: str | None = None,
        why: Callable[[], LocalError] | None = None,
    ) -> None:
        """Wait until ``holds``. LocalError when time is up, or as soon as a program of the cluster
        ends.

        ``blame`` names the program whose log is shown then; ``why`` finds the reason itself.
        """
        until = time.monotonic() + timeout
        while not holds():
            self.check()
            if not all(self.builder.done(name) for name in POD_PARTS):
                # The condition may need a part that is still being built.
                until = time.monotonic() + timeout
            if time.monotonic() > until:
                if why:
                    raise why()
                raise LocalError(
                    f"waited {timeout:.0f} s for {what}",
                    log=self.sandbox.log(self.place.prefix + blame) if blame else None,
                )
            self.on_wait()
            time.sleep(0.2)

    def check(self) -> None:
        """Raise LocalError if a program of the cluster has ended; link parts built meanwhile."""
        try:
            name, status = self.sandbox.exits.get_nowait()
        except Empty:
            if not self.sandbox.running:
                raise LocalError(
                    "another process ended the sandbox", log=self.sandbox.log("supervisor")
                ) from None
        else:
            raise LocalError(f"{name} {ended(status)}", log=self.sandbox.log(name))
        for name in POD_PARTS:
            if not (self.state / "parts" / name).is_symlink() and self.builder.done(name):
                self.link(name, self.builder.result(name))

    # --- details -------------------------------------------------------------------------------

    def __post_init__(self) -> None:
        self._begun: dict[str, float] = {}
        self._arguments: dict[str, list[str]] = {}
        self._zones: Collection[str] | None = None
        self._last_node = 0
        self._kubectl_program = parts.wheel_program("kubectl")

    def _run(self, name: str, argv: list[str]) -> None:
        self._begun[name] = time.monotonic()
        self._arguments[name] = argv[1:]
        self.sandbox.run(self.place.prefix + name, argv)

    def _run_part(self, name: str, arguments: list[str]) -> None:
        self.wait(f"{name} to be built", lambda: self.builder.done(name), timeout=3600)
        self._run(name, [str(self.builder.result(name)), *arguments])

    def _since(self, name: str) -> float:
        return time.monotonic() - self._begun[name]

    def _kubectl(self, *arguments: str) -> list[str]:
        options = (
            f"--kubeconfig={self.kubeconfig or self.state / 'pki' / 'admin.conf'}",
            f"--cache-dir={self.state}/kubectl",
        )
        return [str(self._kubectl_program), *options, *arguments]

    def _look_up(self, name: str, kind: str, port: int) -> list[str]:
        ask = (control_plane.PYTHON, "-m", "testbed.cluster.lookup", name, kind)
        return self.inside(*ask, FIRST.dns_address, str(port), check=False).stdout.split()

    def _try(self, *arguments: str) -> str:
        return self.inside(*self._kubectl(*arguments), check=False).stdout

    def _wait_for_api_server(self) -> None:
        self.wait(
            "the API server to be ready",
            lambda: self._try("get", "--raw", "/readyz") == "ok",
            timeout=180,
            blame="kube-apiserver",
        )

    def _wait_for_node(self, name: str, program: str) -> None:
        path = '{.status.conditions[?(@.type=="Ready")].status}'
        self.wait(
            "the node to be ready",
            lambda: self._try("get", "node", name, "-o", f"jsonpath={path}") == "True",
            blame=program,
        )
