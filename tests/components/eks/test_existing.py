import json
from collections.abc import Callable

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as k8s

from grpc_platform.eks.existing import ExistingCluster, ExistingClusterArgs
from grpc_platform_tools.diff.replacement import forces_replacement
from grpc_platform_tools.graph import Graph

Recorder = Callable[[Callable[[], object]], Graph]

COMPONENT = "grpc-platform:index:ExistingCluster"
PROVIDER = "pulumi:providers:kubernetes"


def existing(kubeconfig: pulumi.Input[str], context: str = "kind") -> ExistingCluster:
    args = ExistingClusterArgs(kubeconfig=kubeconfig, context=context)
    return ExistingCluster("main", args)


def test_an_existing_cluster_is_a_provider_and_nothing_else(recorded: Recorder) -> None:
    def program() -> None:
        provider = existing("build/kubeconfig").provider
        k8s.core.v1.Namespace("inhabitant", opts=pulumi.ResourceOptions(provider=provider))

    graph = recorded(program)
    provider = graph.only(PROVIDER)
    assert provider.inputs["kubeconfig"] == "build/kubeconfig"
    assert provider.inputs["context"] == "kind"
    assert [r.type for r in graph if r.type.startswith("aws:")] == []
    assert graph.only("kubernetes:core/v1:Namespace").provider == provider.urn
    assert graph.only(COMPONENT).outputs == {"name": "main"}


def test_the_kubeconfig_of_an_existing_cluster_may_be_a_secret(recorded: Recorder) -> None:
    content = "apiVersion: v1"
    provider = recorded(lambda: existing(pulumi.Output.secret(content))).only(PROVIDER)
    assert "inputs.kubeconfig" in provider.secret_paths
    assert content not in json.dumps(provider.inputs)


def test_an_edited_kubeconfig_replaces_nothing_in_the_cluster(recorded: Recorder) -> None:
    def kubeconfig(context: str, **cluster: str) -> str:
        entry = {"server": "https://main.invalid", **cluster}
        chosen = {"context": {"cluster": "main", "user": "me"}, "name": context}
        return json.dumps({"clusters": [{"cluster": entry, "name": "main"}], "contexts": [chosen]})

    before = recorded(lambda: existing(kubeconfig("kind"))).only(PROVIDER)
    edited = kubeconfig("other", **{"proxy-url": "http://proxy.invalid"})
    after = recorded(lambda: existing(edited, "other")).only(PROVIDER)
    for key in ("kubeconfig", "context"):
        old, new = before.inputs[key], after.inputs[key]
        assert old != new
        assert not forces_replacement(
            PROVIDER, (key,), old, new, before=before.inputs, after=after.inputs
        )


def test_a_field_that_was_changed_by_hand_is_taken_back(recorded: Recorder) -> None:
    """Whoever changed it owns it, and without force the API server refuses the update."""
    provider = recorded(lambda: existing("build/kubeconfig")).only(PROVIDER)
    assert provider.inputs["enablePatchForce"] == "true"


def test_a_stack_of_release_0_1_keeps_its_provider(recorded: Recorder) -> None:
    graph = recorded(lambda: existing("build/kubeconfig"))
    former = graph.only(COMPONENT).urn.replace("ExistingCluster", "Cluster")
    assert former in graph.only(COMPONENT).aliases
    assert graph.only(PROVIDER).urn.replace("ExistingCluster", "Cluster") in (
        graph.only(PROVIDER).aliases
    )


def test_the_provider_waits_for_what_the_component_depends_on(recorded: Recorder) -> None:
    def program() -> None:
        opts = pulumi.ResourceOptions(depends_on=[aws.sns.Topic("first")])
        ExistingCluster("main", ExistingClusterArgs(kubeconfig="build/kubeconfig"), opts)

    graph = recorded(program)
    assert graph.only("aws:sns/topic:Topic").urn in graph.only(PROVIDER).depends_on
