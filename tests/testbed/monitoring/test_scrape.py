"""Prometheus's configuration from PodMonitors and annotations."""

from pathlib import Path
from typing import Any

import pytest

from testbed.monitoring import scrape


def pod(named: str = "metrics", **annotations: str) -> dict[str, Any]:
    return {
        "metadata": {
            "name": "envoy-1",
            "namespace": "edge",
            "labels": {"app.kubernetes.io/name": "envoy", "pod-template-hash": "1"},
            "annotations": {f"prometheus.io/{key}": value for key, value in annotations.items()},
        },
        "spec": {
            "containers": [
                {"name": "manager"},
                {"name": "envoy", "ports": [{"name": named, "containerPort": 8002}]},
            ]
        },
    }


def monitor(**more: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "envoy", "namespace": "edge"},
        "spec": {
            "selector": {"matchLabels": {"app.kubernetes.io/name": "envoy"}},
            "podMetricsEndpoints": [{"port": "metrics", "path": "/stats/prometheus"}],
            **more,
        },
    }


def test_both_ways_find_the_same_endpoint() -> None:
    said = {"scrape": "true", "port": "8002", "path": "/stats/prometheus"}
    expected = {("envoy", "8002/stats/prometheus")}
    assert scrape.annotated([pod(**said)]) == expected
    assert scrape.monitored([monitor()], [pod()]) == expected
    assert scrape.annotated([pod(**said | {"scrape": "false"})]) == set()


def test_a_monitor_of_a_port_that_no_container_names_finds_nothing() -> None:
    assert scrape.monitored([monitor()], [pod(named="stats")]) == set()


def test_a_monitor_of_another_namespace_finds_nothing() -> None:
    elsewhere = monitor()
    elsewhere["metadata"]["namespace"] = "other"
    assert scrape.monitored([elsewhere], [pod()]) == set()


def test_a_monitor_keeps_its_pods_and_port() -> None:
    (job,) = configured(monitor())["scrape_configs"]
    kept = {
        rule["source_labels"][0]: rule["regex"]
        for rule in job["relabel_configs"]
        if rule.get("action") == "keep"
    }
    assert kept == {
        "__meta_kubernetes_pod_label_app_kubernetes_io_name": "envoy",
        "__meta_kubernetes_pod_container_port_name": "metrics",
    }
    assert job["metrics_path"] == "/stats/prometheus"


@pytest.mark.parametrize("more", [{"jobLabel": "app"}, {"sampleLimit": 10}])
def test_what_is_not_translated_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"PodMonitor envoy: {next(iter(more))} is not translated"):
        configured(monitor(**more))


def configured(*monitors: dict[str, Any]) -> dict[str, Any]:
    return scrape.configuration(
        pod_monitors=monitors,
        kubeconfig=Path("admin.conf"),
        rules=Path("rules.json"),
        interval="3s",
        others=(),
    )
