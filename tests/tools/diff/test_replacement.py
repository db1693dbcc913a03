"""Which changes replace a resource: the rules by example, and that they fit the SDKs and stacks."""

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
from pulumi._types import input_type_py_to_pulumi_names, input_type_types

from grpc_platform_tools.diff.replacement import forces_replacement, known
from grpc_platform_tools.diff.replacement_aws import AWS
from grpc_platform_tools.graph import Graph
from grpc_platform_tools.preview.program import run_program
from grpc_platform_tools.preview.stack_file import read_stack_file

ROOT = Path(__file__).parents[3]
CLUSTER = "aws:eks/cluster:Cluster"
NODES = "aws:eks/nodeGroup:NodeGroup"
ENDPOINT = "aws:ec2/vpcEndpoint:VpcEndpoint"
RULE = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
CONFIG_MAP = "kubernetes:core/v1:ConfigMap"
SECRET = "kubernetes:core/v1:Secret"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
POD = "kubernetes:core/v1:Pod"
PROVIDER = "pulumi:providers:kubernetes"
ROLE_ARN = "arn:aws:iam::000000000000:role/nodes"

REPLACES: list[tuple[str, str, Any, Any]] = [
    # The property itself, or what is in it.
    ("aws:ec2/vpc:Vpc", "cidrBlock", "10.0.0.0/16", "10.1.0.0/16"),
    ("aws:ec2/subnet:Subnet", "availabilityZone", "eu-west-1a", "eu-west-1b"),
    (CLUSTER, "name", "blue", "green"),
    (CLUSTER, "kubernetesNetworkConfig.ipFamily", "ipv4", "ipv6"),
    (CLUSTER, "roleArn", ROLE_ARN, f"{ROLE_ARN}-2"),
    (CLUSTER, "computeConfig.nodeRoleArn", ROLE_ARN, f"{ROLE_ARN}-2"),
    (CLUSTER, "vpcConfig.controlPlaneEgressMode", "CUSTOMER_ROUTED", None),
    (NODES, "launchTemplate.id", "lt-1", "lt-2"),
    (NODES, "remoteAccess.ec2SshKey", "mine", "yours"),
    (NODES, "subnetIds.0", "subnet-1", "subnet-2"),
    ("aws:route53/record:Record", "name", "a.example.com", "b.example.com"),
    ("aws:kms/key:Key", "keyUsage", "ENCRYPT_DECRYPT", "SIGN_VERIFY"),
    ("aws:iam/role:Role", "path", None, "/platform/"),
    (DEPLOYMENT, "spec.selector.matchLabels.app", "a", "b"),
    ("kubernetes:apps/v1:StatefulSet", "spec.volumeClaimTemplates.0.spec", {}, {"a": 1}),
    ("kubernetes:batch/v1:Job", "spec.template.spec.containers.0.image", "a:1", "a:2"),
    ("kubernetes:core/v1:Service", "spec.clusterIP", None, "None"),
    ("kubernetes:core/v1:PersistentVolumeClaim", "spec.storageClassName", "gp2", "gp3"),
    ("kubernetes:rbac.authorization.k8s.io/v1:RoleBinding", "roleRef.name", "a", "b"),
    ("kubernetes:storage.k8s.io/v1:StorageClass", "parameters.type", "gp2", "gp3"),
    ("kubernetes:helm.sh/v3:Release", "namespace", "a", "b"),
    (CONFIG_MAP, "data.key", "a", "b"),
    (SECRET, "stringData.key", "a", None),
    (POD, "spec.containers.1.image", "a:1", "a:2"),
    # What is around it.
    (CLUSTER, "outpostConfig", None, {"controlPlaneInstanceType": "m5.large"}),
    (CLUSTER, "encryptionConfig", {"resources": ["secrets"]}, None),
    (NODES, "launchTemplate", {"id": "lt-1", "version": "1"}, {"id": "lt-2", "version": "1"}),
    (DEPLOYMENT, "spec", {"replicas": 1}, {"replicas": 1, "selector": {}}),
    (DEPLOYMENT, "metadata", {"labels": {"a": "b"}}, None),
    (DEPLOYMENT, "metadata", None, {"namespace": "team"}),
    (POD, "spec.containers.1", None, {"image": "a:1"}),
    (POD, "spec.initContainers", None, [{"image": "a:1"}]),
    # If the name is left out, the provider generates a new one.
    ("aws:cloudwatch/logGroup:LogGroup", "name", "logs", None),
    (DEPLOYMENT, "metadata.name", None, "echo"),
    # Every kind is identified by name and namespace, also kinds that are not listed.
    ("kubernetes:projectcontour.io/v1:HTTPProxy", "metadata.namespace", "a", "b"),
    ("kubernetes:apps/v1:DeploymentPatch", "metadata.name", "a", "b"),
    # The order of these is one of preference.
    (NODES, "instanceTypes", ["m7i.large", "m6i.large"], ["m6i.large", "m7i.large"]),
    # A rule has one kind of peer.
    (RULE, "cidrIpv4", "10.0.0.0/16", None),
    ("aws:ec2/natGateway:NatGateway", "availabilityZoneAddresses", None, [{"allocationIds": []}]),
    ("aws:ec2/vpc:Vpc", "instanceTenancy", None, "dedicated"),
    ("aws:ec2/subnet:Subnet", "region", "eu-west-1", "eu-west-2"),
    (PROVIDER, "kubeconfig.clusters.0.cluster.server", "https://a", "https://b"),
]

UPDATES: list[tuple[str, str, Any, Any]] = [
    (CLUSTER, "version", "1.34", "1.35"),
    (CLUSTER, "version", "1.35", "1.34"),
    (CLUSTER, "vpcConfig.subnetIds.0", "subnet-1", "subnet-2"),
    (CLUSTER, "encryptionConfig", None, {"resources": ["secrets"]}),
    (CLUSTER, "encryptionConfig.provider.keyArn", "arn:1", "arn:2"),
    (CLUSTER, "computeConfig.nodeRoleArn", None, ROLE_ARN),
    (CLUSTER, "vpcConfig.controlPlaneEgressMode", None, "CUSTOMER_ROUTED"),
    (CLUSTER, "outpostConfig", None, {"outpostArns": ["arn:1"]}),
    (NODES, "launchTemplate.version", "1", "2"),
    (NODES, "launchTemplate", {"id": "lt-1", "version": "1"}, {"id": "lt-1", "version": "2"}),
    (NODES, "version", "1.34", "1.35"),
    ("aws:iam/role:Role", "assumeRolePolicy.Statement.0.Effect", "Allow", "Deny"),
    ("aws:ec2/securityGroup:SecurityGroup", "tags.Name", "a", "b"),
    ("aws:route53/record:Record", "type", "A", "CNAME"),
    ("aws:route53/record:Record", "setIdentifier", "blue", "green"),
    ("aws:route53/zone:Zone", "vpcs.1", None, {"vpcId": "vpc-2"}),
    (RULE, "cidrIpv4", "10.0.0.0/16", "10.1.0.0/16"),
    (RULE, "toPort", 443, 8443),
    ("aws:ec2/vpc:Vpc", "instanceTenancy", "dedicated", "default"),
    (DEPLOYMENT, "spec.template.spec.containers.0.image", "a:1", "a:2"),
    (DEPLOYMENT, "spec", {"selector": {}}, None),
    (DEPLOYMENT, "metadata", None, {"labels": {"a": "b"}}),
    (POD, "spec.containers.1", {"image": "a:1"}, None),
    (POD, "spec.activeDeadlineSeconds", 1, 2),
    ("kubernetes:apps/v1:DeploymentPatch", "spec.selector.matchLabels.app", "a", "b"),
    ("kubernetes:apps/v1beta1:Deployment", "spec.selector.matchLabels.app", "a", "b"),
    ("kubernetes:core/v1:Service", "spec.type", "ClusterIP", "LoadBalancer"),
    ("kubernetes:core/v1:PersistentVolumeClaim", "spec.resources.requests.storage", "1Gi", "2Gi"),
    ("kubernetes:policy/v1:PodDisruptionBudget", "spec.selector.matchLabels.app", "a", "b"),
    ("kubernetes:rbac.authorization.k8s.io/v1:RoleBinding", "subjects.0.name", "a", "b"),
    (CONFIG_MAP, "immutable", None, True),
    # The same thing said in another way.
    (NODES, "subnetIds", ["subnet-1", "subnet-2"], ["subnet-2", "subnet-1"]),
    ("aws:route53/zone:Zone", "name", "grpc.example.com", "GRPC.example.com."),
    ("aws:ec2/subnet:Subnet", "ipv6Native", None, False),
    ("aws:kms/key:Key", "keyUsage", None, "ENCRYPT_DECRYPT"),
    ("aws:ec2/natGateway:NatGateway", "connectivityType", "public", None),
    (ENDPOINT, "vpcEndpointType", None, "Gateway"),
    (DEPLOYMENT, "metadata.namespace", None, "default"),
    ("kubernetes:core/v1:Namespace", "metadata.namespace", None, "elsewhere"),
    # An input that is left out keeps its value.
    ("aws:ec2/subnet:Subnet", "availabilityZone", "eu-west-1a", None),
    (NODES, "launchTemplate", {"id": "lt-1"}, None),
    (PROVIDER, "kubeconfig.users.0.user.exec.command", "aws", "sh"),
    # There are no rules for the type.
    ("random:index/randomId:RandomId", "byteLength", 1, 2),
]


def path_of(dotted: str) -> tuple[str | int, ...]:
    return tuple(int(part) if part.isdigit() else part for part in dotted.split("."))


@pytest.mark.parametrize(("type_token", "path", "old", "new"), REPLACES)
def test_a_change_that_the_provider_cannot_make_replaces(
    type_token: str, path: str, old: Any, new: Any
) -> None:
    assert forces_replacement(type_token, path_of(path), old, new)


@pytest.mark.parametrize(("type_token", "path", "old", "new"), UPDATES)
def test_a_change_that_the_provider_can_make_does_not_replace(
    type_token: str, path: str, old: Any, new: Any
) -> None:
    assert not forces_replacement(type_token, path_of(path), old, new)


def test_elements_of_a_set_that_only_moved_do_not_replace() -> None:
    before = {"subnetIds": ["subnet-1", "subnet-2"]}
    moved = {"subnetIds": ["subnet-2", "subnet-1"]}
    other = {"subnetIds": ["subnet-2", "subnet-3"]}
    path = ("subnetIds", 0)
    assert not forces_replacement(NODES, path, "subnet-1", "subnet-2", before=before, after=moved)
    assert forces_replacement(NODES, path, "subnet-1", "subnet-2", before=before, after=other)


@pytest.mark.parametrize(
    ("kind", "path", "setting", "after", "replaced"),
    [
        (CONFIG_MAP, ("data", "key"), "enableConfigMapMutable", {}, False),
        (CONFIG_MAP, ("data", "key"), "enableConfigMapMutable", {"immutable": True}, True),
        (CONFIG_MAP, ("data", "key"), "enableSecretMutable", {}, True),
        (SECRET, ("data", "key"), "enableSecretMutable", {}, False),
        (SECRET, ("type",), "enableSecretMutable", {}, True),
    ],
)
@pytest.mark.parametrize("enabled", [True, "true"])
def test_data_is_updated_where_the_provider_is_told_that_it_may_be(
    kind: str, path: tuple[str], setting: str, after: Any, replaced: bool, enabled: Any
) -> None:
    provider = {setting: enabled}
    found = forces_replacement(kind, path, "a", "b", after=after, provider=provider)
    assert found is replaced


def test_what_a_resource_leaves_out_it_has_from_its_provider() -> None:
    namespace = ("metadata", "namespace")
    provider = {"namespace": "team"}
    assert not forces_replacement(DEPLOYMENT, namespace, None, "team", provider=provider)
    assert forces_replacement(DEPLOYMENT, namespace, None, "default", provider=provider)
    region = {"region": "eu-west-1"}
    assert not forces_replacement(CLUSTER, ("region",), None, "eu-west-1", provider=region)
    assert forces_replacement(CLUSTER, ("region",), None, "eu-west-2", provider=region)


def test_private_names_are_an_update_of_an_interface_endpoint_alone() -> None:
    change: tuple[Any, ...] = (ENDPOINT, ("privateDnsEnabled",), False, True)
    assert not forces_replacement(*change, after={"vpcEndpointType": "Interface"})
    assert forces_replacement(*change, after={"vpcEndpointType": "Resource"})


def test_a_subnet_that_assigns_ipv6_addresses_keeps_its_block() -> None:
    change: tuple[Any, ...] = ("aws:ec2/subnet:Subnet", ("ipv6CidrBlock",), "a::/64", "b::/64")
    assert forces_replacement(*change, before={"assignIpv6AddressOnCreation": True})
    assert not forces_replacement(*change, before={})


def kubeconfig(server: str, user: str = "me") -> str:
    return json.dumps(
        {
            "clusters": [
                {"name": "other", "cluster": {"server": "https://other"}},
                {"name": "c", "cluster": {"server": server}},
            ],
            "contexts": [
                {"name": "x", "context": {"cluster": "c", "user": "u"}},
                {"name": "y", "context": {"cluster": "other", "user": "u"}},
            ],
            "users": [{"name": "u", "user": {"exec": {"command": user}}}],
            "current-context": "x",
        }
    )


@pytest.mark.parametrize(
    ("before", "after", "path", "replaced"),
    [
        ({}, {"kubeconfig": kubeconfig("https://b")}, "kubeconfig.clusters.1.cluster.server", True),
        ({}, {"context": "y"}, "context", True),
        ({}, {"cluster": "other"}, "cluster", True),
        ({}, {"context": "x"}, "context", False),
        ({}, {"context": "absent"}, "context", False),
        ({}, {"kubeconfig": kubeconfig("https://a", "you")}, "kubeconfig.users.0.user", False),
        ({}, {"namespace": "team"}, "namespace", False),
        ({}, {"renderYamlToDirectory": "out"}, "renderYamlToDirectory", True),
        ({}, {"clusterIdentifier": "one"}, "clusterIdentifier", False),
        ({"clusterIdentifier": "one"}, {}, "clusterIdentifier", False),
        (
            {"clusterIdentifier": "one"},
            {"clusterIdentifier": "two"},
            "clusterIdentifier",
            True,
        ),
        (
            {"clusterIdentifier": "one"},
            {"clusterIdentifier": "one", "kubeconfig": kubeconfig("https://b")},
            "kubeconfig.clusters.1.cluster.server",
            False,
        ),
    ],
)
def test_a_kubernetes_provider_is_replaced_with_the_cluster_it_speaks_to(
    before: dict[str, Any], after: dict[str, Any], path: str, replaced: bool
) -> None:
    before, after = ({"kubeconfig": kubeconfig("https://a")} | side for side in (before, after))
    key = path.split(".")[0]
    found = forces_replacement(
        PROVIDER, path_of(path), before.get(key), after.get(key), before=before, after=after
    )
    assert found is replaced


def test_a_region_replaces_what_is_in_it_and_not_the_provider() -> None:
    assert known("pulumi:providers:aws")
    assert not forces_replacement("pulumi:providers:aws", ("region",), "eu-west-1", "eu-west-2")


@pytest.fixture(scope="module", params=["prod", "dev", "local"])
def graph(request: pytest.FixtureRequest) -> Graph:
    return run_program(ROOT, request.param, read_stack_file(ROOT, request.param))


def test_the_table_covers_every_type_that_the_stacks_register(graph: Graph) -> None:
    types = {r.type for r in graph if not r.is_component and not r.type.startswith("pulumi:")}
    assert types
    assert {type_token for type_token in types if not known(type_token)} == set()


def inputs_of(type_token: str) -> type:
    _, module, name = type_token.split(":")
    sdk = importlib.import_module(f"pulumi_aws.{module.split('/')[0]}")
    return getattr(sdk, f"{name}Args")


def names_sent(args: type) -> list[str]:
    return list(input_type_py_to_pulumi_names(args).values())


@pytest.mark.parametrize("type_token", AWS)
def test_every_listed_property_is_an_input_of_the_sdk(type_token: str) -> None:
    rule = AWS[type_token]
    inputs = inputs_of(type_token)
    assert ("region" in names_sent(inputs)) is rule.regional
    for listed in (*rule.always, *rule.kept, *rule.sets, *rule.defaults, *rule.when):
        here = inputs
        *around, last = listed.split(".")
        for name in around:
            here = input_type_types(here)[name]
        assert last in names_sent(here), listed
