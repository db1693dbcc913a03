"""The specs' limits and defaults, each against the reason that it has."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Annotated, Any

import pulumi_aws as aws
import pytest
from pydantic import TypeAdapter, ValidationError

from grpc_platform import specs
from grpc_platform.specs import (
    AccessSpec,
    ClusterSpec,
    ContourSpec,
    EnvoySpec,
    MonitoringSpec,
    NodeGroupSpec,
    ServiceSpec,
    TeamSpec,
    ZoneSpec,
)
from grpc_platform.specs.base import (
    DnsName,
    Duration,
    Label,
    LabelKey,
    LabelValue,
    Line,
    LogRetentionDays,
    Spec,
)
from tests.config.stack import NEW_CLUSTER, refusals


def models(of: type[Spec] = Spec) -> Iterator[type[Spec]]:
    for model in of.__subclasses__():
        if model.__module__.startswith(specs.__name__):
            yield model
            yield from models(model)


def takes(kind: Any, value: object) -> bool:
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError:
        return False
    return True


def test_every_default_is_a_value_that_may_be_given() -> None:
    """Pydantic checks no default, and a stack file that spells one out must be taken."""
    count = 0
    for model in models():
        for name, field in model.model_fields.items():
            if not field.is_required():
                kind = Annotated[field.annotation, None, *field.metadata]
                assert takes(kind, field.get_default()), f"{model.__name__}.{name}"
                count += 1
    assert count > 80


@pytest.mark.parametrize(
    ("kind", "longest"),
    [
        # RFC 1035; https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
        (Label, 63),
        (DnsName, 63),
        # https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/
        (LabelKey, 63),
        (LabelValue, 63),
    ],
)
def test_a_name_is_as_long_as_dns_and_kubernetes_allow(kind: Any, longest: int) -> None:
    assert takes(kind, "a" * longest)
    assert not takes(kind, "a" * (longest + 1))


def test_a_dns_name_is_as_long_as_dns_allows() -> None:
    """RFC 1035: 255 bytes with the length of the first label and the root."""
    assert takes(DnsName, ".".join(["a" * 62] * 4) + ".a")
    assert not takes(DnsName, ".".join(["a" * 62] * 4) + ".aa")


def test_a_line_is_one_that_is_read() -> None:
    """Longer than any path or context, and short enough for a message that shows it."""
    assert takes(Line, "a" * 1000)
    assert not takes(Line, "a" * 1001)


def test_a_duration_is_one_that_contour_does_not_read_as_none() -> None:
    """Contour reads 0s as no limit, and format_duration writes whole milliseconds."""
    assert takes(Duration, timedelta(milliseconds=1))
    assert not takes(Duration, timedelta(microseconds=999))


def test_a_duration_is_a_year_at_most() -> None:
    assert takes(Duration, timedelta(days=366))
    assert not takes(Duration, timedelta(days=366, seconds=1))


def test_logs_are_kept_for_as_long_as_cloudwatch_can() -> None:
    """The provider passes the number on, and CloudWatch refuses others in the middle of an update.
    0, for ever, is none that is meant by days."""
    text = str(aws.cloudwatch.LogGroup.retention_in_days.__doc__)
    (listed,) = re.findall(r"Possible values are: ([\d, ]+), and 0\.", text)
    possible = {int(number) for number in listed.split(",")}
    taken = {days for days in range(5000) if takes(LogRetentionDays, days)}
    assert taken == possible


@pytest.mark.parametrize(("asked", "nearest"), [(2, 1), (8, 7), (100, 90), (10_000, 3653)])
def test_a_retention_that_cannot_be_had_is_refused_with_the_nearest(
    asked: int, nearest: int
) -> None:
    with pytest.raises(ValidationError, match=f"for {nearest} days, not for {asked}"):
        TypeAdapter(LogRetentionDays).validate_python(asked)


def test_a_new_clusters_logs_tell_who_did_what_for_three_months() -> None:
    """`authenticator` who signed in, `audit` what they did, `api` what it led to:
    https://docs.aws.amazon.com/eks/latest/best-practices/auditing-and-logging.html. Three months at
    hand are what PCI DSS asks for (10.5.1); CloudWatch's price is by time."""
    cluster = ClusterSpec()
    assert set(cluster.control_plane_logs) == {"api", "audit", "authenticator"}
    assert 90 <= cluster.log_retention_days <= 92


def test_the_smallest_platform_that_survives_the_loss_of_one_is_the_default() -> None:
    """Production takes no less (`a_mistake_is_refused`), and more is for the user to pay for."""
    assert ContourSpec().replicas == EnvoySpec().min_replicas == NodeGroupSpec().size == 2
    for path in ("contour.replicas", "envoy.min_replicas"):
        assert refusals({path: 1}) == [f"{path} = 1: production needs at least 2"]


def test_the_nodes_of_a_group_are_alike_by_default() -> None:
    """The fleet is counted for the smallest, and an image for one architecture only runs on it."""
    for other in ("m7i.large", "m7g.xlarge"):
        path = "clusters.serving.node_groups.more"
        types = ["m7g.large", other]
        (line,) = refusals({path: {"instance_types": types}})
        assert "must share architecture and number of cores" in line


@pytest.mark.parametrize(
    "access",
    [
        {"deployer_role": "a", "admin_roles": ["a"]},
        {"deployer_role": "a", "admin_roles": ["b", "b"]},
        {"deployer_role": "a", "teams": {"t": {"role": "a", "namespaces": ["default"]}}},
    ],
)
def test_a_role_has_one_access_entry(access: dict[str, Any]) -> None:
    """https://docs.aws.amazon.com/eks/latest/userguide/access-entries.html: one for a principal."""
    twice = access.get("admin_roles", ["a"])[0]
    (line,) = refusals({"clusters.serving": {**NEW_CLUSTER, "access": access}})
    assert f"role {twice} is listed twice" in line


def test_a_clusters_roles_are_all_that_have_access() -> None:
    team = TeamSpec(role="team", namespaces=("default",))
    access = AccessSpec(deployer_role="deployer", admin_roles=("admin",), teams={"t": team})
    assert access.roles == ["deployer", "admin", "team"]


DELIBERATE: list[tuple[Callable[[], Spec], str, bool]] = [
    # What loses data or calls, or shows something to others, is for a stack file to say.
    (ClusterSpec, "deletion_protection", True),
    (NodeGroupSpec, "spot", False),
    (ServiceSpec, "idempotent", False),
    (ServiceSpec, "streaming", False),
    (lambda: ZoneSpec(name="example.com"), "public", False),
    (lambda: ZoneSpec(name="example.com"), "acknowledge_public_addresses", False),
    # What needs others to have done something first.
    (MonitoringSpec, "pod_monitors", False),
    (MonitoringSpec, "dashboards", False),
    # What AWS does for nothing when a node or a zone fails.
    (NodeGroupSpec, "node_repair", True),
    (ClusterSpec, "zonal_shift", True),
]


@pytest.mark.parametrize(
    ("made", "name", "value"), DELIBERATE, ids=[name for _, name, _ in DELIBERATE]
)
def test_what_a_stack_does_not_say_is_the_safe_choice(
    made: Callable[[], Spec], name: str, value: bool
) -> None:
    assert getattr(made(), name) is value


def test_a_cluster_asks_no_fee_that_nobody_chose() -> None:
    """Extended support costs six times as much (https://aws.amazon.com/eks/pricing/), and Auto Mode
    a share of each instance's price."""
    assert ClusterSpec().upgrade_policy == "standard"
    assert not ClusterSpec().auto_mode


def test_the_autoscaler_acts_before_an_envoy_has_no_cpu_left() -> None:
    """It adds an Envoy above its target and a tenth (the HPA's tolerance). An Envoy takes no more
    than its limit, so with a higher target it would never see a load above it."""
    highest = next(
        each.le
        for each in EnvoySpec.model_fields["target_cpu_utilization"].metadata
        if hasattr(each, "le")
    )
    assert EnvoySpec().target_cpu_utilization * 1.1 < highest * 1.1 < 100


def test_a_default_service_listens_where_grpcs_examples_do() -> None:
    """50051 is the port of gRPC's own examples: https://grpc.io/docs/languages/python/basics/."""
    assert ServiceSpec().port == 50051
