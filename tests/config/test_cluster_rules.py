"""What must hold of clusters."""

from typing import Any

import pytest

from config.check import check, warnings
from tests.config.stack import EXISTING, LONG_ZONE, NEW_CLUSTER, SUBNETS, TODAY, changed, refusals

CASES: list[tuple[dict[str, Any], str]] = [
    (
        {"clusters.serving.kubernetes_version": "1.36"},
        "clusters.serving.kubernetes_version = 1.36: must be '1.32', '1.33', '1.34' or '1.35'",
    ),
    (
        {"zone.name": LONG_ZONE, "clusters.serving": None, "clusters." + "s" * 20: NEW_CLUSTER},
        f"clusters.{'s' * 20}: external-dns's name for it has 256 characters, but DNS allows 253; "
        "shorten it or zone.name",
    ),
    (
        {
            "clusters.there": EXISTING,
            "clusters.twin": {
                "existing": {"context": "t", "kubeconfig": "f", "eks_cluster_name": "there"}
            },
            "services.greeter.cluster": "there",
        },
        "clusters.twin.existing.eks_cluster_name = there: is cluster there too; one cluster "
        "cannot have two names",
    ),
    (
        {
            "clusters.twin": {
                "existing": {"context": "t", "kubeconfig": "f", "eks_cluster_name": "serving"}
            },
            "services.greeter.cluster": "serving",
        },
        "clusters.twin.existing.eks_cluster_name = serving: is cluster serving too; one cluster "
        "cannot have two names",
    ),
    (
        {"clusters.serving.serves": False, "services": {}},
        "clusters: no cluster serves; leave serves: true on one",
    ),
    (
        {"clusters.serving.access": None},
        "clusters.serving.access: is required: deployer_role names the role that runs pulumi up",
    ),
    (
        {"clusters.serving.node_groups": None},
        "clusters.serving.node_groups: is required, or auto_mode: true",
    ),
    (
        {"clusters.serving.auto_mode": True},
        "clusters.serving.node_groups = ['default']: cannot be combined with auto_mode, which "
        "runs the "
        "nodes; remove one",
    ),
    (
        {"clusters.serving.public_access_cidrs": []},
        "clusters.serving.public_access_cidrs = []: leaves only a private endpoint in a new VPC, "
        "which pulumi up cannot reach; list CIDRs here, or those of a runner or VPN in "
        "private_access_cidrs",
    ),
    (
        {"clusters.there": {**EXISTING, "serves": False, "zonal_shift": True}},
        "clusters.there.zonal_shift: does not apply to an existing cluster; remove it",
    ),
    (
        {"clusters.there": {"existing": {"context": "c", "kubeconfig": "f"}, "serves": False}}
        | {"clusters.twin": {"existing": {"context": "c", "kubeconfig": "f"}, "serves": False}},
        "clusters.twin.existing.context = c: is cluster there too; one cluster cannot have two "
        "names",
    ),
    (
        {"clusters": {"there": {"existing": {"context": "c", "kubeconfig": "f"}}}},
        "clusters.there.existing.eks_cluster_name: is required, or external_dns.credentials_secret "
        "outside EKS: external-dns needs credentials for Route53",
    ),
    (
        {"clusters.serving.private_access_cidrs": ["10.90.0.0/16"], "envoy.https_port": 443},
        "clusters.serving.private_access_cidrs.0 = 10.90.0.0/16: has port 443 already opened by "
        "callers.office; remove it here",
    ),
    (
        {"envoy.max_replicas": 41},
        "clusters.serving.node_groups = ['default']: hold 90 Envoys, but a rollout of "
        "envoy.max_replicas (41) may run 93 at once, draining ones included; add more or larger "
        "nodes, lower envoy.max_replicas, or use auto_mode",
    ),
    (
        {
            "clusters.calling": {
                **NEW_CLUSTER,
                "serves": False,
                "node_groups": {"batch": {"taints": [{"key": "batch"}]}},
            }
        },
        "clusters.calling.node_groups = ['batch']: are all tainted, so CoreDNS and metrics-server "
        "find no node and EKS gives up after 20 minutes; add a group without taints",
    ),
    (
        {"clusters.serving.node_groups.old": {"release_version": "1.34.2-20260210"}},
        "clusters.serving.node_groups.old.release_version = 1.34.2-20260210: is not a release for "
        "Kubernetes 1.35 (kubernetes_version)",
    ),
]


@pytest.mark.parametrize(("changes", "line"), CASES, ids=[line.split(":")[0] for _, line in CASES])
def test_a_mistake_is_refused_by_one_line(changes: dict[str, Any], line: str) -> None:
    assert refusals(changes) == [line]


def test_an_existing_cluster_needs_a_kubeconfig_and_an_encrypted_one_needs_a_cluster() -> None:
    existing = {"existing": {"context": "c", "eks_cluster_name": "c"}, "serves": False}
    assert refusals({"clusters.there": existing}, kubeconfigs=["their"]) == [
        "clusters.there.existing.kubeconfig: is required, or pulumi config set --secret "
        "kubeconfig-there < FILE",
        "kubeconfig-their: is not the kubeconfig of an existing cluster here",
    ]
    check(changed({"clusters.there": existing}), kubeconfigs=["there"])


def test_a_private_endpoint_that_admits_nobody_is_warned_of() -> None:
    existing = {"existing": {"vpc_id": "vpc-0a", "private_subnet_ids": SUBNETS}}
    private = {"network": existing, "clusters.serving.public_access_cidrs": None}
    assert warnings(check(changed(private)), TODAY) == [
        "clusters.serving: only its own nodes and pods reach its API; "
        "list the runner of pulumi up in private_access_cidrs"
    ]
    admitted = {**private, "clusters.serving.private_access_cidrs": ["10.40.0.0/24"]}
    assert warnings(check(changed(admitted)), TODAY) == []
