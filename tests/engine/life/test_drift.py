"""What people change by hand in the cluster, and how `pulumi up` brings it back."""

from testbed.engine import agreement
from tests.engine.life.conftest import Life

PLATFORM = ("-n", "projectcontour")


def test_drift_is_seen_by_a_refresh_and_brought_back_by_up(life: Life) -> None:
    cluster = life.lab.cluster
    cluster.kubectl("delete", "hpa", *PLATFORM, "envoy")
    cluster.kubectl("annotate", "ingress/load", "projectcontour.io/response-timeout-", "a=b")
    renamed = '[{"op": "replace", "path": "/spec/rules/0/host", "value": "x.grpc.test"}]'
    cluster.kubectl("patch", "ingress/greeter", "--type=json", "-p", renamed)
    cluster.kubectl("scale", "deployment/contour", *PLATFORM, "--replicas=3")
    # The autoscaler's own: nobody else's drift.
    cluster.kubectl("scale", "deployment/envoy", *PLATFORM, "--replicas=3")

    engine = life.engine()
    assert engine.preview().changed == {}, "without a refresh the engine knows of none of it"
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
    life.lab.wait_until_settled()
