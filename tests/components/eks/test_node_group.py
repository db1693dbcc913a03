from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from grpc_platform.eks.capacity import OFF_SPOT_TERMS
from grpc_platform.names import name_prefix
from grpc_platform.specs import AccessSpec, ClusterSpec, NodeGroupSpec, Taint
from grpc_platform.timing import parse_duration
from grpc_platform_tools.graph import Graph

Record = Callable[[ClusterSpec], Graph]


def made(cluster: Record, **group: Any) -> tuple[dict[str, Any], dict[str, Any], Graph]:
    """The inputs of a node group and of its launch template, and the whole graph."""
    spec = ClusterSpec(
        access=AccessSpec(deployer_role="deployer"),
        node_groups={"workers": NodeGroupSpec(**group), "untainted": NodeGroupSpec()},
        kubernetes_version="1.34",
    )
    graph = cluster(spec)
    nodes = graph.only("aws:eks/nodeGroup:NodeGroup", "main.workers")
    template = graph.only("aws:ec2/launchTemplate:LaunchTemplate", "main.workers")
    assert template.urn in graph.needs(nodes)
    return nodes.inputs, template.inputs, graph


@pytest.mark.parametrize(
    ("ami", "instance", "ami_type"),
    [
        ("al2023", "m7g.large", "AL2023_ARM_64_STANDARD"),
        ("al2023", "m7i.large", "AL2023_x86_64_STANDARD"),
        ("bottlerocket", "t4g.large", "BOTTLEROCKET_ARM_64"),
        ("bottlerocket", "c7i-flex.large", "BOTTLEROCKET_x86_64"),
    ],
)
def test_the_image_follows_from_system_and_architecture(
    cluster: Record, ami: str, instance: str, ami_type: str
) -> None:
    nodes, _, _ = made(cluster, ami=ami, instance_types=(instance,))
    assert nodes["amiType"] == ami_type
    assert nodes["instanceTypes"] == [instance]


def test_pods_cannot_reach_the_nodes_credentials(cluster: Record) -> None:
    _, template, _ = made(cluster)
    assert template["metadataOptions"]["httpTokens"] == "required"
    assert template["metadataOptions"]["httpPutResponseHopLimit"] == 1


def test_a_node_has_credentials_whatever_its_account_turns_off(cluster: Record) -> None:
    """An account may have turned the metadata service off for what does not ask for it:
    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-IMDS-new-instances.html"""
    _, template, _ = made(cluster)
    assert template["metadataOptions"]["httpEndpoint"] == "enabled"


def test_nodes_are_made_from_the_newest_version_of_their_template(cluster: Record) -> None:
    nodes, _, graph = made(cluster)
    template = graph.only("aws:ec2/launchTemplate:LaunchTemplate", "main.workers")
    assert nodes["launchTemplate"] == {"id": template.id, "version": "1"}


@pytest.mark.parametrize("size", [1, 5, 40])
def test_pulumi_waits_until_one_node_after_the_other_has_drained(
    cluster: Record, size: int
) -> None:
    """EKS gives a node 15 minutes to drain:
    https://docs.aws.amazon.com/eks/latest/userguide/managed-node-update-behavior.html"""
    _, _, graph = made(cluster, size=size)
    nodes = graph.only("aws:eks/nodeGroup:NodeGroup", "main.workers")
    wait = parse_duration(nodes.options["custom_timeouts"]["update"])
    assert wait > size * timedelta(minutes=15)


def test_al2023_has_one_encrypted_volume_of_the_given_size(cluster: Record) -> None:
    _, template, _ = made(cluster, volume_gib=80)
    (root,) = template["blockDeviceMappings"]
    assert root["deviceName"] == "/dev/xvda"
    assert root["ebs"] == {
        "volumeSize": 80,
        "volumeType": "gp3",
        "encrypted": "true",
        "deleteOnTermination": "true",
    }


def test_bottlerocket_has_its_data_on_a_second_volume_and_both_encrypted(
    cluster: Record,
) -> None:
    _, template, _ = made(cluster, ami="bottlerocket", volume_gib=80)
    volumes = {each["deviceName"]: each["ebs"] for each in template["blockDeviceMappings"]}
    assert volumes["/dev/xvdb"]["volumeSize"] == 80
    assert "volumeSize" not in volumes["/dev/xvda"]
    assert {each["encrypted"] for each in volumes.values()} == {"true"}


def test_the_size_is_fixed_and_updates_take_one_node_at_a_time(cluster: Record) -> None:
    nodes, _, _ = made(cluster, size=5, node_repair=False)
    assert nodes["scalingConfig"] == {"minSize": 5, "maxSize": 5, "desiredSize": 5}
    assert nodes["updateConfig"] == {"maxUnavailable": 1}
    assert nodes["nodeRepairConfig"] == {"enabled": False}


def test_nodes_follow_the_version_of_the_cluster(cluster: Record) -> None:
    nodes, _, _ = made(cluster)
    assert nodes["version"] == "1.34"


def test_a_replaced_group_can_stand_beside_the_old_one(cluster: Record) -> None:
    nodes, template, graph = made(cluster)
    assert nodes["nodeGroupNamePrefix"] == "main-workers-"
    assert template["namePrefix"] == "main-workers-"
    assert "nodeGroupName" not in nodes
    options = graph.only("aws:eks/nodeGroup:NodeGroup", "main.workers").options
    assert "delete_before_replace" not in options


def test_labels_and_taints_reach_the_nodes(cluster: Record) -> None:
    taints = (Taint(key="batch"), Taint(key="gpu", value="yes", effect="PreferNoSchedule"))
    nodes, _, _ = made(cluster, labels={"pool": "batch"}, taints=taints)
    assert nodes["labels"] == {"pool": "batch"}
    assert nodes["taints"] == [
        {"key": "batch", "effect": "NO_SCHEDULE"},
        {"key": "gpu", "value": "yes", "effect": "PREFER_NO_SCHEDULE"},
    ]


@pytest.mark.parametrize("effect", ["NoSchedule", "NoExecute", "PreferNoSchedule"])
def test_every_taint_of_kubernetes_is_one_of_eks(cluster: Record, effect: str) -> None:
    nodes, _, _ = made(cluster, taints=(Taint.model_validate({"key": "batch", "effect": effect}),))
    assert nodes["taints"][0]["effect"].replace("_", "") == effect.upper()


def allowed(labels: dict[str, str]) -> bool:
    """Whether the scheduler accepts a node with these labels under OFF_SPOT_TERMS."""
    assert {term["operator"] for term in OFF_SPOT_TERMS} == {"NotIn"}
    return all(
        (labels.get(str(term["key"])) or "") not in term["values"] for term in OFF_SPOT_TERMS
    )


def test_envoys_affinity_keeps_it_off_spot_nodes_and_no_others(cluster: Record) -> None:
    spot, _, _ = made(cluster, spot=True, labels={"pool": "batch"})
    steady, _, _ = made(cluster, labels={"pool": "batch"})
    assert spot["capacityType"] == "SPOT"
    assert not allowed(spot["labels"])
    assert steady["capacityType"] == "ON_DEMAND"
    assert allowed(steady["labels"])
    assert allowed({})


def test_nodes_wait_for_their_permissions(cluster: Record) -> None:
    _, _, graph = made(cluster)
    nodes = graph.only("aws:eks/nodeGroup:NodeGroup", "main.workers")
    policies = [
        r
        for r in graph.of_type("aws:iam/rolePolicyAttachment:RolePolicyAttachment")
        if r.inputs["role"] == "main-nodes"
    ]
    assert {r.inputs["policyArn"].rpartition("/")[2] for r in policies} == {
        "AmazonEKSWorkerNodePolicy",
        "AmazonEC2ContainerRegistryPullOnly",
    }
    assert {r.urn for r in policies} <= graph.needs(nodes)


def test_instances_volumes_and_interfaces_carry_the_tags(cluster: Record) -> None:
    _, template, _ = made(cluster)
    tags = {"team": "platform"}
    assert template["tagSpecifications"] == [
        {"resourceType": "instance", "tags": tags},
        {"resourceType": "volume", "tags": tags},
        {"resourceType": "network-interface", "tags": tags},
    ]


@pytest.mark.parametrize("types", [("m7g.large", "m7i.large"), ("m7g.large", "m7g.xlarge")])
def test_a_group_mixes_neither_architectures_nor_sizes(types: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError, match="must share architecture and number of cores"):
        NodeGroupSpec(instance_types=types)


def test_an_unknown_instance_type_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"'p5\.48xlarge' is not an instance type"):
        NodeGroupSpec(instance_types=("p5.48xlarge",))


LABEL = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True)
RANDOM_SUFFIX = 26
"""Characters that AWS's provider adds to a prefix (a timestamp and a counter)."""


@given(LABEL, LABEL)
def test_generated_names_keep_to_the_limits_of_aws(cluster: str, group: str) -> None:
    prefix = name_prefix(f"{cluster}-{group}")
    assert len(prefix) + RANDOM_SUFFIX <= 63  # node groups; roles may have 64
    assert len(prefix) <= 38  # an IAM role's name_prefix
    assert prefix.endswith("-")
    assert not prefix.endswith("--")
    assert f"{cluster}-{group}-".startswith(prefix[:-1])
