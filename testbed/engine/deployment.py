"""The local stack by the real engine: from the first preview to nothing left behind."""

from pathlib import Path

from grpc_platform_tools.graph import Graph
from testbed.cluster import deploy, readiness
from testbed.cluster.cluster import Cluster
from testbed.cluster.errors import LocalError
from testbed.cluster.report import Command
from testbed.engine.home import Engine, Home
from testbed.engine.outcome import UNCHANGED, Outcome
from testbed.engine.parts import ENGINE_PARTS, KUBERNETES_PLUGIN, PULUMI

HOME = "engine"
"""The folder of the engine's home, among a cluster's files."""


def open_engine(cluster: Cluster, program: Path, stack: str) -> Engine:
    """The engine for a stack of a copy of ``program``, as soon as its parts are built."""
    cluster.wait(
        "pulumi and its Kubernetes provider to be built",
        lambda: all(cluster.builder.done(part.name) for part in ENGINE_PARTS),
        timeout=3600,
    )
    pulumi, plugin = (cluster.builder.result(part.name) for part in (PULUMI, KUBERNETES_PLUGIN))
    home = Home(cluster.state / HOME, pulumi=pulumi, plugin=plugin, cluster=cluster)
    return home.engine(program, stack)


def bring_up(engine: Engine, cluster: Cluster, graph: Graph) -> list[Command]:
    """Preview and `up`, then a preview and a refresh that must not find a change.

    ``graph`` is what was recorded of the stack. LocalError tells a command that failed and a change
    that was found.
    """
    cluster.start_resolver([str(zone.inputs["name"]) for zone in graph.of_type(deploy.ZONE)])
    done = [_said("preview", engine.preview()), _said("up", engine.up())]
    for command, outcome in (
        ("second preview", engine.preview()),
        ("refresh", engine.refresh()),
    ):
        done.append(_said(command, outcome))
        if outcome.changed:
            raise LocalError(
                f"the {command} after pulumi up finds a change: {_names(outcome)}",
                log=outcome.log,
            )
    return done


def tear_down(engine: Engine, cluster: Cluster, graph: Graph) -> Command:
    """`destroy`; LocalError names what is left of what ``graph`` makes."""
    outcome = engine.destroy()
    left = [
        readiness.describe(item)
        for item in objects(graph, retained=False)
        if cluster.kubectl("get", "--ignore-not-found", "-o", "name", *readiness.reference(item))
    ]
    if left:
        raise LocalError(f"pulumi destroy left behind: {', '.join(left)}")
    # A zone goes with its records; the name server learns of it after the propagation.
    for name in (str(zone.inputs["name"]) for zone in graph.of_type(deploy.ZONE)):
        cluster.wait(
            f"pulumi destroy to have deleted zone {name}",
            lambda name=name: not cluster.published(name, "SOA"),
            timeout=120,
        )
    return _said("destroy", outcome)


def objects(graph: Graph, *, retained: bool = True) -> list[readiness.Object]:
    """The Kubernetes objects of a graph, without those that outlive a destroy unless asked for."""
    return [
        deploy.manifest(resource)
        for resource in graph
        if resource.type.startswith("kubernetes:")
        and (retained or not resource.options.get("retain_on_delete"))
    ]


def _said(command: str, outcome: Outcome) -> Command:
    return Command(command=command, changes=outcome.changes, seconds=round(outcome.seconds, 1))


def _names(outcome: Outcome) -> str:
    changed = [step for step in outcome.steps if step.op not in UNCHANGED]
    told = (
        f"{step.op} {step.urn.rpartition('::')[2]} ({', '.join(step.differs)})" for step in changed
    )
    return "; ".join(told) or str(outcome.changed)
