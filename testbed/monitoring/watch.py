"""Runs Prometheus, kube-state-metrics and the DNS probe beside a cluster, and asks them."""

import contextlib
import json
import signal
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import yaml

from testbed.cluster import control_plane
from testbed.cluster.cluster import Cluster
from testbed.cluster.errors import LocalError
from testbed.cluster.place import FIRST
from testbed.cluster.supervisor import GATEWAY
from testbed.monitoring import scrape
from testbed.monitoring.parts import KUBE_STATE_METRICS, PROMETHEUS

KUBE_STATE_METRICS_JOB = "kube-state-metrics"
_PROMETHEUS_PORT = 9090
_PROBE_PORT = 9115
_KUBE_STATE_METRICS_PORT = 8085
_TELEMETRY_PORT = 8086
_RESOURCES = (
    *("cronjobs", "deployments", "endpointslices", "horizontalpodautoscalers", "ingresses"),
    *("jobs", "namespaces", "nodes", "poddisruptionbudgets", "pods", "replicasets", "services"),
)
"""EndpointSlices are not among kube-state-metrics's defaults before 2.18 (docs/monitoring.md)."""
_OF_ALERTS = ("__name__", "alertname", "alertstate", "severity", "job", "container", "endpoint")
_RESOLUTION = 1.0  # seconds between the points of a range query


@dataclass(frozen=True)
class Fired:
    """An alert that fired, with the labels that say where."""

    name: str
    labels: tuple[tuple[str, str], ...]
    at: float
    """When it was first seen firing (Unix time)."""


@dataclass(frozen=True)
class Monitoring:
    """A running Prometheus, by its API."""

    cluster: Cluster

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series of an instant query."""
        return self._ask("query", query=expression)["result"]

    def ranges(
        self, expressions: Sequence[str], *, since: float, until: float, step: float
    ) -> list[list[dict[str, Any]]]:
        """The series of each range query, with a point every ``step`` seconds."""
        asked = [
            self._url("query_range", query=each, start=since, end=until, step=step)
            for each in expressions
        ]
        return [json.loads(said)["data"]["result"] for said in self.cluster.fetch(*asked)]

    def names(self, job: str) -> dict[str, list[str]]:
        """The metrics that a job exports, each with its labels' names."""
        selector = f'{{job="{job}", __name__!~"ALERTS.*|.*:.*"}}'  # not those of rules
        found: dict[str, set[str]] = {}
        for series in self._ask("series", **{"match[]": selector}):
            found.setdefault(series.pop("__name__"), set()).update(series)
        return {name: sorted(labels) for name, labels in sorted(found.items())}

    def targets(self) -> list[dict[str, Any]]:
        """The targets that Prometheus scrapes."""
        return self._ask("targets", state="active")["activeTargets"]

    def active(self) -> dict[str, str]:
        """The alerts that are pending or firing now, by name."""
        alerts = self._ask("alerts")["alerts"]
        found = {alert["labels"]["alertname"]: str(alert["state"]) for alert in alerts}
        return found | {
            alert["labels"]["alertname"]: "firing" for alert in alerts if alert["state"] == "firing"
        }

    def fired(self, since: float, until: float) -> list[Fired]:
        """The alerts that began to fire between two times."""
        series = self._ask(
            "query_range",
            query='ALERTS{alertstate="firing"}',
            start=since - 2 * _RESOLUTION,
            end=until,
            step=_RESOLUTION,
        )["result"]
        found: list[Fired] = []
        for one in series:
            labels = one["metric"]
            first = float(one["values"][0][0])
            if first >= since:
                kept = {key: value for key, value in labels.items() if key not in _OF_ALERTS}
                found.append(Fired(labels["alertname"], tuple(sorted(kept.items())), first))
        return sorted(found, key=lambda each: each.at)

    @contextlib.contextmanager
    def without_kube_state_metrics(self) -> Generator[None]:
        """End kube-state-metrics, and start it again at the end."""
        self.cluster.sandbox.end(KUBE_STATE_METRICS.name, signal.SIGKILL)
        try:
            yield
        finally:
            _run_kube_state_metrics(self.cluster)

    def _ask(self, what: str, **parameters: Any) -> Any:
        return json.loads(self.cluster.fetch(self._url(what, **parameters))[0])["data"]

    def _url(self, what: str, **parameters: Any) -> str:
        return f"http://{GATEWAY}:{_PROMETHEUS_PORT}/api/v1/{what}?{urlencode(parameters)}"


def watch(
    cluster: Cluster,
    *,
    pod_monitors: Sequence[scrape.Config],
    groups: Sequence[Mapping[str, Any]],
    name: str,
    probe_job: str,
    interval: float,
) -> Monitoring:
    """Start everything, and wait until Prometheus has scraped each target.

    ``groups`` are the rules; ``name`` is what the DNS probe asks for. ``interval`` is that of
    scrapes and of rules, in seconds. Raises LocalError when a target cannot be scraped.
    """
    folder = cluster.state / "monitoring"
    folder.mkdir()
    rules, file = folder / "rules.json", folder / "prometheus.yml"
    rules.write_text(json.dumps({"groups": list(groups)}))
    resolver = f"{FIRST.dns_address}:53"
    others = [
        scrape.fixed(KUBE_STATE_METRICS_JOB, f"{GATEWAY}:{_KUBE_STATE_METRICS_PORT}"),
        scrape.probe(probe_job, f"{GATEWAY}:{_PROBE_PORT}", resolver, "dns"),
    ]
    configuration = scrape.configuration(
        pod_monitors=pod_monitors,
        kubeconfig=_kubeconfig(cluster),
        rules=rules,
        interval=f"{round(interval * 1000)}ms",
        others=others,
    )
    file.write_text(yaml.safe_dump(configuration))
    _run_kube_state_metrics(cluster)
    module = "testbed.monitoring.probe"
    listens = (GATEWAY, _PROBE_PORT)
    command = [control_plane.PYTHON, "-m", module, GATEWAY, str(_PROBE_PORT), name]
    cluster.sandbox.run("dns-probe", command, listens=listens)
    arguments = [
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={GATEWAY}:{_PROMETHEUS_PORT}",
        "--log.level=warn",
    ]
    program = str(cluster.builder.result(PROMETHEUS.name))
    cluster.sandbox.run(PROMETHEUS.name, [program, *arguments], listens=(GATEWAY, _PROMETHEUS_PORT))
    cluster.wait(
        "Prometheus to listen",
        lambda: PROMETHEUS.name in cluster.sandbox.listening,
        blame=PROMETHEUS.name,
    )
    monitoring = Monitoring(cluster)
    cluster.wait(
        "Prometheus to scrape every target",
        lambda: _all_up(monitoring, [one["job_name"] for one in configuration["scrape_configs"]]),
        blame=PROMETHEUS.name,
        why=lambda: _why_not(monitoring),
    )
    return monitoring


def _all_up(monitoring: Monitoring, jobs: Sequence[str]) -> bool:
    targets = monitoring.targets()
    return {target["scrapePool"] for target in targets} == set(jobs) and all(
        target["health"] == "up" for target in targets
    )


def _why_not(monitoring: Monitoring) -> LocalError:
    targets = monitoring.targets()
    told = [
        f"{target['scrapeUrl']} ({target['lastError'] or target['health']})"
        for target in targets
        if target["health"] != "up"
    ]
    found = ", ".join(sorted({target["scrapePool"] for target in targets}))
    return LocalError(f"Prometheus scrapes {found}; not: {', '.join(told) or 'all it found'}")


def _run_kube_state_metrics(cluster: Cluster) -> None:
    program = str(cluster.builder.result(KUBE_STATE_METRICS.name))
    arguments = [
        f"--kubeconfig={_kubeconfig(cluster)}",
        f"--resources={','.join(_RESOURCES)}",
        f"--host={GATEWAY}",
        f"--port={_KUBE_STATE_METRICS_PORT}",
        f"--telemetry-host={GATEWAY}",
        f"--telemetry-port={_TELEMETRY_PORT}",
    ]
    cluster.sandbox.run(KUBE_STATE_METRICS.name, [program, *arguments])


def _kubeconfig(cluster: Cluster) -> Path:
    return cluster.state / "pki" / "admin.conf"
