"""One environment: from its settings to what a client needs to know."""

import pulumi

import grpc_platform as gp
from config import arguments
from config.load import load_kubeconfig, load_settings

settings = load_settings()
tags = settings.tags

network = None
if settings.network:
    network = gp.Network("network", gp.NetworkArgs(spec=settings.network, tags=tags))
vpc = network.vpc_id if network and settings.zone_lacks_vpc else None
zone: gp.AnyZone
if settings.zone.zone_id:
    zone = gp.ExistingZone("zone", arguments.existing_zone(settings, settings.zone.zone_id, vpc))
else:
    zone = gp.Zone("zone", arguments.zone(settings, vpc))

clusters: dict[str, gp.Cluster] = {}
for name, spec in settings.clusters.items():
    args = gp.ClusterArgs(
        spec=spec,
        subnet_ids=network.private_subnet_ids if network else (),
        kubeconfig=load_kubeconfig(name),
        pod_address_cooldown=zone.timing.dns_convergence,
        tags=tags,
    )
    clusters[name] = gp.Cluster(name, args)

ingresses: dict[str, gp.GrpcIngress] = {}
for name in settings.serving:
    args = arguments.ingress(settings, name, zone=zone, clusters=clusters, network=network)
    ingresses[name] = gp.GrpcIngress(name, args)

services: dict[str, gp.GrpcService] = {}
for name, spec, where, weight in settings.placements:
    entry = ingresses[where]
    opts = pulumi.ResourceOptions(provider=entry.provider)
    opts.aliases = [pulumi.Alias(name=former) for former in settings.former_names(name)]
    services[name] = gp.GrpcService(f"{name}.{where}", entry.service_args(spec, name, weight), opts)

for name, value in gp.exports(zone, clusters, ingresses, services).items():
    pulumi.export(name, value)
