"""Every right that the components give is used, and no call is refused: by the API server's audit
log, and by the requests to the emulated Route53."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from grpc_platform.dns.external_dns import ownership_record
from grpc_platform_tools.graph import Graph
from grpc_platform_tools.preview.manifests import kubernetes_objects
from testbed.disruptions import losses, operations, pods
from testbed.program import changed_program, preview
from tests.exposed import listening
from tests.local.stack import Platform
from tests.rights import Right, argued, asked_of_route53, calls, granted, told

ACCOUNTS = ("projectcontour:contour", "projectcontour:contour-certgen", "external-dns:external-dns")
NAME = "local.grpc.test"
LOOPBACK_6 = "00000000000000000000000001000000"


@pytest.fixture(scope="module")
def lived(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """The platform after what makes its programs call: after their start a renewal, another leader,
    another fleet, a service more and one less."""
    cluster, before = platform.cluster, platform.graph
    operations.renew_certificates(cluster)
    losses.kill_leader(cluster)
    fleet = len(platform.envoys())
    operations.resize_fleet(cluster, fleet + 1)
    cluster.wait(
        "the name to lead to one Envoy more",
        lambda: len(cluster.addresses(NAME)) == fleet + 1,
        timeout=120,
    )
    scratch = tmp_path_factory.mktemp("more")
    more = {"selector": {"app.kubernetes.io/name": "greeter"}}
    program = changed_program(scratch, "local", services={"more": more})
    platform.bring_to(preview("local", scratch / "preview", program))
    cluster.wait(
        "Contour to serve it",
        lambda: bool(cluster.get("ingress", "more")["status"]["loadBalancer"]),
    )
    platform.bring_to(before)
    return platform


@pytest.fixture(scope="module")
def rights(lived: Platform, tmp_path_factory: pytest.TempPathFactory) -> set[Right]:
    """What is granted, with our CRDs and with those of upstream."""
    scratch = tmp_path_factory.mktemp("upstream")
    program = changed_program(scratch, "local", contour={"crds": "none"})
    upstream = preview("local", scratch / "preview", program)
    return {right for graph in (lived.graph, upstream) for right in of(graph)}


def of(graph: Graph) -> set[Right]:
    return granted(resource.inputs for resource in kubernetes_objects(graph))


def test_every_account_that_has_rights_is_watched(rights: set[Right]) -> None:
    assert {right.account for right in rights} == set(ACCOUNTS)


def test_every_right_is_used_or_argued_for(lived: Platform, rights: set[Right]) -> None:
    made = calls(lived.cluster, *ACCOUNTS)
    posted = {right for right in rights if right.verb == "create"}
    assert made.unused(told(rights) | posted) == set(argued())


def test_no_call_is_refused(lived: Platform) -> None:
    assert sorted(map(str, calls(lived.cluster, *ACCOUNTS).refused)) == []


def test_external_dns_may_do_at_route53_what_it_does_and_no_more(
    lived: Platform, tmp_path: Path
) -> None:
    """On EKS it has a role, so the policy is a preview's: the local stack has none."""
    existing = {"context": "local", "kubeconfig": "kubeconfig", "eks_cluster_name": "local"}
    no_secret = {"credentials_secret": None, "route53_endpoint": None}
    program = changed_program(
        tmp_path, "local", clusters={"local": {"existing": existing}}, external_dns=no_secret
    )
    stack_file = program / "Pulumi.local.yaml"
    stack_file.write_text(stack_file.read_text() + "  aws:region: eu-west-1\n")
    role = preview("local", tmp_path / "preview", program).only("aws:iam/rolePolicy:RolePolicy")
    statements = json.loads(role.inputs["policy"])["Statement"]
    allowed = {s["Action"].removeprefix("route53:"): s.get("Condition", {}) for s in statements}

    asked = asked_of_route53(lived.cluster, "aws-sdk-go")
    assert {each.action for each in asked} == set(allowed)
    limits = allowed["ChangeResourceRecordSets"]["ForAllValues:StringEquals"]
    within = {key.removeprefix("route53:ChangeResourceRecordSets"): limits[key] for key in limits}
    changes = {change for each in asked for change in each.changes}
    assert {action for action, _, _ in changes} == set(within["Actions"])
    assert {name for _, name, _ in changes} == set(within["NormalizedRecordNames"])
    assert {kind for _, _, kind in changes} == set(within["RecordTypes"])
    assert ownership_record(NAME) in within["NormalizedRecordNames"]


@pytest.mark.parametrize(
    ("part", "namespace"),
    [("contour", "projectcontour"), ("envoy", "projectcontour"), ("external-dns", "external-dns")],
)
def test_no_pod_listens_on_a_port_that_security_md_does_not_tell(
    platform: Platform, part: str, namespace: str
) -> None:
    files = ("/proc/net/tcp", "/proc/net/tcp6")
    for pod in filter(pods.ready, pods.of_app(platform.cluster, part, namespace)):
        label = f"{namespace}/{pod['metadata']['name']}"
        text = platform.cluster.enter("-c", part, label, "--", "/bin/cat", *files)
        found = set(open_ports(text))
        assert found, "the pod serves something"
        assert found <= listening(platform.graph)[part]


def open_ports(text: str) -> Iterator[int]:
    """Ports of listening sockets but for those that only the pod itself reaches, in the kernel's
    table: https://docs.kernel.org/networking/proc_net_tcp.html"""
    for line in text.splitlines():
        words = line.split()
        if words[3] == "0A":
            address, port = words[1].split(":")
            # Each four bytes are in reverse: 127.0.0.1 is 0100007F.
            if not address.endswith("7F") and address != LOOPBACK_6:
                yield int(port, 16)
