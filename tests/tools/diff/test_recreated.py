"""Resources that are deleted before they are created again, and those deleted along with them."""

from typing import Any

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as k8s
import pytest
from pulumi import ResourceOptions

from grpc_platform_tools.diff.report import ResourceChange, StackDiff
from tests.tools.diff.test_compare import change, diff, operations, recording

APP = {"app": "echo"}


def workload(value: str, name: str = "settings", by: str = "volume", **options: Any) -> Any:
    """A ConfigMap and a Deployment that mounts it, a Service and an HPA that name the Deployment,
    and a Deployment that only waits for it."""

    def program() -> None:
        settings = k8s.core.v1.ConfigMap(
            "settings",
            metadata={"name": name},
            data={"key": value},
            opts=ResourceOptions(**options),
        )
        mounted = settings.metadata["name"] if by == "volume" else "settings"
        echo = deployment("echo", mounted, ResourceOptions(depends_on=[settings]))
        k8s.core.v1.Service(
            "service", metadata={"name": "echo"}, spec={"selector": APP, "ports": [{"port": 1}]}
        )
        target: Any = {"apiVersion": "apps/v1", "kind": "Deployment", "name": echo.metadata["name"]}
        scaled: Any = {"scaleTargetRef": target, "maxReplicas": 2}
        k8s.autoscaling.v2.HorizontalPodAutoscaler("hpa", metadata={"name": "echo"}, spec=scaled)
        # It serves no calls, and takes an input from the other one.
        deployment("batch", "none", None, {"after": echo.metadata["name"]})

    return program


def deployment(
    name: str, mounted: pulumi.Input[str], opts: ResourceOptions | None, labels: Any = None
) -> k8s.apps.v1.Deployment:
    volume: Any = {"name": "v", "configMap": {"name": mounted}}
    labels = labels or dict[str, Any]()
    spec: Any = {
        "selector": {"matchLabels": {"app": name}},
        "template": {
            "metadata": {"labels": labels | {"app": name}},
            "spec": {"volumes": [volume], "containers": [{"name": "c", "image": "i"}]},
        },
    }
    return k8s.apps.v1.Deployment(name, metadata={"name": name}, spec=spec, opts=opts)


def changed(old: Any, new: Any) -> StackDiff:
    return diff(recording(old), recording(new))


def first(found: StackDiff) -> set[str]:
    return {c.urn.rpartition("::")[2] for c in found.resources if c.deleted_first}


def test_what_takes_an_input_from_an_object_of_a_fixed_name_falls_with_it() -> None:
    found = changed(workload("a"), workload("b"))
    assert first(found) == {"settings", "echo", "batch"}
    assert set(operations(found).values()) == {"replace"}  # an HPA is updated by its spec
    assert change(found, "echo").because == (change(found, "settings").urn,)
    assert change(found, "batch").because == (change(found, "echo").urn,)


def test_a_deployment_that_serves_is_lost_with_its_calls_and_another_is_not() -> None:
    found = changed(workload("a"), workload("b"))
    assert change(found, "echo").loses == "the calls to its pods"
    assert change(found, "batch").loses == ""
    gone = changed(workload("a"), lambda: None)
    assert change(gone, "echo").loses == "the calls to its pods"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        # Another name: the new one is created first.
        (workload("a", "settings-1"), workload("b", "settings-2")),
        # Only a dependency.
        (workload("a", by="wait"), workload("b", by="wait")),
    ],
)
def test_nothing_falls_with_what_is_made_first_or_only_waited_for(old: Any, new: Any) -> None:
    assert operations(changed(old, new)).get("echo") != "replace"


def test_the_program_can_ask_for_the_deletion_first() -> None:
    def program(comment: str) -> Any:
        def run() -> None:
            opts = ResourceOptions(delete_before_replace=True, replace_on_changes=["comment"])
            zone = aws.route53.Zone("zone", name="a.example", comment=comment, opts=opts)
            aws.route53.Record("record", zone_id=zone.zone_id, name="a", type="A", ttl=5)

        return run

    found = changed(program("one"), program("two"))
    assert first(found) == {"zone", "record"}


def test_a_new_cluster_gets_its_objects_before_the_old_one_loses_them() -> None:
    def program(server: str) -> Any:
        kubeconfig = (
            f'{{"clusters": [{{"name": "c", "cluster": {{"server": "https://{server}"}}}}],'
            '"contexts": [{"name": "c", "context": {"cluster": "c"}}], "current-context": "c"}'
        )

        def run() -> None:
            provider = k8s.Provider("cluster", kubeconfig=kubeconfig)
            opts = ResourceOptions(provider=provider)
            k8s.core.v1.ConfigMap("map", metadata={"name": "map"}, data={"a": "b"}, opts=opts)

        return run

    found = changed(program("x"), program("y"))
    only: ResourceChange = change(found, "map")
    assert (only.operation, only.deleted_first) == ("replace", False)
