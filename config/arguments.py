"""The components' arguments, from a stack file's plain models."""

from collections.abc import Mapping

import pulumi

import grpc_platform as gp
from grpc_platform.dns.zone import ZoneUse

from .settings import Settings


def zone(settings: Settings, vpc_id: pulumi.Input[str] | None) -> gp.ZoneArgs:
    """A new zone, which resolves in the network's VPC and the callers' VPCs."""
    return gp.ZoneArgs(
        name=settings.zone.name,
        public=settings.zone.public,
        acknowledge_public_addresses=settings.zone.acknowledge_public_addresses,
        vpc_id=vpc_id,
        protect=settings.protect,
        tags=settings.tags,
        **vars(_use(settings)),
    )


def existing_zone(
    settings: Settings, zone_id: str, vpc_id: pulumi.Input[str] | None
) -> gp.ExistingZoneArgs:
    """An existing zone, which also resolves in the network's VPC unless that is None."""
    own = {} if vpc_id is None else {"network": vpc_id}
    use = _use(settings)
    return gp.ExistingZoneArgs(
        zone_id=zone_id,
        name=settings.zone.name,
        vpc_ids={**own, **use.vpc_ids},
        foreign_vpc_ids=use.foreign_vpc_ids,
        teams=use.teams,
        timing=use.timing,
    )


def _use(settings: Settings) -> ZoneUse:
    callers = [caller for caller in settings.callers.values() if caller.vpc_id is not None]
    return ZoneUse(
        vpc_ids={str(c.vpc_id): str(c.vpc_id) for c in callers if c.account_id is None},
        foreign_vpc_ids={str(c.vpc_id): str(c.vpc_id) for c in callers if c.account_id is not None},
        teams={
            name: gp.ZoneTeam(role=team.role, hosts=team.hosts)
            for name, team in settings.zone.teams.items()
        },
        timing=settings.zone.timing,
    )


def ingress(
    settings: Settings,
    cluster: str,
    *,
    zone: gp.AnyZone,
    clusters: Mapping[str, gp.AnyCluster],
    network: gp.AnyNetwork | None,
) -> gp.GrpcIngressArgs:
    """The arguments of a serving cluster's GrpcIngress."""
    return gp.GrpcIngressArgs(
        dns_name=settings.contour_name(cluster),
        zone=zone,
        clusters=clusters,
        network=network,
        callers={
            name: gp.Caller(**caller.model_dump(exclude={"vpc_id"}))
            for name, caller in settings.callers.items()
        },
        contour=settings.contour,
        envoy=settings.envoy,
        external_dns=settings.external_dns,
        image_pull_secrets=settings.image_pull_secrets,
        monitoring=settings.monitoring,
        scrapers={
            name: gp.Scraper(**dict(scraper))
            for name, scraper in settings.monitoring.scrapers.items()
        },
        namespaces={
            name: [_namespace_of(service) for service in _former_makers(settings, name, cluster)]
            for name in settings.namespaces_of(cluster)
        },
        tags=settings.tags,
    )


def _former_makers(settings: Settings, namespace: str, cluster: str) -> list[str]:
    """The services' components that may have made a namespace: in release 0.1 a service with
    `create_namespace` made it."""
    return [
        component
        for name, service in settings.services.items()
        if service.namespace == namespace and cluster in settings.weights_of(service)
        for component in (*settings.former_names(name), f"{name}.{cluster}")
    ]


def _namespace_of(service: str) -> pulumi.Alias:
    """The namespace that a service's component made."""
    parent = (
        f"urn:pulumi:{pulumi.get_stack()}::{pulumi.get_project()}"
        f"::grpc-platform:index:GrpcService::{service}"
    )
    return pulumi.Alias(name=f"{service}-namespace", parent=parent)
