"""A stack file and a component's constructor report a broken rule by the same line."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

import grpc_platform as gp
from grpc_platform.specs import (
    AccessSpec,
    ClusterSpec,
    ContourSpec,
    EnvoySpec,
    ExternalDnsSpec,
    NetworkSpec,
    NodeGroupSpec,
    ServiceSpec,
    ZoneTeamSpec,
)
from grpc_platform.specs.contour import Timeouts
from grpc_platform.timing import DnsTiming
from grpc_platform_tools.preview.record import record
from tests.config.stack import refusals

DOMAIN = "grpc.example.com"
EXISTING = {"existing": {"context": "there", "kubeconfig": "file", "eks_cluster_name": "there"}}


def ingress(
    contour: ContourSpec | None = None, envoy: EnvoySpec | None = None, **zone: Any
) -> None:
    cluster = gp.ExistingCluster("main", gp.ExistingClusterArgs(kubeconfig="file"))
    times = DnsTiming(**zone)
    place = gp.ExistingZone("zone", gp.ExistingZoneArgs(name=DOMAIN, zone_id="Z1", timing=times))
    args = gp.GrpcIngressArgs(
        dns_name=f"main.{DOMAIN}",
        zone=place,
        clusters={"main": cluster},
        contour=contour or ContourSpec(),
        envoy=envoy or EnvoySpec(),
        external_dns=ExternalDnsSpec(credentials_secret="route53"),
    )
    gp.GrpcIngress("main", args)


def zone(**spec: Any) -> None:
    gp.Zone("zone", gp.ZoneArgs(name=DOMAIN, vpc_id="vpc-1", **spec))


def service(**spec: Any) -> None:
    args = gp.GrpcServiceArgs(
        spec=ServiceSpec(**spec),
        zone_id="Z1",
        zone_name=DOMAIN,
        envoy_dns_name=f"main.{DOMAIN}",
        ingress_class_name="contour",
        http_port=8080,
        https_port=8443,
        timing=gp.Timing(),
    )
    gp.GrpcService("greeter", args)


def callers(caller: gp.Caller) -> None:
    groups = {"serving": "sg-1", "there": None}
    args = gp.CallersArgs(
        cluster="serving",
        callers={"batch": caller},
        namespace="projectcontour",
        security_group_ids=groups,
        pod_cidrs=["10.0.0.0/16"],
    )
    gp.Callers("callers", args)


def external_dns() -> None:
    args = gp.ExternalDnsArgs(
        cluster_name=None,
        owner_id="owner",
        zone_id="Z1",
        zone_arn="arn",
        dns_name=f"main.{DOMAIN}",
        envoy_namespace="projectcontour",
    )
    gp.ExternalDns("external-dns", args)


def envoy(**spec: Any) -> None:
    args = gp.EnvoyArgs(
        namespace="projectcontour",
        xds_address="contour",
        dns_name=f"main.{DOMAIN}",
        spec=EnvoySpec(**spec),
    )
    gp.Envoy("envoy", args)


def network(**spec: Any) -> None:
    gp.Network("network", gp.NetworkArgs(spec=NetworkSpec(**spec)))


def cluster(**spec: Any) -> None:
    args = gp.ClusterArgs(
        spec=ClusterSpec(**spec),
        subnet_ids=["subnet-a", "subnet-b"],
        pod_address_cooldown=timedelta(0),
    )
    gp.Cluster("serving", args)


ACCESS = AccessSpec(deployer_role="deployer")
TEAM = ZoneTeamSpec(role="shop", hosts=("cart.example.org",))
CASES: list[tuple[dict[str, Any], str, Callable[[], None]]] = [
    ({"network.zones": ["eu-west-1a"]}, "network.", lambda: network(zones=("eu-west-1a",))),
    (
        {"clusters.serving.access": None},
        "clusters.serving.",
        lambda: cluster(node_groups={"default": NodeGroupSpec()}),
    ),
    (
        {"clusters.serving.node_groups": None},
        "clusters.serving.",
        lambda: cluster(access=ACCESS),
    ),
    (
        {"contour.timeouts.max_connection_duration": "13m"},
        "",
        lambda: ingress(
            ContourSpec(timeouts=Timeouts(max_connection_duration=timedelta(minutes=13)))
        ),
    ),
    ({"zone.record_ttl": "5m"}, "", lambda: ingress(record_ttl=timedelta(minutes=5))),
    ({"envoy.version": "1.38.3"}, "", lambda: ingress(envoy=EnvoySpec(version="1.38.3"))),
    ({"envoy.http_port": 8002}, "", lambda: ingress(envoy=EnvoySpec(http_port=8002))),
    ({"envoy.cpu": "1500m"}, "envoy.", lambda: envoy(cpu="1500m")),
    ({"envoy.https_port": 8080}, "envoy.", lambda: envoy(https_port=8080)),
    ({"zone.public": True}, "zone.", lambda: zone(public=True)),
    (
        {"zone.teams": {"shop": TEAM.model_dump()}},
        "zone.",
        lambda: zone(teams={"shop": TEAM}),
    ),
    (
        {"services.greeter.deadline": "2m"},
        "services.greeter.",
        lambda: service(deadline=timedelta(minutes=2)),
    ),
    (
        {"services.greeter.host": "a.example.org"},
        "services.greeter.",
        lambda: service(host="a.example.org"),
    ),
    (
        {"callers.batch": {"security_group_id": "sg-1"}},
        "",
        lambda: callers(gp.Caller(security_group_id="sg-1")),
    ),
    (
        {"clusters.there": {**EXISTING, "serves": False}, "callers.batch": {"cluster": "there"}},
        "",
        lambda: callers(gp.Caller(cluster="there")),
    ),
    (
        {"clusters": {"there": {"existing": {"context": "c", "kubeconfig": "f"}}}},
        "clusters.there.existing.eks_",
        external_dns,
    ),
]


@pytest.mark.parametrize(("changes", "where", "component"), CASES, ids=[str(c[0]) for c in CASES])
def test_the_constructor_refuses_with_the_line_of_the_stack_file(
    changes: dict[str, Any], where: str, component: Callable[[], None]
) -> None:
    [line] = refusals(changes)
    with pytest.raises(ValueError, match=r"^\w+ [\w-]+: ") as refused:
        record(component)
    assert f"{where}{str(refused.value).partition(': ')[2]}" == line


def test_a_private_zone_without_a_vpc() -> None:
    [line] = refusals({"network": None, "clusters": {"there": EXISTING}})
    with pytest.raises(ValueError, match=r"^Zone zone: ") as refused:
        record(lambda: gp.Zone("zone", gp.ZoneArgs(name=DOMAIN)))
    assert f"zone.{str(refused.value).partition(': ')[2]}" == line
