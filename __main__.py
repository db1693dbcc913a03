"""One environment: creates its components from the settings, and exports what clients need."""

import pulumi

import grpc_platform as gp
from config import arguments
from config.load import existing_cluster, load_settings

settings = load_settings()
tags, protect = settings.tags, settings.protect

network: gp.AnyNetwork | None = None
if settings.network and (vpc := settings.network.existing):
    network = gp.ExistingNetwork("network", gp.ExistingNetworkArgs(**dict(vpc)))
elif settings.network:
    args = gp.NetworkArgs(spec=settings.network, protect=protect, tags=tags)
    network = gp.Network("network", args)

vpc_id = network.vpc_id if network and settings.zone_lacks_vpc else None
zone: gp.AnyZone
if zone_id := settings.zone.zone_id:
    zone = gp.ExistingZone("zone", arguments.existing_zone(settings, zone_id, vpc_id))
else:
    zone = gp.Zone("zone", arguments.zone(settings, vpc_id))

clusters: dict[str, gp.AnyCluster] = {}
for name, spec in settings.clusters.items():
    if spec.existing:
        clusters[name] = gp.ExistingCluster(name, existing_cluster(name, spec.existing))
        continue
    args = gp.ClusterArgs(
        spec=spec,
        subnet_ids=network.private_subnet_ids if network else (),
        pod_address_cooldown=zone.timing.dns_convergence,
        protect=protect,
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

for name in settings.monitored:  # last: without the Prometheus operator's CRDs only these fail
    before = [network or zone, zone, *clusters.values(), *ingresses.values(), *services.values()]
    opts = pulumi.ResourceOptions(provider=ingresses[name].provider, depends_on=before)
    gp.Monitoring(name, ingresses[name].monitoring_args(), opts)

for name, value in gp.exports(zone, clusters, ingresses, services).items():
    pulumi.export(name, value)
pulumi.run(gp.await_outputs)
