"""The tools of an experiment: a local cluster, the platform on it, servers and clients."""

import contextlib
import copy
import shutil
import sys
import time
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grpc_platform.conventions import CONTOUR_NAMESPACE, ENVOY_METRICS_PORT
from grpc_platform.specs import EnvoySpec
from grpc_platform.timing import Timing
from grpc_platform_tools.graph import Graph
from testbed.cluster import deploy, readiness, run
from testbed.cluster.build import Builder
from testbed.cluster.cluster import Cluster
from testbed.cluster.errors import LocalError
from testbed.cluster.sandbox import Sandbox, end_leftover
from testbed.disruptions import operations, pods
from testbed.load.clients import FAMILIES, Client, install, server_manifest, start_client
from testbed.load.part import LOAD
from testbed.program import ROOT, changed_program, preview
from testbed.times import sections, shorten

STACK = "local"
ZONE = "grpc.test"
SERVICES: dict[str, dict[str, Any]] = {
    "load": {},
    "streams": {"streaming": True, "selector": {"app.kubernetes.io/name": "load"}},
}
"""Both names lead to the same servers; Envoy sets no deadline for calls to the second."""
_DIRECTORY = ROOT / "build" / "experiments" / "lab"
PLATFORM = ("-n", CONTOUR_NAMESPACE)


@dataclass
class Lab:
    """A running local cluster with the platform of stack `local`, its times shortened."""

    cluster: Cluster
    times: Timing
    factor: float
    quick: bool
    """A quick run: it shows that the experiment works, not how well."""
    directory: Path
    http_port: int = EnvoySpec().http_port
    _deployed: deploy.Deployed = field(default_factory=deploy.Deployed)
    _steps: int = 0
    _began: float = field(default_factory=time.monotonic)

    def say(self, what: str) -> None:
        """Print a line of progress."""
        seconds = time.monotonic() - self._began
        print(f"  {seconds:6.0f} s  {what}", file=sys.stderr, flush=True)

    # --- the platform --------------------------------------------------------------------------

    def deploy(self, **changes: Mapping[str, Any]) -> None:
        """Deploy the platform with its committed values and ``changes`` (keys by section, which
        override those of `sections`). Wait until all of it is ready and under its name."""
        graph = self.preview(**changes)
        self._deployed = deploy.deploy(self.cluster, graph, self._deployed)
        deploy.wait_for_all(self.cluster, self._deployed)
        self.wait_for_name()

    def preview(self, **changes: Mapping[str, Any]) -> Graph:
        """The program's resources with these changes."""
        program = self.program(**changes)
        return preview(STACK, program / "preview", program)

    def program(self, **changes: Mapping[str, Any] | str) -> Path:
        """A directory with the program and these changes in its stack file."""
        self._steps += 1
        directory = self.directory / f"stack-{self._steps}"
        directory.mkdir()
        wanted: dict[str, Any] = {**sections(self.times), "services": SERVICES}
        for section, keys in changes.items():
            plain = isinstance(keys, str)
            wanted[section] = keys if plain else _merged(wanted.get(section, {}), keys)
        return changed_program(directory, STACK, **wanted)

    def manifest(self, kind: str, name: str) -> readiness.Object:
        """A copy of a deployed object of the platform, to change and apply."""
        found = (
            item
            for item in self._deployed.objects
            if (item["kind"], item["metadata"]["name"]) == (kind, name)
        )
        return copy.deepcopy(next(found))

    def resize(self, envoys: int) -> None:
        """Scale the fleet to that many Envoys, and wait until they are under its name."""
        operations.resize_fleet(self.cluster, envoys)
        self.wait_for_name()

    def envoys(self) -> dict[str, str]:
        """Addresses of the ready, non-terminating Envoys, by pod."""
        return {
            pod["metadata"]["name"]: pod["status"]["podIP"]
            for pod in pods.of_app(self.cluster, "envoy")
            if pods.ready(pod)
        }

    def wait_for_name(self) -> None:
        """Wait until a service's name leads to exactly the ready Envoys."""
        self.cluster.wait(
            "the name to lead to the fleet",
            lambda: (
                sorted(self.cluster.addresses(f"load.{ZONE}")) == sorted(self.envoys().values())
            ),
            timeout=120,
            blame="coredns",
        )

    def read(self, addresses: Iterable[str], port: int, path: str) -> dict[str, str]:
        """The answer of an HTTP server in each of these pods, by address."""
        each = list(addresses)
        said = self.cluster.fetch(*(f"http://{address}:{port}/{path}" for address in each))
        return dict(zip(each, said, strict=True))

    def stat(self, envoys: Iterable[str], name: str) -> dict[str, int]:
        """A counter or gauge of the Envoys with these addresses."""
        said = self.read(envoys, ENVOY_METRICS_PORT, f"stats?filter=^{name}$")
        return {address: int(text.rpartition(": ")[2]) for address, text in said.items()}

    # --- traffic -------------------------------------------------------------------------------

    def serve(self, replicas: int = 2, *arguments: str) -> None:
        """Run servers that keep the services' contract (docs/services.md)."""
        manifest = server_manifest(replicas, arguments)
        deploy.apply(self.cluster, [manifest])
        readiness.wait_until_ready(self.cluster, manifest)

    def target(self, service: str = "load") -> str:
        """What clients dial: the way through Envoy."""
        return f"{service}.{ZONE}:{self.http_port}"

    def client(
        self,
        *arguments: str,
        targets: Mapping[str, str] | None = None,
        family: str = "grpc-go",
    ) -> Client:
        """Start a client in a pod of its own; it calls the service `load` unless told otherwise.

        Arguments are those of `load client`; the minimum time between look-ups is shortened like
        the other times.
        """
        floor = f"--re-resolve={self.times.min_resolution_interval.total_seconds()}s"
        named = targets or {"envoy": self.target()}
        where = [f"{name}={target}" for name, target in named.items()]
        return start_client(self.cluster, FAMILIES[family], [*where, floor, *arguments])

    def wait_until_running(self, client: Client) -> None:
        """Wait until a client calls."""
        self.cluster.wait(
            f"{client.pod} to run",
            lambda: self.cluster.get("pod", client.pod)["status"].get("phase") == "Running",
        )

    def wait_until_settled(self) -> None:
        """Wait until every rollout is complete, no Envoy, Contour or server is terminating, and the
        name leads to the fleet."""
        for deployment in self.cluster.get("deployments", *PLATFORM)["items"]:
            readiness.wait_until_ready(self.cluster, deployment)
        grace = self.times.termination_grace_period.total_seconds()
        self.cluster.wait(
            "the terminating pods to be gone",
            lambda: (
                not any(
                    pods.any_terminating(self.cluster, *selector)
                    for selector in (PLATFORM, ("-l", "app.kubernetes.io/name=load"))
                )
            ),
            timeout=2 * grace + 60,
        )
        self.wait_for_name()

    def pause(self, seconds: float, what: str = "") -> None:
        """Let the experiment run for that long; it fails at once if a program of the cluster
        ends."""
        if what:
            self.say(what)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.cluster.check()
            time.sleep(min(0.5, max(0.0, until - time.monotonic())))


@contextlib.contextmanager
def open_lab(
    builder: Builder, *, factor: float, quick: bool, zones: int = 1, nodes: int = 0
) -> Generator[Lab]:
    """A cluster with two servers, before the platform is deployed; removed at the end."""
    times = shorten(factor)
    sandbox = Sandbox(_DIRECTORY / "state")
    _clear()  # a killed run may have left its cluster
    _DIRECTORY.mkdir(parents=True)
    try:
        sandbox.start()
        propagation = times.propagation_delay.total_seconds()
        cluster = Cluster(sandbox, builder, zones=zones, nodes=nodes, propagation=propagation)
        cluster.start()
        install(cluster, builder.result(LOAD.name))
        run.prepare(cluster)
        lab = Lab(cluster, times, factor, quick, _DIRECTORY)
        lab.serve()
        yield lab
    except LocalError as error:
        run.keep_logs(sandbox, _DIRECTORY.parent, error)
        raise
    finally:
        sandbox.close()
        _clear()


def _clear() -> None:
    end_leftover(_DIRECTORY / "state")
    shutil.rmtree(_DIRECTORY, ignore_errors=True)


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of two sections merged, nested sections too."""
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], value) if both else value  # pyright: ignore[reportUnknownArgumentType]
    return merged


def spread(values: Sequence[float]) -> dict[str, float]:
    """The median of repeats, with their minimum and maximum."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    median = (ordered[middle] + ordered[-middle - 1]) / 2
    return {"median": median, "low": ordered[0], "high": ordered[-1]}
