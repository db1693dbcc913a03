"""`python -m testbed up` and `down`: one run of the local cluster, from parts to tear-down."""

import contextlib
import re
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from grpc_platform_tools.graph import Graph
from testbed.cluster import apps, deploy, parts, readiness, sandbox, traffic, usage
from testbed.cluster.build import Builder
from testbed.cluster.cluster import Cluster
from testbed.cluster.display import Display
from testbed.cluster.errors import LocalError
from testbed.cluster.guards import ends_in_order, one_at_a_time, telling_of_a_full_disk
from testbed.cluster.report import REPORTS, Command, Report
from testbed.cluster.sandbox import Sandbox
from testbed.engine import deployment
from testbed.engine.home import LOGS, Engine
from testbed.engine.parts import ENGINE_PARTS

ROUTE53 = ("route53", "local-platform")
"""The emulator's Service and namespace, as the local stack's `route53_endpoint` names them."""
ROUTE53_SECRET: readiness.Object = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "route53-credentials", "namespace": "external-dns"},
    # The emulator takes any.
    "stringData": {
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": "us-east-1",
    },
}
"""The Secret that the local stack's `credentials_secret` names."""


def up(
    directory: Path,
    console: Console,
    *,
    stack: str,
    graph: Path | None = None,
    keep: bool = False,
    engine: bool = False,
) -> Report:
    """Start the cluster, deploy ``stack``, call its services, leave a report, tear down.

    ``directory`` is the program's; ``graph`` a recorded graph to deploy in place of a preview made
    now. With ``engine`` the real Pulumi engine deploys the program, and destroys it in the end
    unless ``keep``. Raises LocalError; whatever happens, everything is torn down unless ``keep``
    and all went well so far that there is something to look at.
    """
    began = time.time()
    recorded = _load(graph) if graph else None
    if recorded is None:
        _require_stack(directory, stack)
    output = directory / "build" / "local"
    output.mkdir(parents=True, exist_ok=True)
    with one_at_a_time(output), ends_in_order():
        state = output / "state"
        _clean(state, console)
        # What a former run left must not be taken for this one's.
        shutil.rmtree(output / "logs", ignore_errors=True)
        for name in REPORTS:
            (output / name).unlink(missing_ok=True)
        wanted = (*parts.GO_PARTS, *ENGINE_PARTS) if engine else parts.GO_PARTS
        box, builder = Sandbox(state), Builder(wanted=wanted)
        preview = _start_preview(directory, stack, output) if recorded is None else None
        doors = usage.Doors.open() if keep else None
        how: list[str] = []
        kept = False
        try:
            with Display(console, builder) as display, telling_of_a_full_disk(state):
                cluster = Cluster(box, builder, on_wait=display.tick)
                _start(cluster, display, doors)
                with display.step("preview"):
                    if recorded is None:
                        recorded = _finish_preview(preview, directory, stack, output)
                if doors:
                    how = usage.connect(cluster, doors, apps.services(recorded), output)
                pulumi = None
                if engine:
                    with display.step("the engine's parts"):
                        pulumi = deployment.open_engine(cluster, directory, stack)
                report = _deploy_and_call(cluster, display, recorded, stack, began, pulumi)
                if pulumi and not keep:
                    with display.step("pulumi destroy"):
                        done = deployment.tear_down(pulumi, cluster, recorded)
                    report = replace(
                        report, engine=(*report.engine, done), seconds=dict(display.seconds)
                    )
            report.save(output)
            report.show(console)
            kept = keep
        except BaseException as error:
            if isinstance(error, LocalError):
                keep_logs(box, output, error)
            else:
                console.print("stopped: tearing everything down")
                if builder.unfinished:
                    console.print("the next run continues the build where it stopped")
            kept = bool(how) and isinstance(error, LocalError) and box.running
            raise
        finally:
            if preview and preview.poll() is None:
                preview.kill()
            builder.stop()
            if kept:
                usage.leave_up(box, how, console)
            else:
                box.close()
                sandbox.end_leftover(state)
    return report


def deploy_beside(directory: Path, graph: Path) -> deploy.Deployed:
    """Deploy the stack of a recorded ``graph`` to a kept cluster, beside what is there.

    Nothing is deleted that an earlier deployment of it made. Raises LocalError.
    """
    output = directory / "build" / "local"
    box, builder = Sandbox.kept(output / "state"), Builder()
    resources = _load(graph)
    if resources.of_type(deploy.ZONE):
        raise LocalError(
            "the stack has a zone of its own, which a cluster that is up does not answer",
            advice="give the stack a cluster of its own: python -m testbed up --graph",
        )
    with one_at_a_time(output):
        builder.start()
        try:
            cluster = Cluster(box, builder)
            deployed = deploy.deploy(cluster, resources)
            deploy.wait_for_all(cluster, deployed)
        finally:
            builder.stop()
    return deployed


def down(directory: Path) -> bool:
    """End a kept cluster; whether there was one."""
    output = directory / "build" / "local"
    if not output.exists():
        return False
    with one_at_a_time(output):
        was_up = sandbox.running(output / "state") is not None
        sandbox.end_leftover(output / "state")
        (output / usage.KUBECONFIG).unlink(missing_ok=True)
    return was_up


def _start(cluster: Cluster, display: Display, doors: usage.Doors | None) -> None:
    cluster.builder.start()
    with display.step("sandbox"):
        cluster.sandbox.start([doors.kubernetes, doors.services] if doors else [])
    with display.step("control plane and node"):
        cluster.start()
        apps.install(cluster)


def _deploy_and_call(
    cluster: Cluster,
    display: Display,
    graph: Graph,
    stack: str,
    began: float,
    engine: Engine | None,
) -> Report:
    commands: list[Command] = []
    with display.step(f"stack {stack}"):
        prepare(cluster)
        if engine:
            commands = deployment.bring_up(engine, cluster, graph)
            deployed = deploy.Deployed(tuple(deployment.objects(graph)))
        else:
            deployed = deploy.deploy(cluster, graph)
        for manifest in apps.manifests():
            readiness.wait_until_ready(cluster, manifest)
    services = apps.services(graph)
    with display.step("first calls"):
        compared, first_answer = traffic.compare(cluster, services)
    with display.step("the whole fleet under its name"):
        deploy.wait_for_all(cluster, deployed)
        traffic.wait_for_fleet(cluster, services)
    with display.step("calls on many connections"):
        routes = traffic.spread(cluster, services, compared)
    return Report(
        stack=stack,
        routes=tuple(routes),
        parts=tuple(usage.measure(cluster)),
        seconds=dict(display.seconds),
        first_call_seconds=first_answer - began if first_answer else 0.0,
        differences=tuple(_differences(cluster)),
        engine=tuple(commands),
        problems=() if services else ("the stack has no service that a sample app stands behind",),
    )


def prepare(cluster: Cluster) -> None:
    """What the local stack finds there: Route53 with its credentials, and the sample servers."""
    namespace = ROUTE53_SECRET["metadata"]["namespace"]
    metadata = {"name": namespace}
    deploy.apply(cluster, [{"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}])
    deploy.provide_route53(cluster, *ROUTE53, ROUTE53_SECRET)
    deploy.apply(cluster, apps.manifests())


def _differences(cluster: Cluster) -> list[str]:
    """Where the cluster is not what the manifests say, as the node agent reports it."""
    found: dict[str, None] = {}
    for event in cluster.get("events", "-A", "--field-selector=reason=NotHonoured")["items"]:
        for item in str(event["message"]).partition(": ")[2].split("; "):
            # The same of every pod and container is said once.
            found[re.sub(r"\[[^]]*\]", "", item)] = None
    images = cluster.kubectl(
        "get", "pods", "-A", "-o", "jsonpath={.items[*].spec.containers[*].image}"
    )
    envoys = set(re.findall(r"envoyproxy/envoy:\S*?v([\d.]+)", images)) - {parts.ENVOY}
    found |= dict.fromkeys(
        f"Envoy {parts.ENVOY} runs in place of {version}: the nearest there is a wheel of"
        for version in envoys
    )
    if cluster.get("networkpolicies", "-A")["items"]:
        found["NetworkPolicies are stored and not enforced (nothing here filters packets)"] = None
    return list(found)


def _clean(state: Path, console: Console) -> None:
    if (state / usage.KEPT).exists() and sandbox.running(state):
        raise LocalError(
            "a local cluster was kept up", advice="use it, or end it first: make local-down"
        )
    if sandbox.end_leftover(state):
        console.print("  [dim]cleaned up after a run that was killed[/]")


def _start_preview(directory: Path, stack: str, output: Path) -> subprocess.Popen[bytes]:
    with (output / "preview.log").open("w") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "grpc_platform_tools", "preview", stack],
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )


def _finish_preview(
    preview: subprocess.Popen[bytes] | None, directory: Path, stack: str, output: Path
) -> Graph:
    if preview is None or preview.wait() != 0:
        raise LocalError(
            f"the preview of stack {stack} failed",
            advice=f"make preview STACK={stack} shows it alone",
            log=output / "preview.log",
        )
    return Graph.load(directory / "build" / "preview" / stack / "resources.json")


def _require_stack(directory: Path, stack: str) -> None:
    """Refuse before the cluster starts what the preview would refuse after it."""
    if not (directory / "Pulumi.yaml").exists():
        raise LocalError(
            f"no Pulumi.yaml in {directory}: not a Pulumi program", advice="name one by --program"
        )
    if not (directory / f"Pulumi.{stack}.yaml").exists():
        raise LocalError(f"no stack {stack!r}: {directory} has no Pulumi.{stack}.yaml")


def _load(graph: Path) -> Graph:
    try:
        return Graph.load(graph)
    except ValueError:
        raise LocalError(f"{graph} is not the resources.json of a preview") from None


def keep_logs(box: Sandbox, output: Path, error: LocalError) -> None:
    """Save the logs from the tear-down, and point the error at what was saved."""
    saved = output / "logs"
    shutil.rmtree(saved, ignore_errors=True)  # an earlier run's are not this one's
    copies = {
        box.logs: saved,
        box.state / "node" / "pods": saved / "pods",
        box.state / deployment.HOME / LOGS: saved / "engine",
    }
    for source, copy in copies.items():
        with contextlib.suppress(OSError):
            shutil.copytree(source, copy, symlinks=True, dirs_exist_ok=True)
        if error.log and error.log.is_relative_to(source):
            error.log = copy / error.log.relative_to(source)
