"""external-dns: its rights to write and read, and the resources that it waits for."""

import json
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
import pytest

from grpc_platform.conventions import EXTERNAL_DNS_ANNOTATION_PREFIX, OTHER_ANNOTATION_PREFIXES
from grpc_platform.dns.external_dns import ExternalDns, ExternalDnsArgs, ownership_record
from grpc_platform.monitoring.alert import Thresholds
from grpc_platform.names import name_prefix
from grpc_platform.specs import ExternalDnsSpec
from grpc_platform.timing import EXTERNAL_DNS_REACTION, parse_duration
from grpc_platform_tools.graph import Graph, Resource
from grpc_platform_tools.preview.record import record
from tests.iam import findings

ZONE_ARN = "arn:aws:route53:::hostedzone/Z0123456789"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
ASSOCIATION = "aws:eks/podIdentityAssociation:PodIdentityAssociation"


def arguments(
    cluster_name: str | None = "serving", spec: ExternalDnsSpec | None = None
) -> ExternalDnsArgs:
    return ExternalDnsArgs(
        cluster_name=cluster_name,
        owner_id="grpc-platform/eu-west-1/serving",
        former_owner_id="grpc-platform/prod/serving",
        zone_id="Z0123456789",
        zone_arn=ZONE_ARN,
        dns_name="serving.grpc.example.com",
        envoy_namespace="projectcontour",
        spec=spec or ExternalDnsSpec(),
        tags={"team": "platform"},
    )


class Fleet(pulumi.ComponentResource):
    """Stands for Envoy: a resource to wait for."""

    def __init__(self) -> None:
        super().__init__("test:index:Fleet", "envoy")
        k8s.core.v1.Namespace("envoy", opts=pulumi.ResourceOptions(parent=self))


def in_eks() -> Graph:
    return record(
        lambda: ExternalDns(
            "external-dns", arguments(), pulumi.ResourceOptions(depends_on=[Fleet()])
        )
    )


def outside_eks() -> Graph:
    spec = ExternalDnsSpec(
        credentials_secret="route53-credentials", route53_endpoint="http://route53:5000"
    )
    return record(lambda: ExternalDns("external-dns", arguments(None, spec)))


@pytest.fixture(scope="module")
def graph() -> Graph:
    return in_eks()


def pod(graph: Graph) -> dict[str, Any]:
    return graph.only(DEPLOYMENT).inputs["spec"]["template"]


def container(graph: Graph) -> dict[str, Any]:
    return pod(graph)["spec"]["containers"][0]


def policy(resource: Resource, key: str) -> dict[str, Any]:
    return json.loads(resource.inputs[key])


def test_only_its_own_name_and_that_names_owner_can_be_written_and_nothing_deleted(
    graph: Graph,
) -> None:
    statements = policy(graph.only("aws:iam/rolePolicy:RolePolicy"), "policy")["Statement"]
    write = next(s for s in statements if s["Action"] == "route53:ChangeResourceRecordSets")
    assert write["Resource"] == ZONE_ARN
    assert write["Condition"] == {
        "ForAllValues:StringEquals": {
            "route53:ChangeResourceRecordSetsNormalizedRecordNames": [
                "serving.grpc.example.com",
                "_external-dns-a.serving.grpc.example.com",
            ],
            "route53:ChangeResourceRecordSetsRecordTypes": ["A", "TXT"],
            "route53:ChangeResourceRecordSetsActions": ["CREATE", "UPSERT"],
        }
    }
    assert {s["Effect"] for s in statements} == {"Allow"}
    assert {s["Action"]: s["Resource"] for s in statements if s is not write} == {
        "route53:ListResourceRecordSets": ZONE_ARN,
        "route53:ListHostedZones": "*",
    }


def test_only_its_own_account_in_its_own_cluster_takes_on_the_role(graph: Graph) -> None:
    role = graph.only("aws:iam/role:Role")
    (trust,) = policy(role, "assumeRolePolicy")["Statement"]
    assert trust["Effect"] == "Allow"
    assert trust["Principal"] == {"Service": "pods.eks.amazonaws.com"}
    assert trust["Action"] == ["sts:AssumeRole", "sts:TagSession"]
    association = graph.only(ASSOCIATION).inputs
    assert trust["Condition"]["StringEquals"] == {
        "aws:RequestTag/eks-cluster-name": association["clusterName"],
        "aws:RequestTag/kubernetes-namespace": association["namespace"],
        "aws:RequestTag/kubernetes-service-account": association["serviceAccount"],
    }
    account = graph.only("kubernetes:core/v1:ServiceAccount").inputs["metadata"]
    assert association["namespace"] == account["namespace"]
    assert association["serviceAccount"] == account["name"]
    assert pod(graph)["spec"]["serviceAccountName"] == account["name"]


def test_everything_of_it_belongs_to_the_component(graph: Graph) -> None:
    component = graph.only("grpc-platform:index:ExternalDns").urn
    aws = [r for r in graph if r.type.startswith("aws:")]
    assert len(aws) == 3
    assert {r.parent for r in aws} == {component}


def test_its_role_has_a_name_that_fits_and_that_a_second_one_may_have_beside_it(
    graph: Graph,
) -> None:
    role = graph.only("aws:iam/role:Role").inputs
    assert role["namePrefix"] == name_prefix("external-dns")
    assert "name" not in role


def test_its_policies_pass_the_linter(graph: Graph) -> None:
    assert findings(graph) == []


def test_the_identity_and_envoy_come_before_the_pod_and_a_new_identity_replaces_it(
    graph: Graph,
) -> None:
    deployment = graph.only(DEPLOYMENT)
    needs = {graph.by_urn(urn).type for urn in graph.needs(deployment)}
    assert {ASSOCIATION, "aws:iam/rolePolicy:RolePolicy"} <= needs
    assert "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding" in needs
    fleet = graph.only("kubernetes:core/v1:Namespace", "envoy")
    assert fleet.urn in graph.needs(deployment)
    annotations = pod(graph)["metadata"]["annotations"]
    assert annotations["grpc-platform/pod-identity"] == "a-external-dns-identity"


def test_its_port_is_never_open_to_more_than_its_network_policy_admits(graph: Graph) -> None:
    """A pod that starts first can be reached by all until the policy is there."""
    deployment = graph.only(DEPLOYMENT)
    policy = graph.only("kubernetes:networking.k8s.io/v1:NetworkPolicy")
    assert policy.urn in graph.needs(deployment)


def test_it_reads_the_services_pods_and_endpoint_slices_of_envoys_namespace_and_nothing_else(
    graph: Graph,
) -> None:
    role = graph.only("kubernetes:rbac.authorization.k8s.io/v1:Role").inputs
    assert role["metadata"]["namespace"] == "projectcontour"
    allowed = {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    assert allowed == {
        (group, resource, verb)
        for group, resource in (
            ("", "services"),
            ("", "pods"),
            ("discovery.k8s.io", "endpointslices"),
        )
        for verb in ("list", "watch")
    }
    binding = graph.only("kubernetes:rbac.authorization.k8s.io/v1:RoleBinding").inputs
    assert binding["metadata"]["namespace"] == "projectcontour"
    assert binding["subjects"] == [
        {"kind": "ServiceAccount", "name": "external-dns", "namespace": "external-dns"}
    ]
    assert not graph.of_type("kubernetes:rbac.authorization.k8s.io/v1:ClusterRole")


FLAGS = {
    "--provider=aws": "writes to Route53",
    "--source=service": "reads Services only: the hosts of Ingresses are the stack's own CNAMEs",
    "--service-type-filter=ClusterIP": "a headless Service's pods are published",
    "--namespace=projectcontour": "may read this namespace only, and would stop at another",
    f"--annotation-prefix={EXTERNAL_DNS_ANNOTATION_PREFIX}": "Envoy's Service has this one",
    "--domain-filter=serving.grpc.example.com": "plans no change of another name",
    "--zone-id-filter=Z0123456789": "another zone of the same domain stays as it is",
    "--aws-zone-match-parent": "the zone is above the domain filter, and would not match",
    "--managed-record-types=A": "plans no CNAME, and the role could not write it",
    "--policy=upsert-only": "deletes no name while no Envoy is ready",
    "--registry=txt": "leaves records alone that another owner wrote",
    "--txt-owner-id=grpc-platform/eu-west-1/serving": "knows its own records by this",
    "--migrate-from-txt-owner=grpc-platform/prod/serving": "takes over what release 0.1 wrote",
    "--txt-prefix=_external-dns-%{record_type}.": "its TXT records collide with no host",
    "--events": "syncs when the Service changes",
    "--listen-endpoint-events": "syncs when a pod comes or goes",
    "--min-event-sync-interval=5s": "syncs in the time that the drain counts with",
    "--interval=1m": "syncs without an event, three times before the alert of late syncs",
    "--aws-zones-cache-duration=5m": "stays within Route53's five requests a second",
    "--metrics-address=:7979": "is probed and scraped there",
}


@pytest.mark.parametrize("flag", FLAGS)
def test_each_flag_has_an_effect_that_is_missed_without_it(graph: Graph, flag: str) -> None:
    assert flag in container(graph)["args"], FLAGS[flag]
    assert len(container(graph)["args"]) == len(FLAGS)


def test_its_own_times_fit_the_platforms(graph: Graph) -> None:
    flags = dict(flag.split("=", 1) for flag in container(graph)["args"] if "=" in flag)
    late = timedelta(seconds=Thresholds().sync_seconds)
    assert parse_duration(flags["--interval"]) * 3 <= late
    # A sync interval, then up to a tick of one second; a margin of one more.
    reaction = parse_duration(flags["--min-event-sync-interval"]) + timedelta(seconds=2)
    assert reaction == EXTERNAL_DNS_REACTION
    # Each sync lists records; uncached it would list all zones three times more.
    assert parse_duration(flags["--aws-zones-cache-duration"]) >= timedelta(minutes=5)
    assert container(graph)["ports"][0]["containerPort"] == int(flags["--metrics-address"][1:])


def test_the_record_beside_its_name_is_the_one_it_may_write(graph: Graph) -> None:
    (prefix,) = [f.split("=")[1] for f in container(graph)["args"] if f.startswith("--txt-prefix=")]
    record = prefix.replace("%{record_type}", "a") + "serving.grpc.example.com"
    assert record == ownership_record("serving.grpc.example.com")


def test_no_other_external_dns_of_the_cluster_reads_its_annotations() -> None:
    assert EXTERNAL_DNS_ANNOTATION_PREFIX not in OTHER_ANNOTATION_PREFIXES
    assert EXTERNAL_DNS_ANNOTATION_PREFIX.endswith("/"), "it is refused otherwise"


def test_the_same_program_may_make_the_image_and_its_secret() -> None:
    def program() -> None:
        image = pulumi.Output.from_input("registry.example.com/external-dns:v1")
        args = replace(arguments(), image=image, image_pull_secrets=["mirror"])
        ExternalDns("external-dns", args)

    graph = record(program)
    assert container(graph)["image"] == "registry.example.com/external-dns:v1"
    assert pod(graph)["spec"]["imagePullSecrets"] == [{"name": "mirror"}]


def test_outside_eks_its_credentials_come_from_a_secret_and_nothing_of_aws_iam_is_made() -> None:
    graph = outside_eks()
    assert [r.type for r in graph if r.type.startswith("aws:")] == []
    assert container(graph)["envFrom"] == [{"secretRef": {"name": "route53-credentials"}}]
    assert container(graph)["env"] == [
        {"name": "AWS_DEFAULT_REGION", "value": "us-east-1"},
        {"name": "AWS_ENDPOINT_URL_ROUTE_53", "value": "http://route53:5000"},
    ]


def test_in_eks_the_secret_of_other_clusters_is_not_used() -> None:
    spec = ExternalDnsSpec(credentials_secret="route53-credentials")
    graph = record(lambda: ExternalDns("external-dns", arguments("serving", spec)))
    assert container(graph)["envFrom"] == container(graph)["env"] == []
    assert graph.of_type(ASSOCIATION)


def test_without_any_credentials_it_is_refused() -> None:
    message = (
        "ExternalDns external-dns: cluster_name: is required, or external_dns.credentials_secret "
        "outside EKS: external-dns needs credentials for Route53"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        record(lambda: ExternalDns("external-dns", arguments(None)))


def test_the_component_tells_its_namespace(graph: Graph) -> None:
    outputs = graph.only("grpc-platform:index:ExternalDns").outputs
    assert outputs == {"namespace": container_namespace(graph)}


def container_namespace(graph: Graph) -> str:
    return graph.only(DEPLOYMENT).inputs["metadata"]["namespace"]


def test_its_pod_is_hardened_in_a_namespace_that_insists_on_it(graph: Graph) -> None:
    namespace = graph.only("kubernetes:core/v1:Namespace", "external-dns").inputs["metadata"]
    assert namespace["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert container(graph)["securityContext"]["readOnlyRootFilesystem"] is True
    assert graph.only(DEPLOYMENT).inputs["spec"]["strategy"] == {"type": "Recreate"}


def test_every_resource_of_aws_carries_the_tags(graph: Graph) -> None:
    for type_token in ("aws:iam/role:Role", ASSOCIATION):
        assert graph.only(type_token).inputs["tags"] == {"team": "platform"}


def test_without_monitors_a_prometheus_finds_the_pods_by_their_annotations(graph: Graph) -> None:
    assert pod(graph)["metadata"]["annotations"]["prometheus.io/scrape"] == "true"
