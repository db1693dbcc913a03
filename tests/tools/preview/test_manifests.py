"""Manifests are what kubectl takes: in order, whole, read by Go as meant, without secrets."""

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from grpc_platform_tools.graph import SECRET, Graph, Resource
from grpc_platform_tools.preview.manifests import manifest_warnings, manifests


def kubernetes(kind: str, name: str, namespace: str | None = None, **fields: Any) -> Resource:
    """One Kubernetes object as recorded; `fields` may name those of Resource too."""
    own = {k: fields.pop(k) for k in ("provider", "depends_on", "secret_paths") if k in fields}
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    metadata |= fields.pop("metadata", {})
    return Resource(
        urn=f"urn:{own.get('provider')}:{kind}:{namespace}:{name}",
        type=f"kubernetes:core/v1:{kind}",
        name=f"logical-{name}",
        inputs={"apiVersion": "v1", "kind": kind, "metadata": metadata, **fields},
        **own,
    )


def provider(name: str, kind: str = "Cluster") -> Resource:
    """A Kubernetes provider."""
    urn = f"urn:{kind}::{name}"
    return Resource(urn=urn, type="pulumi:providers:kubernetes", name=name)


def body_of(resource: Resource) -> dict[str, Any]:
    """A resource's manifest, read back."""
    (manifest,) = manifests(Graph((resource,)))
    return yaml.safe_load(manifest.text())


def test_files_are_numbered_in_the_order_of_the_graph() -> None:
    graph = Graph((kubernetes("Namespace", "edge"), kubernetes("ConfigMap", "envoy", "edge")))
    assert [str(m.path) for m in manifests(graph)] == [
        "001-namespace-edge.yaml",
        "002-configmap-edge-envoy.yaml",
    ]


def test_more_than_a_thousand_files_still_sort_by_number() -> None:
    paths = [
        str(m.path)
        for m in manifests(Graph(tuple(kubernetes("ConfigMap", f"m{n}") for n in range(1001))))
    ]
    assert paths == sorted(paths)


def test_a_name_that_is_no_file_name_is_made_one() -> None:
    (manifest,) = manifests(Graph((kubernetes("ClusterRole", "system:contour/x"),)))
    assert str(manifest.path) == "001-clusterrole-system-contour-x.yaml"
    assert yaml.safe_load(manifest.text())["metadata"]["name"] == "system:contour/x"


def test_each_of_several_clusters_has_a_folder_and_numbers_of_its_own() -> None:
    one, two = provider("main"), provider("main", kind="Other")
    objects = [kubernetes("Namespace", "edge", provider=p.urn) for p in (one, two)]
    loose = kubernetes("Namespace", "edge")
    paths = [str(m.path) for m in manifests(Graph((one, two, *objects, loose)))]
    assert paths == [f"{f}/001-namespace-edge.yaml" for f in ("main", "main~2", "default")]


def test_pulumis_own_annotations_are_left_out_and_others_kept() -> None:
    annotations = {"pulumi.com/skipAwait": "true", "team": "edge"}
    body = body_of(kubernetes("Service", "envoy", metadata={"annotations": annotations}))
    assert body["metadata"]["annotations"] == {"team": "edge"}
    del annotations["team"]
    body = body_of(kubernetes("Service", "envoy", metadata={"annotations": annotations}))
    assert "annotations" not in body["metadata"]


def test_a_secret_value_is_named_in_a_comment_and_warned_of() -> None:
    secret = kubernetes(
        "Secret", "token", "edge", data={"a": SECRET}, secret_paths=("inputs.data.a",)
    )
    (manifest,) = manifests(Graph((secret,)))
    assert manifest.text().startswith("# Secret, so not in this file: data.a\n")
    assert manifest_warnings(Graph((secret,))) == [
        "Secret edge/token: secret values are left out of its manifest"
    ]


def test_an_object_without_a_name_gets_its_logical_one_and_a_warning() -> None:
    resource = kubernetes("ConfigMap", "")
    del resource.inputs["metadata"]["name"]
    assert body_of(resource)["metadata"]["name"] == "logical-"
    (warning,) = manifest_warnings(Graph((resource,)))
    assert "has no metadata.name: Pulumi would add a random suffix" in warning


def test_an_object_that_does_not_wait_for_its_namespace_is_warned_of() -> None:
    namespace = kubernetes("Namespace", "edge", provider="urn:p")
    early = kubernetes("ConfigMap", "early", "edge", provider="urn:p")
    elsewhere = kubernetes("ConfigMap", "elsewhere", "edge", provider="urn:q")
    patient = kubernetes("ConfigMap", "m", "edge", provider="urn:p", depends_on=(namespace.urn,))
    assert manifest_warnings(Graph((namespace, early, patient, elsewhere))) == [
        "ConfigMap edge/early in urn-p does not wait for its namespace, which this program makes"
    ]


def test_a_resource_that_is_no_single_object_is_warned_of() -> None:
    release = Resource(urn="urn:r", type="kubernetes:helm.sh/v3:Release", name="chart")
    assert manifests(Graph((release,))) == []
    assert manifest_warnings(Graph((release,))) == [
        "kubernetes:helm.sh/v3:Release chart has no manifest: it is not one Kubernetes object"
    ]


def test_text_of_several_lines_is_a_block() -> None:
    (manifest,) = manifests(Graph((kubernetes("ConfigMap", "m", data={"a.yaml": "x: 1\ny: 2\n"}),)))
    assert "  a.yaml: |\n    x: 1\n    y: 2\n" in manifest.text()


# What gopkg.in/yaml and sigs.k8s.io/yaml read as a number or boolean when it is not in quotes.
NO_TEXT_TO_GO = "y n Y N yes no on off true 1 -1 1e3 12e5 0x1F 0o17 .5 1_000 ~ null 2026-01-02"


@pytest.mark.parametrize("text", NO_TEXT_TO_GO.split())
def test_text_that_go_would_not_take_for_text_is_in_quotes(text: str) -> None:
    (manifest,) = manifests(Graph((kubernetes("ConfigMap", "m", data={"key": text}),)))
    assert f"  key: '{text}'\n" in manifest.text()


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), PLAIN))
def test_every_value_reads_back_as_it_was(data: dict[str, Any]) -> None:
    assert body_of(kubernetes("ConfigMap", "m", data=data))["data"] == data


def test_a_schemas_kubernetes_extensions_have_the_names_the_api_server_knows() -> None:
    schema = {"properties": {"spec": {"x_kubernetes_preserve_unknown_fields": True}}}
    body = body_of(kubernetes("CustomResourceDefinition", "things", versions=[{"schema": schema}]))
    assert body["versions"][0]["schema"]["properties"]["spec"] == {
        "x-kubernetes-preserve-unknown-fields": True
    }
