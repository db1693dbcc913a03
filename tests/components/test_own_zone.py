"""A program that creates a zone, an image repository and a namespace, and passes them on."""

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as k8s
import pytest

import grpc_platform as gp
from grpc_platform.specs import AccessSpec, ClusterSpec, NetworkSpec, ServiceSpec
from grpc_platform_tools.graph import Graph
from grpc_platform_tools.preview.fixtures import Computed, Fixtures
from grpc_platform_tools.preview.record import record

MIRROR = "000000000000.dkr.ecr.eu-west-1.amazonaws.com/mirror"


def program(tag: str = ":v1") -> None:
    """The program's own zone, repository, role and namespace; the rest from components."""
    network = gp.Network(
        "network", gp.NetworkArgs(spec=NetworkSpec(zones=("eu-west-1a", "eu-west-1b")))
    )
    office = aws.ec2.Vpc("office", cidr_block="10.9.0.0/16")
    gateways = aws.ec2.SecurityGroup("gateways", vpc_id=office.id)
    own = aws.route53.Zone("own", name="example.com", vpcs=[{"vpc_id": network.vpc_id}])
    team = aws.iam.Role("team", assume_role_policy="{}")
    zone = gp.ExistingZone(
        "zone",
        gp.ExistingZoneArgs(
            zone_id=own.zone_id,
            name=own.name,
            vpc_ids={"office": office.id},
            teams={"shop": gp.ZoneTeam(role=team.name, hosts=["shop.example.com"])},
        ),
    )
    cluster = gp.Cluster(
        "main",
        gp.ClusterArgs(
            spec=ClusterSpec(access=AccessSpec(deployer_role="deployer"), auto_mode=True),
            subnet_ids=network.private_subnet_ids,
            pod_address_cooldown=zone.timing.dns_convergence,
        ),
    )
    image = pulumi.Output.concat(aws.ecr.Repository("mirror").repository_url, tag)
    ingress = gp.GrpcIngress(
        "main",
        gp.GrpcIngressArgs(
            dns_name=pulumi.Output.concat("main.", own.name),
            zone=zone,
            clusters={"main": cluster},
            network=network,
            callers={
                "office": gp.Caller(cidr=office.cidr_block),
                "gateways": gp.Caller(security_group_id=gateways.id, cidr=office.cidr_block),
            },
            contour_image=image,
            envoy_image=image,
            external_dns_image=image,
        ),
    )
    namespace = k8s.core.v1.Namespace(
        "shop",
        metadata={"name": "shop"},
        opts=pulumi.ResourceOptions(provider=cluster.provider),
    )
    args = ingress.service_args(ServiceSpec(), namespace=namespace.metadata["name"])
    gp.GrpcService("shop", args, pulumi.ResourceOptions(provider=cluster.provider))


REPOSITORY = Computed(type="aws:ecr/repository:Repository", outputs={"repositoryUrl": MIRROR})


@pytest.fixture(scope="module")
def graph() -> Graph:
    return record(program, fixtures=Fixtures(computed=(REPOSITORY,)))


def test_names_are_written_in_the_zone_that_the_program_makes(graph: Graph) -> None:
    own = graph.only("aws:route53/zone:Zone")
    cname = graph.only("aws:route53/record:Record", "shop-cname")
    assert (cname.inputs["zoneId"], cname.inputs["name"]) == (own.id, "shop.example.com")
    assert cname.inputs["setIdentifier"] == "main"
    association = graph.only("aws:route53/zoneAssociation:ZoneAssociation")
    assert own.urn in graph.needs(association)
    policy = graph.only("aws:iam/rolePolicy:RolePolicy", "zone-shop")
    assert graph.only("aws:iam/role:Role", "team").urn in graph.needs(policy)


def test_callers_are_known_by_the_blocks_and_groups_that_the_program_makes(graph: Graph) -> None:
    rules = graph.of_type("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
    group = graph.only("aws:ec2/securityGroup:SecurityGroup", "gateways").id
    sources = {
        (r.inputs.get("cidrIpv4"), r.inputs.get("referencedSecurityGroupId"), r.inputs["toPort"])
        for r in rules
        if r.name.startswith("main-callers-")
    }
    assert sources == {
        ("10.9.0.0/16", None, 8080),
        ("10.9.0.0/16", None, 8443),
        (None, group, 8080),
        (None, group, 8443),
    }


def test_every_pod_runs_an_image_of_the_repository_that_the_program_makes(graph: Graph) -> None:
    repository = graph.only("aws:ecr/repository:Repository").urn
    workloads = [r for r in graph if r.inputs.get("kind") in {"Deployment", "Job", "CronJob"}]
    assert len(workloads) == 5
    for workload in workloads:
        spec = workload.inputs["spec"]
        template = spec.get("jobTemplate", {"spec": spec})["spec"]["template"]["spec"]
        containers = [*template["containers"], *template.get("initContainers", [])]
        assert {c["image"] for c in containers} == {f"{MIRROR}:v1"}
        assert repository in graph.needs(workload)


def test_a_service_waits_for_the_namespace_that_the_program_makes(graph: Graph) -> None:
    namespace = graph.only("kubernetes:core/v1:Namespace", "shop").urn
    for kind in ("kubernetes:core/v1:Service", "kubernetes:networking.k8s.io/v1:Ingress"):
        (mine,) = [r for r in graph.of_type(kind) if r.inputs["metadata"]["namespace"] == "shop"]
        assert namespace in graph.needs(mine)


def test_an_image_that_turns_out_to_have_no_tag_fails_the_pods_that_run_it() -> None:
    with pytest.raises(ValueError, match=r"image = .*mirror: .* is not a repository with a tag"):
        record(lambda: program(tag=""), fixtures=Fixtures(computed=(REPOSITORY,)))
