"""Prometheus's configuration: how users let it find the platform's pods.

From PodMonitors it makes what the Prometheus operator makes of them
(https://github.com/prometheus-operator/prometheus-operator/blob/v0.86.0/pkg/prometheus/promcfg.go,
generatePodMonitorConfig), as far as the platform's own use them; anything else is refused.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Config = dict[str, Any]
Endpoint = tuple[str, str]
"""A pod's application label and the address of its metrics: `<port><path>`."""

_POD = "__meta_kubernetes_pod"


def configuration(
    *,
    pod_monitors: Sequence[Config],
    kubeconfig: Path,
    rules: Path,
    interval: str,
    others: Sequence[Config],
) -> Config:
    """The configuration file. ``interval`` is that of scrapes and of rules, ``others`` are further
    scrape configurations."""
    scraped = [
        scrape
        for monitor in pod_monitors
        for scrape in _of_pod_monitor(monitor, {"kubeconfig_file": str(kubeconfig)})
    ]
    return {
        "global": {
            "scrape_interval": interval,
            "scrape_timeout": interval,
            "evaluation_interval": interval,
        },
        "rule_files": [str(rules)],
        "scrape_configs": [*scraped, *others],
    }


def fixed(job: str, address: str) -> Config:
    """A target at a known address, whose own labels win, as with the operator's `honorLabels`."""
    return {
        "job_name": job,
        "honor_labels": True,
        "static_configs": [{"targets": [address]}],
    }


def probe(job: str, exporter: str, target: str, module: str) -> Config:
    """A probe by an exporter, as the blackbox exporter is used."""
    return {
        "job_name": job,
        "metrics_path": "/probe",
        "params": {"module": [module], "target": [target]},
        "static_configs": [{"targets": [exporter], "labels": {"instance": target}}],
    }


def _of_pod_monitor(monitor: Config, access: Mapping[str, str]) -> list[Config]:
    metadata, spec = monitor["metadata"], dict(monitor["spec"])
    labels = spec.pop("selector")["matchLabels"]
    endpoints = spec.pop("podMetricsEndpoints")
    _refuse(metadata, spec)
    found: list[Config] = []
    for number, given in enumerate(endpoints):
        endpoint = dict(given)
        port, path = endpoint.pop("port"), endpoint.pop("path", "/metrics")
        _refuse(metadata, endpoint)
        found.append(
            {
                "job_name": f"podMonitor/{metadata['namespace']}/{metadata['name']}/{number}",
                "metrics_path": path,
                "kubernetes_sd_configs": [
                    {
                        "role": "pod",
                        **access,
                        "namespaces": {"names": [metadata["namespace"]]},
                    }
                ],
                "relabel_configs": [
                    _drop(f"{_POD}_phase", "(Failed|Succeeded)"),
                    *(
                        _keep(f"{_POD}_label_{_sanitized(key)}", value)
                        for key, value in labels.items()
                    ),
                    _keep(f"{_POD}_container_port_name", port),
                    _copy("__meta_kubernetes_namespace", "namespace"),
                    _copy(f"{_POD}_container_name", "container"),
                    _copy(f"{_POD}_name", "pod"),
                    _set("job", f"{metadata['namespace']}/{metadata['name']}"),
                    _set("endpoint", port),
                ],
            }
        )
    return found


def _refuse(metadata: Config, rest: Config) -> None:
    if rest:
        raise ValueError(f"PodMonitor {metadata['name']}: {', '.join(rest)} is not translated")


def annotated(pods: Sequence[Config]) -> set[Endpoint]:
    """What Prometheus's usual configuration scrapes of these pods by their annotations:
    https://github.com/prometheus/prometheus/blob/v3.13.5/documentation/examples/prometheus-kubernetes.yml
    """
    found: set[Endpoint] = set()
    for pod in pods:
        said: dict[str, str] = pod["metadata"].get("annotations", {})
        if said.get("prometheus.io/scrape") == "true":
            path = said.get("prometheus.io/path", "/metrics")
            found.add((_application(pod), f"{said['prometheus.io/port']}{path}"))
    return found


def monitored(pod_monitors: Sequence[Config], pods: Sequence[Config]) -> set[Endpoint]:
    """What the PodMonitors scrape of these pods."""
    found: set[Endpoint] = set()
    for monitor in pod_monitors:
        wanted = monitor["spec"]["selector"]["matchLabels"].items()
        for pod in pods:
            there = pod["metadata"]
            if there["namespace"] == monitor["metadata"]["namespace"] and wanted <= set(
                there.get("labels", {}).items()
            ):
                found |= {
                    (_application(pod), f"{port['containerPort']}{endpoint['path']}")
                    for endpoint in monitor["spec"]["podMetricsEndpoints"]
                    for container in pod["spec"]["containers"]
                    for port in container.get("ports", ())
                    if port.get("name") == endpoint["port"]
                }
    return found


def _application(pod: Config) -> str:
    return pod["metadata"]["labels"]["app.kubernetes.io/name"]


def _sanitized(label: str) -> str:
    return re.sub(r"[^a-zA-Z0-9_]", "_", label)


def _keep(source: str, value: str) -> Config:
    return {"action": "keep", "source_labels": [source], "regex": re.escape(value)}


def _drop(source: str, pattern: str) -> Config:
    return {"action": "drop", "source_labels": [source], "regex": pattern}


def _copy(source: str, target: str) -> Config:
    return {"source_labels": [source], "target_label": target}


def _set(target: str, value: str) -> Config:
    return {"target_label": target, "replacement": value}
