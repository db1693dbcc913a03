"""The graph is the plan: what is recorded of a stack without an engine is what the engine plans."""

from pathlib import Path
from typing import Any

import pytest

from experiments.lab import Lab
from testbed.engine import agreement
from testbed.engine.home import Home
from testbed.program import preview
from tests.engine.conftest import Programs
from tests.tree import ROOT, committed_stacks

STACKS = committed_stacks()
ON_A_CLUSTER = ["grpc-platform/local", "payments/local", "payments/prod"]
"""Their providers have a kubeconfig before an update, and ask the cluster."""
IN_THE_CLOUD = [stack for stack in STACKS if stack not in ON_A_CLUSTER]


@pytest.mark.parametrize("stack", IN_THE_CLOUD)
def test_the_graph_is_the_plan(stack: str, programs: Programs, tmp_path: Path) -> None:
    assert differences(stack, programs.home(tmp_path / "home"), tmp_path) == []


@pytest.mark.parametrize("stack", ON_A_CLUSTER)
def test_the_graph_is_the_plan_on_a_cluster(
    stack: str, programs: Programs, lab: Lab, tmp_path: Path
) -> None:
    found = differences(stack, programs.home(tmp_path / "home", lab.cluster), tmp_path)
    # The cluster here is another one than the one that was recorded.
    assert [line for line in found if "::cluster: kubeconfig is " not in line] == []


def differences(stack: str, home: Home, scratch: Path) -> list[str]:
    """Where the plan is not what is recorded of a committed stack."""
    program, name = STACKS[stack]
    if program != ROOT:  # an example refers to the platform's stack of the same name
        platform: dict[str, Any] = dict(preview(name, scratch / "platform").exports)
        home.engine(ROOT, name).import_outputs(_reachable(platform, home))
    graph = preview(name, scratch / "recorded", program)
    plan = home.engine(program, name).preview()
    assert len(graph) > 5
    return agreement.differences(graph, plan)


def _reachable(platform: dict[str, Any], home: Home) -> dict[str, Any]:
    """A platform's outputs with the kubeconfig of the cluster that there is."""
    if home.kubeconfig is None:
        return platform
    clusters = platform["clusters"].items()
    text = home.kubeconfig.read_text()
    known = {
        name: {**cluster, "kubeconfig": text if cluster["kubeconfig"] else None}
        for name, cluster in clusters
    }
    return {**platform, "clusters": known}
