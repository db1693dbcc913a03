"""Your own platform for other stacks' services: a network, a cluster and a GrpcIngress."""

import pulumi

from grpc_platform import (
    Caller,
    Cluster,
    ClusterArgs,
    GrpcIngress,
    GrpcIngressArgs,
    Network,
    NetworkArgs,
    Zone,
    ZoneArgs,
    exports,
)
from grpc_platform.specs import AccessSpec, ClusterSpec, NetworkSpec

config = pulumi.Config()
domain = config.require("domain")
tags = {"team": "search"}

network = Network(
    "network",
    NetworkArgs(spec=NetworkSpec(zones=config.require_object("zones")), protect=True, tags=tags),
)
zone = Zone("zone", ZoneArgs(name=domain, vpc_id=network.vpc_id, protect=True, tags=tags))
access = AccessSpec(deployer_role=config.require("deployer_role"))
cluster = Cluster(
    "main",
    ClusterArgs(
        spec=ClusterSpec(
            access=access,
            auto_mode=True,
            public_access_cidrs=config.require_object("office_cidrs"),
        ),
        subnet_ids=network.private_subnet_ids,
        pod_address_cooldown=zone.timing.dns_convergence,
        protect=True,
        tags=tags,
    ),
)
ingress = GrpcIngress(
    "main",
    GrpcIngressArgs(
        dns_name=f"main.{domain}",
        zone=zone,
        clusters={"main": cluster},
        network=network,
        callers={"neighbours": Caller(cluster="main")},
        tags=tags,
    ),
)

for name, value in exports(zone, {"main": cluster}, {"main": ingress}, {}).items():
    pulumi.export(name, value)
