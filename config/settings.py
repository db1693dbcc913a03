"""An environment's settings: the sections of `Pulumi.<env>.yaml`."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from grpc_platform.specs import (
    CallerSpec,
    ClusterSpec,
    ContourSpec,
    EnvoySpec,
    ExistingClusterSpec,
    ExistingNetworkSpec,
    ExternalDnsSpec,
    MonitoringSpec,
    NamespaceSpec,
    NetworkSpec,
    ScraperSpec,
    ServiceSpec,
    ZoneSpec,
)
from grpc_platform.specs.base import Label, ObjectName, Spec
from grpc_platform.specs.service import FULL_WEIGHT, Weight
from grpc_platform.timing import Timing, timing_of


def _service_name(name: str) -> str:
    # https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#rfc-1035-label-names
    if not name[0].isalpha():
        raise ValueError(f"{name!r} must begin with a letter, as a Kubernetes Service does")
    return name


# Accepted by all AWS services:
# https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html
_TAG = re.compile(r"[\w .:/=+@-]*")


def _tag_key(key: str) -> str:
    if not 1 <= len(key) <= 128 or not _TAG.fullmatch(key) or key.lower().startswith("aws:"):
        raise ValueError(
            f"{key!r} is not a tag's key: up to 128 letters, digits, spaces and _.:/=+-@, not aws:"
        )
    return key


def _tag_value(value: str) -> str:
    if len(value) > 256 or not _TAG.fullmatch(value):
        raise ValueError(
            f"{value!r} is not a tag's value: up to 256 letters, digits, spaces and _.:/=+-@"
        )
    return value


ServiceName = Annotated[Label, AfterValidator(_service_name)]
TagKey = Annotated[str, AfterValidator(_tag_key)]
TagValue = Annotated[str, AfterValidator(_tag_value)]


class NetworkSettings(NetworkSpec):
    """A new VPC over some zones, or an existing one."""

    existing: ExistingNetworkSpec | None = None
    """Use this existing VPC; the other keys then do not apply."""


class ClusterSettings(ClusterSpec):
    """A new EKS cluster, or an existing cluster."""

    serves: bool = True
    """Whether the cluster runs Contour, Envoy and external-dns. False for a cluster that only
    calls."""
    existing: ExistingClusterSpec | None = None
    """Use this existing cluster; then only `serves` applies beside it."""


class ServiceSettings(ServiceSpec):
    """One gRPC service and the cluster whose Envoys serve it."""

    cluster: Label | None = None
    """The serving cluster; optional if there is only one."""
    weights: dict[Label, Weight] | None = None
    """Replaces `cluster` while a service moves: the clusters that serve it, each with its share of
    the calls. Shares are relative to the sum; with a sum of 100 they read as percent."""


class MonitoringSettings(MonitoringSpec):
    """PodMonitors, alerts, and who may read metrics."""

    scrapers: dict[Label, ScraperSpec] = {}
    """The sources that may read the metrics of Contour, Envoy and external-dns, by name. When
    empty, every pod of the serving cluster may."""


class Settings(Spec):
    """One environment. Every section uses its component's own model. The modules `config.*_rules`
    check the rules between sections."""

    environment: Literal["development", "production"]
    """Production requires at least two replicas of Contour and Envoy, and protects the VPC, the
    zone, the EKS clusters and their KMS keys."""
    network: NetworkSettings | None = None
    """The VPC of the clusters and the private zone; not needed if all clusters are existing
    ones."""
    zone: ZoneSpec
    """The hosted zone that contains every name."""
    clusters: Annotated[dict[Label, ClusterSettings], Field(min_length=1)]
    """Clusters by name; `<cluster>.<zone>` resolves to a serving cluster's Envoys."""
    contour: ContourSpec = ContourSpec()
    """Contour in every serving cluster."""
    envoy: EnvoySpec = EnvoySpec()
    """The Envoy fleet of every serving cluster."""
    external_dns: ExternalDnsSpec = ExternalDnsSpec()
    """external-dns in every serving cluster, which publishes Envoy's addresses."""
    image_pull_secrets: tuple[ObjectName, ...] = ()
    """Secrets to pull all of these images with. They must exist in the namespaces `projectcontour`
    and `external-dns` of every serving cluster; until then the pods wait."""
    namespaces: dict[Label, NamespaceSpec] = {}
    """Namespaces to create for services, by name."""
    services: Annotated[dict[ServiceName, ServiceSettings], Field(max_length=10_000)] = {}
    """gRPC services by name, at most 10,000: Route53's quota of records in a zone."""
    callers: Annotated[dict[Label, CallerSpec], Field(max_length=500)] = {}
    """The sources that may dial Envoy, by name, at most 500: a security group has up to 1,000
    rules, and a caller takes two of them."""
    monitoring: MonitoringSettings = MonitoringSettings()
    """How every serving cluster is [scraped, and what alerts](monitoring.md)."""
    tags: Annotated[dict[TagKey, TagValue], Field(max_length=40)] = {}
    """Tags of every AWS resource, at most 40, in addition to those that the components set: AWS
    allows 50 on a resource."""

    @property
    def timing(self) -> Timing:
        """The times derived from this environment's settings."""
        return timing_of(self.zone.timing, self.contour, self.envoy)

    @property
    def protect(self) -> bool:
        """Whether the engine refuses to delete the VPC, the zone, the EKS clusters and their KMS
        keys."""
        return self.environment == "production"

    @property
    def serving(self) -> dict[str, ClusterSettings]:
        """The clusters that run Contour and Envoy."""
        return {name: cluster for name, cluster in self.clusters.items() if cluster.serves}

    @property
    def monitored(self) -> list[str]:
        """The clusters that get PodMonitors, alerts or dashboards."""
        wanted = self.monitoring.needs_operator or self.monitoring.dashboards
        return list(self.serving) if wanted else []

    @property
    def zone_lacks_vpc(self) -> bool:
        """Whether the stack must associate the zone with the network. An existing zone and an
        existing network are already associated, and Route53 refuses a second association. A public
        zone resolves everywhere."""
        existing = self.network is not None and self.network.existing is not None
        return not self.zone.public and not (existing and self.zone.zone_id)

    @property
    def placements(self) -> list[tuple[str, ServiceSettings, str, int]]:
        """Every service with each cluster that serves it, and that cluster's weight."""
        return [
            (name, service, cluster, weight)
            for name, service in self.services.items()
            for cluster, weight in self.weights_of(service).items()
        ]

    def namespaces_of(self, cluster: str) -> list[str]:
        """The namespaces to create in a serving cluster."""
        return [
            name
            for name, namespace in self.namespaces.items()
            if namespace.clusters is None or cluster in namespace.clusters
        ]

    def former_names(self, service: str) -> list[str]:
        """Release 0.1's name of the service's component. Empty if the service has two components,
        because either could be the former one."""
        return [service] if len(self.weights_of(self.services[service])) == 1 else []

    def weights_of(self, service: ServiceSettings) -> dict[str, int]:
        """The clusters that serve a service, each with its weight."""
        if service.weights is not None:
            return dict(service.weights)
        cluster = service.cluster or next(iter(self.serving), None)
        return {} if cluster is None else {cluster: FULL_WEIGHT}

    def host_of(self, name: str) -> str:
        """The host that clients dial for a service."""
        return self.services[name].host_of(name, self.zone.name)

    def contour_name(self, cluster: str) -> str:
        """The DNS name with the addresses of a cluster's Envoys."""
        return f"{cluster}.{self.zone.name}"
