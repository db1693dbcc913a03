from collections.abc import Callable, Mapping
from typing import Any

import pulumi
import pytest

from grpc_platform.callers import Caller, Callers, CallersArgs
from grpc_platform.monitoring.scrapers import Scraper
from grpc_platform.specs import EnvoySpec
from grpc_platform_tools.graph import Graph

RULE = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
POLICY = "kubernetes:networking.k8s.io/v1:NetworkPolicy"

EVERY_POD: dict[str, dict[str, str]] = {"namespaceSelector": {}}
METRICS: dict[str, Any] = {"from": [EVERY_POD], "ports": [{"protocol": "TCP", "port": 8002}]}
GROUPS = {"serving": "sg-serving", "calling": "sg-calling"}
PRIVATE = ["10.0.0.0/19", "10.0.32.0/19"]

Recorded = Callable[[Callable[[], object]], Graph]


@pytest.fixture
def callers(recorded: Recorded) -> Callable[..., Graph]:
    def build(callers: Mapping[str, Caller], **args: Any) -> Graph:
        def program() -> None:
            known: dict[str, Any] = {
                "security_group_ids": GROUPS,
                "pod_cidrs": pulumi.Output.from_input(PRIVATE),
                "tags": {"team": "platform"},
            }
            known |= args
            Callers(
                "callers",
                CallersArgs(cluster="serving", callers=callers, namespace="contour", **known),
            )

        return recorded(program)

    return build


def rules(graph: Graph) -> dict[str, tuple[str, int, int]]:
    """Source and ports of each security-group rule."""
    return {
        rule.name: (
            rule.inputs.get("referencedSecurityGroupId") or rule.inputs["cidrIpv4"],
            rule.inputs["fromPort"],
            rule.inputs["toPort"],
        )
        for rule in graph.of_type(RULE)
    }


def admitted(graph: Graph) -> list[dict[str, Any]]:
    """The callers that the NetworkPolicy lets dial Envoy: its rules without the one for metrics."""
    ingress = graph.only(POLICY).inputs["spec"]["ingress"]
    assert ingress[-1] == METRICS
    return ingress[:-1]


def peers(graph: Graph) -> list[dict[str, Any]]:
    (rule,) = admitted(graph)
    return rule["from"]


def test_another_clusters_pods_are_let_in_by_their_security_group(
    callers: Callable[..., Graph],
) -> None:
    graph = callers({"batch": Caller(cluster="calling")})
    assert rules(graph) == {
        "callers-calling-8080": ("sg-calling", 8080, 8080),
        "callers-calling-8443": ("sg-calling", 8443, 8443),
    }
    for rule in graph.of_type(RULE):
        assert rule.inputs["securityGroupId"] == "sg-serving"
        assert rule.inputs["ipProtocol"] == "tcp"
        assert rule.inputs["tags"] == {"team": "platform"}


def test_another_clusters_pods_are_known_to_the_policy_by_the_private_subnets(
    callers: Callable[..., Graph],
) -> None:
    graph = callers({"batch": Caller(cluster="calling")})
    assert peers(graph) == [{"ipBlock": {"cidr": cidr}} for cidr in PRIVATE]


def test_own_cluster_callers_need_the_policy_and_no_security_group_rule(
    callers: Callable[..., Graph],
) -> None:
    graph = callers({"neighbours": Caller(cluster="serving")})
    assert rules(graph) == {}
    assert peers(graph) == [EVERY_POD]


def test_own_cluster_callers_can_be_some_namespaces(callers: Callable[..., Graph]) -> None:
    graph = callers({"neighbours": Caller(cluster="serving", namespaces=("shop", "web"))})
    named = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["shop", "web"]}
    assert peers(graph) == [{"namespaceSelector": {"matchExpressions": [named]}}]


def test_addresses_are_let_in_by_both(callers: Callable[..., Graph]) -> None:
    graph = callers({"office": Caller(cidr="10.90.0.0/16")})
    assert {source for source, _, _ in rules(graph).values()} == {"10.90.0.0/16"}
    assert peers(graph) == [{"ipBlock": {"cidr": "10.90.0.0/16"}}]


def test_a_security_group_narrows_what_aws_lets_in_of_a_block(
    callers: Callable[..., Graph],
) -> None:
    graph = callers({"gateway": Caller(security_group_id="sg-1", cidr="10.30.0.0/16")})
    assert {source for source, _, _ in rules(graph).values()} == {"sg-1"}
    assert all("cidrIpv4" not in rule.inputs for rule in graph.of_type(RULE))
    assert peers(graph) == [{"ipBlock": {"cidr": "10.30.0.0/16"}}]


def test_a_security_group_of_another_account_is_told_by_that_account(
    callers: Callable[..., Graph],
) -> None:
    foreign = Caller(security_group_id="sg-1", cidr="10.30.0.0/16", account_id="210987654321")
    graph = callers({"partner": foreign})
    assert {source for source, _, _ in rules(graph).values()} == {"210987654321/sg-1"}
    assert peers(graph) == [{"ipBlock": {"cidr": "10.30.0.0/16"}}]


def test_another_accounts_addresses_alone_are_let_in_by_both(
    callers: Callable[..., Graph],
) -> None:
    foreign = Caller(cidr="10.30.0.0/16", account_id="210987654321")
    graph = callers({"partner": foreign})
    assert rules(graph) == {
        "callers-10.30.0.0/16-8080": ("10.30.0.0/16", 8080, 8080),
        "callers-10.30.0.0/16-8443": ("10.30.0.0/16", 8443, 8443),
    }
    assert peers(graph) == [{"ipBlock": {"cidr": "10.30.0.0/16"}}]


def test_a_renamed_caller_keeps_its_rules(callers: Callable[..., Graph]) -> None:
    before, after = (
        {rule.urn for rule in callers({key: Caller(cidr="10.90.0.0/16")}).of_type(RULE)}
        for key in ("office", "headquarters")
    )
    assert before == after


def test_callers_of_one_source_share_its_rules(callers: Callable[..., Graph]) -> None:
    """AWS refuses a rule that differs from another only in its description."""
    graph = callers(
        {
            "a": Caller(security_group_id="sg-1", cidr="10.30.0.0/16"),
            "b": Caller(security_group_id="sg-1", cidr="10.31.0.0/16"),
        }
    )
    assert rules(graph) == {
        "callers-sg-1-8080": ("sg-1", 8080, 8080),
        "callers-sg-1-8443": ("sg-1", 8443, 8443),
    }
    assert graph.of_type(RULE)[0].inputs["description"] == "a, b to Envoy, http"
    assert {peer["ipBlock"]["cidr"] for peer in peers(graph)} == {"10.30.0.0/16", "10.31.0.0/16"}


def test_a_rule_takes_the_place_of_the_one_named_after_its_caller(
    callers: Callable[..., Graph],
) -> None:
    graph = callers({"office": Caller(cidr="10.90.0.0/16")})
    (component,) = [r for r in graph if r.type == "grpc-platform:index:Callers"]
    for rule, former in zip(graph.of_type(RULE), ("http", "https"), strict=True):
        assert [urn.rpartition("::")[2] for urn in rule.aliases] == [f"callers-office-{former}"]
        assert rule.parent == component.urn


def test_what_the_same_program_makes_names_no_rule_and_is_checked_when_it_is_known(
    callers: Callable[..., Graph],
) -> None:
    def later(value: str) -> pulumi.Output[str]:
        return pulumi.Output.from_input(value)

    graph = callers(
        {
            "vpn": Caller(cidr=later("10.30.0.0/16")),
            "gateway": Caller(
                security_group_id=later("sg-1"),
                account_id=later("210987654321"),
                cidr=later("10.31.0.0/16"),
            ),
            "shop": Caller(cluster="serving", namespaces=[later("shop")]),
        }
    )
    assert rules(graph) == {
        "callers-vpn.caller-8080": ("10.30.0.0/16", 8080, 8080),
        "callers-vpn.caller-8443": ("10.30.0.0/16", 8443, 8443),
        "callers-gateway.caller-8080": ("210987654321/sg-1", 8080, 8080),
        "callers-gateway.caller-8443": ("210987654321/sg-1", 8443, 8443),
    }
    assert {"ipBlock": {"cidr": "10.31.0.0/16"}} in peers(graph)
    for block in ("10.30.1.0/16", later("10.30.1.0/16")):
        with pytest.raises(ValueError, match=r"vpn: cidr = .* has host bits set"):
            callers({"vpn": Caller(cidr=block)})


def test_rules_open_the_ports_that_envoy_listens_on(callers: Callable[..., Graph]) -> None:
    envoy = EnvoySpec(http_port=50051, https_port=50052)
    graph = callers({"office": Caller(cidr="10.90.0.0/16")}, envoy=envoy)
    assert {(first, last) for _, first, last in rules(graph).values()} == {
        (50051, 50051),
        (50052, 50052),
    }
    (rule,) = admitted(graph)
    assert rule["ports"] == [
        {"protocol": "TCP", "port": 50051},
        {"protocol": "TCP", "port": 50052},
    ]


def test_without_callers_nobody_may_dial_envoy(callers: Callable[..., Graph]) -> None:
    graph = callers({})
    assert rules(graph) == {}
    assert admitted(graph) == []


def test_the_policy_guards_envoys_pods_whoever_the_callers_are(
    callers: Callable[..., Graph],
) -> None:
    policy = callers({}).only(POLICY).inputs
    assert (policy["metadata"]["namespace"], policy["metadata"]["name"]) == (
        "contour",
        "envoy-callers",
    )
    assert policy["spec"]["podSelector"] == {"matchLabels": {"app.kubernetes.io/name": "envoy"}}
    assert policy["spec"]["policyTypes"] == ["Ingress"]


def test_outside_eks_there_is_the_policy_alone(callers: Callable[..., Graph]) -> None:
    specs = {"office": Caller(cidr="10.90.0.0/16"), "own": Caller(cluster="serving")}
    graph = callers(specs, security_group_ids={"serving": None}, pod_cidrs=None)
    assert rules(graph) == {}
    assert peers(graph) == [{"ipBlock": {"cidr": "10.90.0.0/16"}}, EVERY_POD]


NOT_KNOWN = "has an unknown security group or unknown pod addresses"
NO_ADDRESSES = r"callers\.batch\.cidr: is required, or cluster"


@pytest.mark.parametrize(
    ("caller", "args", "message"),
    [
        (
            Caller(cluster="calling"),
            {"security_group_ids": {"serving": "sg-serving", "calling": None}},
            NOT_KNOWN,
        ),
        (Caller(cluster="calling"), {"pod_cidrs": None}, NOT_KNOWN),
        (
            Caller(cluster="elsewhere"),
            {"security_group_ids": {"serving": None}},
            "elsewhere: is not a cluster of this stack: serving",
        ),
        (Caller(cluster="calling", namespaces=("shop",)), {}, "cannot be distinguished"),
        (Caller(cluster="serving", cidr="10.0.0.0/8"), {}, "cannot be combined with cluster"),
        (
            Caller(cluster="serving", security_group_id="sg-1"),
            {},
            r"batch\.security_group_id = sg-1: cannot be combined with cluster",
        ),
        (Caller(), {}, NO_ADDRESSES),
        (Caller(security_group_id="sg-1"), {}, NO_ADDRESSES),
    ],
)
def test_a_caller_that_cannot_be_told_apart_is_refused(
    callers: Callable[..., Graph], caller: Caller, args: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        callers({"batch": caller}, **args)


def test_what_is_refused_is_named_by_its_place(callers: Callable[..., Graph]) -> None:
    """One program may have many callers and scrapers."""
    with pytest.raises(ValueError, match=r"^Callers callers: callers\.batch\.cidr: is required"):
        callers({"batch": Caller()})
    with pytest.raises(ValueError, match=r"^Callers callers: scrapers\.agent\.cidr: is required"):
        callers({}, scrapers={"agent": Scraper()})
    for key, value in (("security_group_id", "sg-1"), ("cidr", "10.8.0.0/16")):
        given: dict[str, Any] = {key: value}
        both = Scraper(namespaces=["monitoring"], **given)
        with pytest.raises(ValueError, match=rf"scrapers\.agent\.{key} = {value}: cannot be"):
            callers({}, scrapers={"agent": both})


def test_pods_of_the_serving_cluster_call_it_although_nothing_of_it_is_known(
    callers: Callable[..., Graph],
) -> None:
    graph = callers({"shop": Caller(cluster="serving")}, security_group_ids={}, pod_cidrs=None)
    assert peers(graph) == [EVERY_POD]
