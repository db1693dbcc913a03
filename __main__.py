"""One environment: from its settings to what a client needs to know."""

import pulumi

from config.load import load_kubeconfig, load_settings
from grpc_platform import (
    Cluster,
    ClusterArgs,
    GrpcIngress,
    GrpcIngressArgs,
    GrpcService,
    Network,
    NetworkArgs,
    Zone,
    ZoneArgs,
    exports,
)

settings = load_settings()
tags = settings.tags

network = (
    Network("network", NetworkArgs(spec=settings.network, tags=tags)) if settings.network else None
)
vpc = network.vpc_id if network and settings.zone_lacks_vpc else None
zone = Zone("zone", ZoneArgs(spec=settings.zone, vpc_id=vpc, callers=settings.callers, tags=tags))

clusters: dict[str, Cluster] = {}
for name, spec in settings.clusters.items():
    args = ClusterArgs(
        spec=spec,
        subnet_ids=network.private_subnet_ids if network else (),
        kubeconfig=load_kubeconfig(name),
        pod_address_cooldown=zone.timing.dns_convergence,
        tags=tags,
    )
    clusters[name] = Cluster(name, args)

ingresses: dict[str, GrpcIngress] = {}
for name in settings.serving:
    args = GrpcIngressArgs(
        dns_name=settings.contour_name(name),
        zone=zone,
        clusters=clusters,
        network=network,
        callers=settings.callers,
        contour=settings.contour,
        envoy=settings.envoy,
        external_dns=settings.external_dns,
        tags=tags,
    )
    ingresses[name] = GrpcIngress(name, args)

services: dict[str, GrpcService] = {}
for name, spec, where, weight in settings.placements:
    ingress = ingresses[where]
    opts = pulumi.ResourceOptions(provider=ingress.provider)
    opts.aliases = [pulumi.Alias(name=former) for former in settings.former_names(name)]
    services[name] = GrpcService(f"{name}.{where}", ingress.service_args(spec, name, weight), opts)

for name, value in exports(zone, clusters, ingresses, services).items():
    pulumi.export(name, value)
