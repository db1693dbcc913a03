import json
import re
from base64 import b64decode
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
import pytest

from grpc_platform.dns.zone import Zone, ZoneArgs
from grpc_platform.eks.cluster import Cluster, ClusterArgs
from grpc_platform.grpc_ingress import GrpcIngress, GrpcIngressArgs
from grpc_platform.specs import AccessSpec, ClusterSpec, NodeGroupSpec, Taint
from grpc_platform.timing import Timing
from grpc_platform_tools.graph import Graph, Resource
from tests.iam import findings

Recorder = Callable[[Callable[[], object]], Graph]

COOLDOWN = Timing().dns_convergence
ACCESS = AccessSpec(deployer_role="deployer")
TAGS = {"team": "platform"}
ROLE = "arn:aws:iam::000000000000:role/deployer"
CLUSTER = "aws:eks/cluster:Cluster"
PROVIDER = "pulumi:providers:kubernetes"


def fixed(**changes: Any) -> ClusterSpec:
    groups = {"default": NodeGroupSpec(), "spare": NodeGroupSpec(spot=True)}
    given: dict[str, Any] = {"access": ACCESS, "node_groups": groups, **changes}
    return ClusterSpec(**given)


def auto(**changes: Any) -> ClusterSpec:
    given: dict[str, Any] = {"access": ACCESS, "auto_mode": True, **changes}
    return ClusterSpec(**given)


def program(spec: ClusterSpec) -> Callable[[], object]:
    """A cluster, and something in it."""

    def run() -> None:
        cluster = Cluster(
            "main",
            ClusterArgs(
                spec=spec,
                subnet_ids=["subnet-a", "subnet-b"],
                pod_address_cooldown=COOLDOWN,
                tags=TAGS,
            ),
        )
        Inhabitant(cluster)

    return run


class Inhabitant(pulumi.ComponentResource):
    def __init__(self, cluster: Cluster) -> None:
        opts = pulumi.ResourceOptions(providers=[cluster.provider])
        super().__init__("test:index:Inhabitant", "inhabitant", {}, opts)
        k8s.core.v1.Namespace("inhabitant", opts=pulumi.ResourceOptions(parent=self))


def names_needed(graph: Graph, resource: Resource) -> set[tuple[str, str]]:
    needed = [graph.by_urn(urn) for urn in graph.needs(resource)]
    return {(each.type.rpartition(":")[2], each.name) for each in needed}


def test_everything_in_a_cluster_waits_for_access_nodes_and_all_addons(recorded: Recorder) -> None:
    graph = recorded(program(fixed()))
    namespace = graph.only("kubernetes:core/v1:Namespace")
    assert names_needed(graph, namespace) >= {
        ("AccessPolicyAssociation", "main:deployer"),
        ("NodeGroup", "main.default"),
        ("NodeGroup", "main.spare"),
        ("Addon", "main-vpc-cni"),
        ("Addon", "main-kube-proxy"),
        ("Addon", "main-eks-pod-identity-agent"),
        ("Addon", "main-coredns"),
        ("Addon", "main-metrics-server"),
    }


def test_everything_in_an_auto_mode_cluster_waits_for_access_and_metrics(
    recorded: Recorder,
) -> None:
    graph = recorded(program(auto()))
    namespace = graph.only("kubernetes:core/v1:Namespace")
    assert names_needed(graph, namespace) >= {
        ("AccessPolicyAssociation", "main:deployer"),
        ("Addon", "main-metrics-server"),
    }


@pytest.mark.parametrize("spec", [fixed(), auto()])
def test_the_cluster_waits_for_its_log_group_and_all_its_permissions(
    recorded: Recorder, spec: ClusterSpec
) -> None:
    graph = recorded(program(spec))
    cluster = graph.only(CLUSTER)
    needed = names_needed(graph, cluster)
    assert ("LogGroup", "main") in needed
    assert ("RolePolicy", "main-secrets") in needed
    attached = {
        r.name
        for r in graph.of_type("aws:iam/rolePolicyAttachment:RolePolicyAttachment")
        if r.inputs["role"] == "main-control-plane"
    }
    assert attached
    assert {("RolePolicyAttachment", name) for name in attached} <= needed


def test_a_zone_added_to_the_network_leaves_the_control_plane_alone(recorded: Recorder) -> None:
    cluster = recorded(program(fixed())).only(CLUSTER)
    assert cluster.options["ignore_changes"] == ["vpcConfig.subnetIds"]


def test_the_log_group_is_the_one_eks_writes_to_and_forgets_in_time(recorded: Recorder) -> None:
    graph = recorded(program(fixed(log_retention_days=30)))
    group = graph.only("aws:cloudwatch/logGroup:LogGroup").inputs
    assert group["name"] == f"/aws/eks/{graph.only(CLUSTER).inputs['name']}/cluster"
    assert group["retentionInDays"] == 30


def test_a_cluster_is_made_with_access_entries_alone_and_no_hidden_administrator(
    recorded: Recorder,
) -> None:
    inputs = recorded(program(fixed())).only(CLUSTER).inputs
    assert inputs["accessConfig"] == {
        "authenticationMode": "API",
        "bootstrapClusterCreatorAdminPermissions": False,
    }
    assert inputs["bootstrapSelfManagedAddons"] is False


def test_name_and_version_are_pinned(recorded: Recorder) -> None:
    inputs = recorded(program(fixed(kubernetes_version="1.34"))).only(CLUSTER).inputs
    assert (inputs["name"], inputs["version"]) == ("main", "1.34")


def test_secrets_are_encrypted_with_a_rotating_key_the_cluster_may_use(recorded: Recorder) -> None:
    graph = recorded(program(fixed()))
    key = graph.only("aws:kms/key:Key")
    encryption = graph.only(CLUSTER).inputs["encryptionConfig"]
    assert key.inputs["enableKeyRotation"] is True
    assert key.urn in graph.needs(graph.only(CLUSTER))
    assert encryption["resources"] == ["secrets"]
    policy = json.loads(
        graph.only("aws:iam/rolePolicy:RolePolicy", "main-secrets").inputs["policy"]
    )
    assert policy["Statement"][0]["Resource"] == encryption["provider"]["keyArn"]


def test_those_who_reach_the_private_endpoint_pass_the_clusters_security_group(
    recorded: Recorder,
) -> None:
    graph = recorded(program(fixed(public_access_cidrs=(), private_access_cidrs=["10.40.0.0/24"])))
    rule = graph.only("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
    assert rule.inputs["securityGroupId"] == "sg-main-cluster"
    assert rule.inputs["cidrIpv4"] == "10.40.0.0/24"
    assert (rule.inputs["fromPort"], rule.inputs["toPort"]) == (443, 443)
    # Otherwise `pulumi up` is locked out when it begins with the Kubernetes half, or ends with it.
    assert rule.urn in graph.needs(graph.only(PROVIDER))


def test_without_cidrs_only_the_private_endpoint_is_on(recorded: Recorder) -> None:
    vpc = recorded(program(fixed())).only(CLUSTER).inputs["vpcConfig"]
    assert vpc["endpointPrivateAccess"] is True
    assert vpc["endpointPublicAccess"] is False
    assert "publicAccessCidrs" not in vpc


def test_with_cidrs_the_public_endpoint_is_on_for_them_alone(recorded: Recorder) -> None:
    spec = fixed(public_access_cidrs=("203.0.113.0/24",))
    vpc = recorded(program(spec)).only(CLUSTER).inputs["vpcConfig"]
    assert vpc["endpointPrivateAccess"] is True
    assert vpc["endpointPublicAccess"] is True
    assert vpc["publicAccessCidrs"] == ["203.0.113.0/24"]


def test_protection_support_zonal_shift_and_logs_follow_the_spec(recorded: Recorder) -> None:
    spec = fixed(
        deletion_protection=False,
        upgrade_policy="extended",
        zonal_shift=False,
        control_plane_logs=("audit",),
    )
    inputs = recorded(program(spec)).only(CLUSTER).inputs
    assert inputs["deletionProtection"] is False
    assert inputs["upgradePolicy"] == {"supportType": "EXTENDED"}
    assert inputs["zonalShiftConfig"] == {"enabled": False}
    assert inputs["enabledClusterLogTypes"] == ["audit"]


def test_auto_mode_turns_its_three_switches_on_together(recorded: Recorder) -> None:
    graph = recorded(program(auto()))
    inputs = graph.only(CLUSTER).inputs
    assert inputs["computeConfig"]["enabled"] is True
    assert inputs["computeConfig"]["nodePools"] == ["general-purpose"]
    assert inputs["storageConfig"] == {"blockStorage": {"enabled": True}}
    assert inputs["kubernetesNetworkConfig"] == {"elasticLoadBalancing": {"enabled": True}}
    assert graph.of_type("aws:eks/nodeGroup:NodeGroup") == []


def test_without_auto_mode_none_of_its_switches_is_on(recorded: Recorder) -> None:
    inputs = recorded(program(fixed())).only(CLUSTER).inputs
    assert not inputs.keys() & {"computeConfig", "storageConfig", "kubernetesNetworkConfig"}


def test_auto_mode_gives_the_roles_what_aws_asks_for(recorded: Recorder) -> None:
    graph = recorded(program(auto()))
    attached: dict[str, set[str]] = {}
    for r in graph.of_type("aws:iam/rolePolicyAttachment:RolePolicyAttachment"):
        policy = r.inputs["policyArn"].removeprefix("arn:aws:iam::aws:policy/")
        attached.setdefault(r.inputs["role"], set()).add(policy)
    assert attached == {
        "main-control-plane": {
            "AmazonEKSClusterPolicy",
            "AmazonEKSComputePolicy",
            "AmazonEKSBlockStoragePolicy",
            "AmazonEKSLoadBalancingPolicy",
            "AmazonEKSNetworkingPolicy",
        },
        "main-nodes": {"AmazonEKSWorkerNodeMinimalPolicy", "AmazonEC2ContainerRegistryPullOnly"},
    }
    trust = json.loads(
        graph.only("aws:iam/role:Role", "main-control-plane").inputs["assumeRolePolicy"]
    )
    assert trust["Statement"][0]["Action"] == ["sts:AssumeRole", "sts:TagSession"]


def test_auto_mode_is_told_to_enforce_network_policies(recorded: Recorder) -> None:
    graph = recorded(program(auto()))
    switch = graph.only("kubernetes:core/v1:ConfigMap")
    assert switch.inputs["metadata"]["namespace"] == "kube-system"
    assert switch.inputs["metadata"]["name"] == "amazon-vpc-cni"
    assert switch.inputs["data"] == {"enable-network-policy-controller": "true"}
    assert switch.provider == graph.only(PROVIDER).urn


def test_no_envoy_runs_before_network_policies_are_enforced(recorded: Recorder) -> None:
    def serve() -> None:
        cluster = Cluster(
            "main",
            ClusterArgs(
                spec=auto(), subnet_ids=["subnet-a", "subnet-b"], pod_address_cooldown=COOLDOWN
            ),
        )
        zone = Zone("zone", ZoneArgs(name="example.com", vpc_id="vpc-1"))
        args = GrpcIngressArgs(dns_name="main.example.com", zone=zone, clusters={"main": cluster})
        GrpcIngress("main", args)

    graph = recorded(serve)
    envoy = graph.only("kubernetes:apps/v1:Deployment", "main-envoy")
    assert ("ConfigMap", "main-network-policies") in names_needed(graph, envoy)


def test_the_provider_asks_for_a_token_each_time_and_survives_an_edited_kubeconfig(
    recorded: Recorder,
) -> None:
    graph = recorded(program(fixed()))
    provider = graph.only(PROVIDER)
    kubeconfig = json.loads(provider.inputs["kubeconfig"])
    assert (kubeconfig["apiVersion"], kubeconfig["kind"]) == ("v1", "Config")
    assert provider.inputs["clusterIdentifier"] == "arn:aws:eks:eu-west-1:000000000000:cluster/main"
    assert provider.inputs["enablePatchForce"] == "true"
    assert kubeconfig["clusters"][0]["cluster"]["server"] == "https://main.eks.invalid"
    # Without it only a certificate of a public authority would do, and EKS has its own.
    authority = kubeconfig["clusters"][0]["cluster"]["certificate-authority-data"]
    assert b64decode(authority) == b"certificate-authority"
    execute = kubeconfig["users"][0]["user"]["exec"]
    # `aws eks get-token` answers in this version, and client-go refuses an answer in another.
    assert execute["apiVersion"] == "client.authentication.k8s.io/v1beta1"
    assert " ".join([execute["command"], *execute["args"]]) == (
        "aws eks get-token --cluster-name main --region eu-west-1 --output json"
    )
    (context,) = kubeconfig["contexts"]
    assert context["name"] == kubeconfig["current-context"]
    assert context["context"] == {
        "cluster": kubeconfig["clusters"][0]["name"],
        "user": kubeconfig["users"][0]["name"],
    }


def test_a_cluster_tells_its_name_version_endpoint_and_security_group(recorded: Recorder) -> None:
    graph = recorded(program(fixed()))
    outputs = graph.only("grpc-platform:index:Cluster").outputs
    assert outputs.pop("kubeconfig") == graph.only(PROVIDER).inputs["kubeconfig"]
    assert outputs == {
        "name": "main",
        "kubernetes_version": "1.35",
        "endpoint": "https://main.eks.invalid",
        "security_group_id": "sg-main-cluster",
    }


UNTAGGABLE = {
    "aws:eks/accessPolicyAssociation:AccessPolicyAssociation",
    "aws:iam/rolePolicy:RolePolicy",
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
}


@pytest.mark.parametrize("spec", [fixed(private_access_cidrs=("10.40.0.0/24",)), auto()])
def test_every_taggable_resource_is_tagged(recorded: Recorder, spec: ClusterSpec) -> None:
    graph = recorded(program(spec))
    taggable = [r for r in graph if r.type.startswith("aws:") and r.type not in UNTAGGABLE]
    assert taggable
    assert [r.urn for r in taggable if r.inputs.get("tags") != TAGS] == []


@pytest.mark.parametrize("spec", [fixed(), auto()])
def test_iam_policies_pass_the_linter(recorded: Recorder, spec: ClusterSpec) -> None:
    assert findings(recorded(program(spec))) == []


@pytest.mark.parametrize("protect", [True, False])
def test_what_must_not_be_lost_is_protected_and_nothing_else(
    recorded: Recorder, protect: bool
) -> None:
    args = ClusterArgs(
        spec=fixed(),
        subnet_ids=["subnet-a", "subnet-b"],
        pod_address_cooldown=COOLDOWN,
        protect=protect,
    )
    graph = recorded(lambda: Cluster("main", args))
    protected = {r.type for r in graph if r.options.get("protect")}
    assert protected == ({CLUSTER, "aws:kms/key:Key"} if protect else set())


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (fixed(access=None), "Cluster main: access: is required"),
        (fixed(node_groups={}), "Cluster main: node_groups: is required, or auto_mode: true"),
        (fixed(auto_mode=True), "cannot be combined with auto_mode"),
        (
            fixed(node_groups={"batch": NodeGroupSpec(taints=(Taint(key="batch"),))}),
            "are all tainted, so CoreDNS",
        ),
        (
            fixed(node_groups={"old": NodeGroupSpec(release_version="1.34.2-20260210")}),
            "old.release_version = 1.34.2-20260210: is not a release for Kubernetes 1.35",
        ),
    ],
)
def test_a_spec_that_cannot_be_is_refused(
    recorded: Recorder, spec: ClusterSpec, message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        recorded(program(spec))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"subnet_ids": ["subnet-a"]}, "subnet_ids = ['subnet-a']: Tuple should have at least 2"),
        ({"subnet_ids": ["subnet-a"] * 2}, "subnet-a is listed twice"),
        ({"public_access_cidrs": ["10.0.0.1/8"]}, "public_access_cidrs.0 = 10.0.0.1/8: "),
        ({"private_access_cidrs": {"vpn": "vpn"}}, "private_access_cidrs.vpn = vpn: "),
        ({"role_arns": {"deployer": "deployer"}}, "role_arns.deployer = deployer: "),
        ({"role_arns": {"other": ROLE}}, "role_arns.other: is not a role that spec.access names"),
    ],
)
def test_a_plain_argument_that_cannot_be_is_refused(
    recorded: Recorder, given: dict[str, Any], message: str
) -> None:
    usual: dict[str, Any] = {
        "spec": auto(),
        "subnet_ids": ["subnet-a", "subnet-b"],
        "pod_address_cooldown": COOLDOWN,
    }
    args = ClusterArgs(**(usual | given))
    with pytest.raises(ValueError, match=re.escape(message)):
        recorded(lambda: Cluster("main", args))


def test_clusters_and_groups_whose_names_join_alike_stay_apart(recorded: Recorder) -> None:
    def both() -> None:
        for name, part in (("prod", "blue-default"), ("prod-blue", "default")):
            access = AccessSpec(deployer_role=part)
            spec = ClusterSpec(access=access, node_groups={part: NodeGroupSpec()})
            Cluster(
                name,
                ClusterArgs(
                    spec=spec, subnet_ids=["subnet-a", "subnet-b"], pod_address_cooldown=COOLDOWN
                ),
            )

    graph = recorded(both)  # which refuses a URN that comes twice
    assert {r.name for r in graph.of_type("aws:eks/nodeGroup:NodeGroup")} == {
        "prod.blue-default",
        "prod-blue.default",
    }


def test_iam_takes_the_names_of_all_roles_however_long_the_clusters_is(recorded: Recorder) -> None:
    """A role's name has 64 characters at most, and a prefix 38:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""
    args = ClusterArgs(
        spec=fixed(), subnet_ids=["subnet-a", "subnet-b"], pod_address_cooldown=COOLDOWN
    )
    graph = recorded(lambda: Cluster("c" * 100, args))
    prefixes = [role.inputs["namePrefix"] for role in graph.of_type("aws:iam/role:Role")]
    assert len(prefixes) == 3
    assert max(map(len, prefixes)) <= 38


def test_nodes_keep_the_release_they_are_given(recorded: Recorder) -> None:
    def release(**given: Any) -> Any:
        graph = recorded(program(fixed(node_groups={"default": NodeGroupSpec(**given)})))
        return graph.only("aws:eks/nodeGroup:NodeGroup").inputs.get("releaseVersion")

    assert release(release_version="1.35.2-20260210") == "1.35.2-20260210"
    assert release() is None


def test_the_address_cooldown_is_rounded_up(recorded: Recorder) -> None:
    args = ClusterArgs(
        spec=fixed(),
        subnet_ids=["subnet-a", "subnet-b"],
        pod_address_cooldown=timedelta(seconds=155.5),
    )
    graph = recorded(lambda: Cluster("main", args))
    addon = graph.only("aws:eks/addon:Addon", "main-vpc-cni")
    assert json.loads(addon.inputs["configurationValues"])["env"]["IP_COOLDOWN_PERIOD"] == "156"
