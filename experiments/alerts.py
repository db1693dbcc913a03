"""Alerts: each fires for its reason and only for it, and none while nothing is lost."""

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from matplotlib.figure import Figure

from experiments import fleet_breaks, platform_breaks, service_breaks
from experiments.breaks import INTERVAL, NOTICE, Break, break_all, promised
from experiments.experiment import Experiment, Finding, Result
from experiments.lab import PLATFORM, STACK, ZONE, Lab
from experiments.scenarios import SCENARIOS, Scenario
from experiments.steps import ENVOYS
from grpc_platform.conventions import EXTERNAL_DNS_NAMESPACE
from grpc_platform.monitoring import rules
from grpc_platform.monitoring.alert import Scope, Thresholds
from testbed.cluster import deploy
from testbed.cluster.errors import LocalError
from testbed.monitoring import scrape
from testbed.monitoring.parts import MONITORING_PARTS
from testbed.monitoring.watch import Monitoring, watch

_SYNC = 180.0
"""external-dns syncs every 60 s here too, so that its alert's threshold is not shortened."""
BREAKS: dict[str, Break] = {
    each.alert: each
    for part in (service_breaks, platform_breaks, fleet_breaks)
    for each in part.BREAKS
}
ROUNDS = (
    (
        *(each.alert for each in service_breaks.BREAKS),
        "EnvoyConfigurationRejected",
        "ContourCertificateRenewalFailed",
        "EnvoyAutoscalerBlind",
        "EnvoyLoadUneven",
    ),
    ("EnvoyEndpointsDiffer",),
    ("EnvoyDrainCutShort", "EnvoyNotReady"),
    ("EnvoyAutoscalerAtMaximum",),
    ("EnvoyHeapNearLimit",),
    ("EnvoyWithoutContour",),
    ("ExternalDNSSyncFails",),
    ("EnvoyDNSDiffersFromReadyPods", "EnvoyCertificateExpires"),
    ("GrpcPlatformMetricsMissing",),
)
"""What is broken at the same time, by alert: things that have nothing to do with each other. The
last is restored first."""
_QUICK_ROUNDS = 1
_QUICK_SCENARIOS = ("scale-in",)
EXPLAINED = {
    ("no-api-server", "ExternalDNSSyncFails"): "external-dns cannot read the cluster for as long "
    "as the API server is away, which is ten minutes at the rules' scale",
}
"""Alerts that may fire in a lossless scenario, by the scenario's name, with the reason."""


def run(lab: Lab) -> Result:
    """Break everything in rounds, then run the lossless scenarios, under one Prometheus."""
    lab.deploy(
        envoy={"min_replicas": ENVOYS, "max_replicas": ENVOYS}, services=service_breaks.SERVICES
    )
    service_breaks.serve(lab)
    scope = scope_of(lab.factor)
    monitors = pod_monitors(lab)
    monitoring = watch(
        lab.cluster,
        pod_monitors=monitors,
        groups=rules.groups(scope),
        name=f"{STACK}.{ZONE}",
        probe_job=scope.dns_probe_job,
        interval=INTERVAL / lab.factor,
    )
    scraped = _scrapes(lab, monitors)
    found: Result = {"factor": lab.factor, "scrapes": scraped, "breaks": [], "quiet": []}
    found["quiet"].append(_idle(lab, monitoring, scope))
    for names in ROUNDS[: _QUICK_ROUNDS if lab.quick else None]:
        found["breaks"] += break_all(lab, monitoring, scope, [BREAKS[name] for name in names])
    for scenario in SCENARIOS:
        wanted = not lab.quick or scenario.name in _QUICK_SCENARIOS
        if wanted and scenario.lossless and not scenario.control:
            found["quiet"].append(_undisturbed(lab, monitoring, scope, scenario))
    found["metrics"] = {job: monitoring.names(job) for job in _jobs(monitoring)}
    return found


def scope_of(factor: float) -> Scope:
    """The rules' times, divided by ``factor``."""
    return Scope(scale=1 / factor, thresholds=Thresholds(sync_seconds=round(_SYNC * factor)))


def pod_monitors(lab: Lab) -> list[scrape.Config]:
    """The PodMonitors of the same stack with `monitoring.pod_monitors`."""
    graph = lab.preview(monitoring={"pod_monitors": True})
    return [
        deploy.manifest(resource)
        for resource in graph
        if resource.inputs.get("kind") == "PodMonitor"
    ]


def _scrapes(lab: Lab, monitors: Sequence[scrape.Config]) -> Result:
    """What both ways of finding the pods scrape."""
    spaces = (PLATFORM[1], EXTERNAL_DNS_NAMESPACE)
    pods = [pod for space in spaces for pod in lab.cluster.get("pods", "-n", space)["items"]]
    return {
        "annotations": sorted(map(list, scrape.annotated(pods))),
        "pod_monitors": sorted(map(list, scrape.monitored(monitors, pods))),
    }


def _jobs(monitoring: Monitoring) -> list[str]:
    return sorted({target["labels"]["job"] for target in monitoring.targets()})


# --- nothing broken ------------------------------------------------------------------------------


def _idle(lab: Lab, monitoring: Monitoring, scope: Scope) -> Result:
    lab.say("idle")
    began = time.time()
    longest = max(promised(alert.name, scope) for alert in rules.alerts(scope))
    lab.pause(longest)
    return _told("idle", "no calls", began, monitoring)


def _undisturbed(lab: Lab, monitoring: Monitoring, scope: Scope, scenario: Scenario) -> Result:
    """A lossless scenario, with the alerts that began to fire in it or in the minutes after it."""
    lab.say(scenario.what)
    began, error = time.time(), ""
    client = lab.client("--policy=round_robin", "--rate=100")
    try:
        scenario.prepare(lab)
        lab.wait_until_running(client)
        scenario.act(lab)
        lab.wait_until_settled()
        lab.pause(NOTICE * scope.scale)
    except LocalError as problem:
        error = problem.cause
        lab.say(f"it could not be done: {error}")
    finally:
        client.remove()
        scenario.restore(lab)
    return _told(scenario.name, scenario.what, began, monitoring) | {"error": error}


def _told(name: str, what: str, began: float, monitoring: Monitoring) -> Result:
    ended = time.time()
    fired = monitoring.fired(began, ended)
    alerts = [asdict(each) | {"why": EXPLAINED.get((name, each.name))} for each in fired]
    return {"name": name, "what": what, "seconds": ended - began, "alerts": alerts}


# --- findings ------------------------------------------------------------------------------------


def findings(result: Result) -> list[Finding]:
    """One for each break and each scenario, and one for how the pods are found."""
    found = [_finding(each) for each in result["breaks"]]
    for each in result["quiet"]:
        unexplained = sorted({alert["name"] for alert in each["alerts"] if not alert["why"]})
        said = ", ".join(unexplained) or "none"
        explained = {alert["name"]: alert["why"] for alert in each["alerts"] if alert["why"]}
        said += "".join(f"; {name}, since {why}" for name, why in explained.items())
        found.append(
            Finding(
                f"no alert: {each['what']}",
                not unexplained and not each.get("error"),
                each.get("error") or said,
            )
        )
    scrapes: dict[str, Any] = result["scrapes"]
    same = scrapes["annotations"] == scrapes["pod_monitors"]
    said = "; ".join(f"{name}: {where}" for name, where in scrapes["pod_monitors"])
    found.append(Finding("annotations and PodMonitors lead to the same metrics", same, said))
    return found


def _finding(each: Result) -> Finding:
    claim = f"{each['alert']} fires, and nothing else: {each['what']}"
    if each["error"]:
        return Finding(claim, False, each["error"])
    others = sorted({other["name"] for other in each["others"] if not other["why"]})
    late = each["after"] is None or each["after"] > each["promised"]
    took = "never" if each["after"] is None else f"after {max(0.0, each['after']):.0f} s"
    said = f"{took}, promised {each['promised']:.0f} s"
    if others:
        said += f"; also {', '.join(others)}"
    return Finding(claim, not late and not others, said)


def draw(_: Result) -> dict[str, Figure]:
    """No plot: a table says it."""
    return {}


def tell(result: Result) -> str:
    """The page's text."""
    alerts = {alert.name for alert in rules.alerts()}
    missing = sorted(alerts - {each["alert"] for each in result["breaks"]})
    lines = [
        "A real Prometheus scrapes the running platform as the PodMonitors say, kube-state-metrics "
        "and a DNS probe, with the rules of the components; `for`, ranges and thresholds in "
        "seconds are divided by the same factor as the platform's times. "
        "[Monitoring](../monitoring.md) has the table.",
    ]
    if missing:
        lines += ["", f"Not broken in this run: {', '.join(missing)}."]
    return "\n".join(lines)


ALERTS = Experiment(
    title="Alerts",
    question="Does each alert fire when its thing is broken, and none otherwise?",
    run=run,
    findings=findings,
    draw=draw,
    tell=tell,
    parts=MONITORING_PARTS,
)
