"""What people change by hand in the cluster, and how `pulumi up` brings it back."""

import re
from pathlib import Path

from typer.testing import CliRunner

from grpc_platform_tools.cli import app
from testbed.cluster.readiness import wait_until_ready
from testbed.engine import agreement
from tests.engine.life.conftest import Life

PLATFORM = ("-n", "projectcontour")


def told(events: Path) -> dict[str, list[str]]:
    """The fields of each resource that `grpc-platform drift` names."""
    result = CliRunner().invoke(app, ["drift", str(events), "--stack", "local"])
    rows = re.findall(r"^\| `(\S+ \S+)` \| .* \| (.*) \|$", result.stdout, re.MULTILINE)
    assert result.exit_code == (2 if rows else 0)
    return {resource: re.findall(r"`(.+?)`", fields) for resource, fields in rows}


def test_drift_is_seen_by_a_refresh_and_brought_back_by_up(life: Life, tmp_path: Path) -> None:
    cluster = life.lab.cluster
    cluster.kubectl("delete", "hpa", *PLATFORM, "envoy")
    cluster.kubectl("annotate", "ingress/load", "projectcontour.io/response-timeout-", "a=b")
    renamed = '[{"op": "replace", "path": "/spec/rules/0/host", "value": "x.grpc.test"}]'
    cluster.kubectl("patch", "ingress/greeter", "--type=json", "-p", renamed)
    cluster.kubectl("scale", "deployment/contour", *PLATFORM, "--replicas=3")
    # The autoscaler's own: nobody else's drift.
    cluster.kubectl("scale", "deployment/envoy", *PLATFORM, "--replicas=3")
    # A refresh tells of a Deployment that is not ready, whoever scaled it.
    wait_until_ready(cluster, cluster.get("deployment", *PLATFORM, "envoy"))

    engine = life.engine()
    assert engine.preview().changed == {}, "without a refresh the engine knows of none of it"
    events = tmp_path / "events.jsonl"
    engine.preview(refresh=True, events=events)
    assert told(events) == {
        "Deployment local-contour-deployment": ["spec.replicas"],
        "HorizontalPodAutoscaler local-envoy-autoscaler": [],
        "Ingress greeter.local-ingress": ["spec.rules[0].host"],
        "Ingress load.local-ingress": [
            'metadata.annotations["projectcontour.io/response-timeout"]'
        ],
    }
    done = engine.up(refresh=True)
    brought_back = {
        urn.rpartition("::")[2]: operation for urn, operation in agreement.operations(done).items()
    }
    assert brought_back == {
        "local-envoy-autoscaler": "create",
        "load.local-ingress": "change",
        "greeter.local-ingress": "change",
        "local-contour-deployment": "change",
    }
    ingresses = cluster.get("ingress", "load", "greeter")["items"]
    hosts = {item["metadata"]["name"]: item["spec"]["rules"][0]["host"] for item in ingresses}
    assert hosts == {"load": "load.grpc.test", "greeter": "greeter.grpc.test"}
    annotations = cluster.get("ingress", "load")["metadata"]["annotations"]
    assert annotations["projectcontour.io/response-timeout"] == "15s"
    assert "a" not in annotations, "the provider takes over what kubectl has set"
    assert cluster.get("deployment", *PLATFORM, "contour")["spec"]["replicas"] == 2
    life.assert_whole()
    nothing = tmp_path / "nothing.jsonl"
    engine.preview(refresh=True, events=nothing)
    assert told(nothing) == {}
    life.lab.wait_until_settled()
