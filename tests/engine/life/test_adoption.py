"""What exists before the stack: a record made by hand, a namespace, another external-dns."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from testbed.cluster import deploy
from testbed.cluster.cluster import Cluster
from testbed.cluster.errors import LocalError
from tests.engine.life.conftest import Life
from tests.engine.life.objects import documented, records
from tests.engine.platform import NOTHING, Recorded

NAME = "other-external-dns"
WITH_US = {"metadata": {"name": NAME, "namespace": "external-dns"}}
WANTED: dict[str, Any] = {
    "services": {
        "more": {"selector": {"app.kubernetes.io/name": "load"}},
        "fresh": {"selector": {"app.kubernetes.io/name": "load"}},
    },
    "namespaces": {"theirs": {}},
}
BY_HAND = {
    "Name": "more.grpc.test",
    "Type": "CNAME",
    "TTL": 300,
    "ResourceRecords": [{"Value": "load.grpc.test"}],
}


@pytest.fixture(scope="module")
def other(life: Life) -> Iterator[None]:
    """Another external-dns, with the default annotation prefix and the usual sources. It works: a
    name of its own is published."""
    cluster = life.lab.cluster
    objects = other_external_dns(cluster)
    deploy.apply(cluster, objects)
    try:
        yield
    finally:
        for item in objects:
            cluster.kubectl("delete", "-f", "-", "--ignore-not-found", stdin=json.dumps(item))


def other_external_dns(cluster: Cluster) -> list[dict[str, Any]]:
    ours = cluster.get("deployment", "-n", "external-dns", "external-dns")
    pod = copy.deepcopy(ours["spec"]["template"]["spec"])
    pod["serviceAccountName"] = NAME
    pod["containers"][0]["args"] = [
        "--provider=aws",
        "--source=service",
        "--source=ingress",
        "--policy=sync",
        "--registry=txt",
        "--txt-owner-id=others",
        "--interval=5s",
        "--metrics-address=:7979",
    ]
    labels = {"app.kubernetes.io/name": NAME}
    template = {"metadata": {"labels": labels}, "spec": pod}
    rbac = "rbac.authorization.k8s.io"
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", **WITH_US},
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": NAME},
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": "external-dns"}],
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            **WITH_US,
            "spec": {"selector": {"matchLabels": labels}, "template": template},
        },
    ]


def published_by_them(cluster: Cluster, name: str) -> None:
    """Give the other external-dns a name to publish, and wait until it is there."""
    annotations = {"external-dns.alpha.kubernetes.io/hostname": f"{name}.grpc.test"}
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default", "annotations": annotations},
        "spec": {
            "clusterIP": "None",
            "selector": {"app.kubernetes.io/name": "load"},
            "ports": [{"port": 1}],
        },
    }
    deploy.apply(cluster, [service])
    cluster.wait(
        f"the other external-dns to publish {name}",
        lambda: cluster.published(f"{name}.grpc.test", "A"),
        timeout=120,
    )


def test_what_exists_is_adopted_as_documented(life: Life, other: None) -> None:
    lab, cluster = life.lab, life.lab.cluster
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "theirs"}}
    config = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "b"}}
    within = {**config, "metadata": {"name": "kept", "namespace": "theirs"}}
    deploy.apply(cluster, [namespace, within])
    records(cluster, {"Changes": [{"Action": "CREATE", "ResourceRecordSet": BY_HAND}]})
    uid = cluster.get("namespace", "theirs")["metadata"]["uid"]

    wanted = Recorded.of(lab.program(**WANTED))
    engine = life.platform.home.engine(wanted.program, "local")
    with pytest.raises(LocalError, match=r"more\.grpc\.test.* as a non-weighted set exists"):
        engine.up(environment={"PULUMI_K8S_UPSERT_EXISTING_OBJECTS": "true"})

    batch = json.loads(
        documented("by-hand.json").replace("greeter.grpc.example.com", "more.grpc.test")
    )
    delete, create = batch["Changes"]
    delete["ResourceRecordSet"]["ResourceRecords"] = BY_HAND["ResourceRecords"]
    create["ResourceRecordSet"]["ResourceRecords"] = BY_HAND["ResourceRecords"]
    records(cluster, batch)
    life.platform.replace_by(wanted)
    both = [r for r in records(cluster) if r["Name"] == "more.grpc.test"]
    assert {r["SetIdentifier"].partition(" ")[0]: r["Weight"] for r in both} == {
        "by-hand": 100,
        "local": 100,
    }
    records(cluster, {"Changes": [{**create, "Action": "DELETE"}]})

    assert cluster.get("namespace", "theirs")["metadata"]["uid"] == uid
    assert cluster.get("configmap", "-n", "theirs", "kept")["data"] == {"a": "b"}
    life.assert_whole()


def test_another_external_dns_publishes_none_of_our_names(life: Life, other: None) -> None:
    """After `more` and `fresh` have their Ingresses, with an address in their status."""
    cluster = life.lab.cluster
    published_by_them(cluster, "first")
    published_by_them(cluster, "second")
    theirs = {
        record["Name"]
        for record in records(cluster)
        if record["Type"] == "TXT"
        and any("owner=others" in value["Value"] for value in record["ResourceRecords"])
    }
    assert theirs
    assert {name.removeprefix("a-") for name in theirs} == {"first.grpc.test", "second.grpc.test"}
    for service in ("more", "fresh"):
        found = [r for r in records(cluster) if r["Name"] == f"{service}.grpc.test"]
        assert [r["SetIdentifier"].partition(" ")[0] for r in found] == ["local"]
        cluster.kubectl("delete", "service", {"more": "first", "fresh": "second"}[service])


def test_an_adopted_namespace_can_be_given_back(life: Life) -> None:
    cluster = life.lab.cluster
    engine = life.engine()
    (urn,) = (r["urn"] for r in engine.export()["resources"] if r["urn"].endswith("::theirs.local"))
    engine.pulumi("state", "delete", urn, "--yes")
    life.platform.bring_to(NOTHING)
    assert cluster.get("configmap", "-n", "theirs", "kept")["data"] == {"a": "b"}
    cluster.kubectl("delete", "namespace", "theirs")
    life.assert_whole()
