"""The local stack with its times shortened, deployed and changed by the engine."""

import contextlib
from collections import Counter
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.lab import STACK, Lab
from grpc_platform_tools.diff.compare import compare
from grpc_platform_tools.diff.recordings import Recording
from grpc_platform_tools.diff.report import StackDiff
from grpc_platform_tools.graph import Graph
from grpc_platform_tools.preview.stack_file import config_values
from testbed.cluster import deploy, run
from testbed.engine import agreement
from testbed.engine.home import Home
from testbed.engine.outcome import Outcome
from testbed.program import preview

NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True)
class Recorded:
    """A program and what it registers."""

    program: Path
    graph: Graph

    @classmethod
    def of(cls, program: Path) -> "Recorded":
        return cls(program, preview(STACK, program / "preview", program))

    def recording(self) -> Recording:
        """As the diff takes it."""
        return Recording(graph=self.graph, config=config_values(self.program, STACK))


@dataclass(frozen=True)
class Step:
    """One `up`: what the diff told of it, and what the engine did."""

    diff: StackDiff
    done: Outcome

    @property
    def did(self) -> dict[str, str]:
        return agreement.operations(self.done)

    @property
    def told(self) -> dict[str, str]:
        return agreement.told(self.diff)


@dataclass
class Platform:
    """The stack as it is deployed."""

    lab: Lab
    home: Home
    now: Recorded

    def bring_to(self, changes: Mapping[str, Any]) -> Step:
        """Bring the stack to its committed values but for these."""
        return self.replace_by(Recorded.of(self.lab.program(**changes)))

    def replace_by(self, wanted: Recorded) -> Step:
        """Bring the stack to what another program says."""
        diff = compare(STACK, self.now.recording(), wanted.recording())
        self.now = wanted
        return Step(diff, self.home.engine(wanted.program, STACK).up())

    def planned(self, wanted: Recorded) -> dict[str, str]:
        """What the engine's preview says that `replace_by` would do."""
        return agreement.operations(self.home.engine(wanted.program, STACK).preview())


def counted(operations: Mapping[str, str]) -> dict[str, int]:
    """Resources by operation and kind: `{"replace ConfigMap": 1}`."""
    kinds = (f"{how} {urn.split('::')[2].rpartition(':')[2]}" for urn, how in operations.items())
    return dict(sorted(Counter(kinds).items()))


def deploy_first(lab: Lab, home: Home, first: Recorded) -> Platform:
    """The platform as ``first`` says."""
    zones = [str(zone.inputs["name"]) for zone in first.graph.of_type(deploy.ZONE)]
    lab.cluster.start_resolver(zones)
    run.prepare(lab.cluster)  # a destroy before may have taken the namespace of its Secret
    home.engine(first.program, STACK).up()
    return Platform(lab, home, first)


@contextlib.contextmanager
def deployed(lab: Lab, home: Home, first: Recorded) -> Generator[Platform]:
    """The platform as ``first`` says; gone at the end."""
    platform = deploy_first(lab, home, first)
    try:
        lab.wait_for_name()
        yield platform
    finally:
        home.engine(platform.now.program, STACK).destroy()
