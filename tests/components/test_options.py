"""What a caller's options mean is the same for every component."""

from collections.abc import Callable
from typing import Any

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as k8s
import pytest

import grpc_platform as gp
from grpc_platform.specs import (
    AccessSpec,
    ClusterSpec,
    NetworkSpec,
    ServiceSpec,
)
from grpc_platform_tools.graph import Graph, Resource

Recorded = Callable[[Callable[[], object]], Graph]

PREFIX = "grpc-platform:index:"


def build(opts: Callable[[str], pulumi.ResourceOptions]) -> None:
    """A platform with a service on it; `opts` has the options of each component by its class."""
    network = gp.Network(
        "network",
        gp.NetworkArgs(spec=NetworkSpec(zones=("eu-west-1a", "eu-west-1b"))),
        opts("Network"),
    )
    zone = gp.Zone(
        "zone",
        gp.ZoneArgs(name="example.com", vpc_id=network.vpc_id),
        opts("Zone"),
    )
    spec = ClusterSpec(access=AccessSpec(deployer_role="deployer"), auto_mode=True)
    cluster = gp.Cluster(
        "main",
        gp.ClusterArgs(
            spec=spec,
            subnet_ids=network.private_subnet_ids,
            pod_address_cooldown=zone.timing.dns_convergence,
        ),
        opts("Cluster"),
    )
    ingress = gp.GrpcIngress(
        "main",
        gp.GrpcIngressArgs(
            dns_name="main.example.com",
            zone=zone,
            clusters={"main": cluster},
            network=network,
            callers={"all": gp.Caller(cluster="main"), "office": gp.Caller(cidr="10.9.0.0/16")},
        ),
        opts("GrpcIngress"),
    )
    gp.ExistingZone(
        "other",
        gp.ExistingZoneArgs(zone_id="Z0", name="example.org", vpc_ids={"a": "vpc-a", "b": "vpc-b"}),
        opts("ExistingZone"),
    )
    gp.GrpcService("greeter", ingress.service_args(ServiceSpec()), opts("GrpcService"))


COMPONENTS = ("Network", "Zone", "ExistingZone", "Cluster", "GrpcIngress", "GrpcService")
"""Those that a program makes; what GrpcIngress makes is below it."""


@pytest.fixture
def platform(recorded: Recorded) -> Callable[[str, Callable[[], dict[str, Any]]], Graph]:
    """The platform with options for one of its components, made inside the program."""

    def platform(name: str, given: Callable[[], dict[str, Any]]) -> Graph:
        def program() -> None:
            options = pulumi.ResourceOptions(**given())
            build(lambda each: options if each == name else pulumi.ResourceOptions())

        return recorded(program)

    return platform


def inside(graph: Graph, name: str) -> list[Resource]:
    """The component of this class and all below it."""
    found = [r for r in graph if r.type == PREFIX + name]
    for resource in graph:
        if resource.parent in {r.urn for r in found}:
            found.append(resource)
    assert len(found) > 2
    return found


@pytest.mark.parametrize("name", COMPONENTS)
def test_all_of_a_component_waits_for_what_it_depends_on(
    platform: Callable[..., Graph], name: str
) -> None:
    graph = platform(name, lambda: {"depends_on": [aws.sns.Topic("first")]})
    first = graph.only("aws:sns/topic:Topic").urn
    hasty = [r.urn for r in inside(graph, name) if first not in r.depends_on]
    assert not hasty
    others = [r for r in graph if r.urn != first and r not in inside(graph, name)]
    assert not [r.urn for r in others if first in r.depends_on]


@pytest.mark.parametrize("name", COMPONENTS)
def test_all_of_a_component_is_made_by_the_providers_it_is_given(
    platform: Callable[..., Graph], name: str
) -> None:
    graph = platform(name, lambda: {"providers": [aws.Provider("theirs", region="eu-west-1")]})
    theirs = graph.only("pulumi:providers:aws").urn
    made = [r for r in inside(graph, name) if r.type.startswith("aws:")]
    assert made
    assert {r.provider for r in made} == {theirs}


def test_a_service_is_made_by_the_cluster_it_is_given(platform: Callable[..., Graph]) -> None:
    graph = platform(
        "GrpcService", lambda: {"providers": [k8s.Provider("theirs", kubeconfig="{}")]}
    )
    theirs = graph.only("pulumi:providers:kubernetes", "theirs").urn
    made = [r for r in inside(graph, "GrpcService") if r.type.startswith("kubernetes:")]
    assert {r.provider for r in made} == {theirs}


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_component_that_is_renamed_takes_all_of_it_along(
    platform: Callable[..., Graph], name: str
) -> None:
    graph = platform(name, lambda: {"aliases": [pulumi.Alias(name="former")]})
    component, *children = inside(graph, name)
    former = component.urn.rpartition("::")[0] + "::former"
    assert former in component.aliases
    assert not [r.urn for r in children if not r.aliases]
