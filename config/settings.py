"""What an environment may say: the sections of `Pulumi.<env>.yaml`."""

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
    NamespaceSpec,
    NetworkSpec,
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


# What all of AWS's services take: https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html
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
    """Use this VPC; the other keys then do not apply."""


class ClusterSettings(ClusterSpec):
    """A new EKS cluster, or an existing cluster."""

    serves: bool = True
    """Runs Contour, Envoy and external-dns. False for a cluster that only calls."""
    existing: ExistingClusterSpec | None = None
    """Use this cluster; the other keys but `serves` then do not apply."""


class ServiceSettings(ServiceSpec):
    """One gRPC service and the cluster whose Envoys serve it."""

    cluster: Label | None = None
    """The serving cluster; may be left out where there is but one."""
    weights: dict[Label, Weight] | None = None
    """In place of `cluster`, while a service moves: the clusters that serve it, and how much of the
    calls each gets. The sum counts, 100 reads as percent."""


class Settings(Spec):
    """One environment. Every section has the component's own model; see `config.rules` for what
    must hold between them."""

    environment: Literal["development", "production"]
    """Production asks for at least two of everything that serves, and protects what must not be
    lost."""
    network: NetworkSettings | None = None
    """The VPC of the clusters and of the private zone; not needed with existing clusters only."""
    zone: ZoneSpec
    """The hosted zone of all names."""
    clusters: Annotated[dict[Label, ClusterSettings], Field(min_length=1)]
    """EKS clusters by name; `<cluster>.<zone>` holds the addresses of a serving one's Envoys."""
    contour: ContourSpec = ContourSpec()
    """Contour in every serving cluster."""
    envoy: EnvoySpec = EnvoySpec()
    """The Envoy fleet of every serving cluster."""
    external_dns: ExternalDnsSpec = ExternalDnsSpec()
    """The publisher of Envoy's addresses in every serving cluster."""
    image_pull_secrets: tuple[ObjectName, ...] = ()
    """Secrets that all of these images are pulled with. They must exist in namespaces
    `projectcontour` and `external-dns` of every serving cluster; until then the pods wait."""
    namespaces: dict[Label, NamespaceSpec] = {}
    """Namespaces to make for services, by name."""
    services: dict[ServiceName, ServiceSettings] = {}
    """gRPC services by name."""
    callers: dict[Label, CallerSpec] = {}
    """Who may dial Envoy, by name."""
    tags: dict[TagKey, TagValue] = {}
    """Tags of every AWS resource, beside those the components set."""

    @property
    def timing(self) -> Timing:
        """The times that follow from this environment's values."""
        return timing_of(self.zone.timing, self.contour, self.envoy)

    @property
    def protect(self) -> bool:
        """Whether the engine refuses to delete what must not be lost."""
        return self.environment == "production"

    @property
    def serving(self) -> dict[str, ClusterSettings]:
        """The clusters that run Contour and Envoy."""
        return {name: cluster for name, cluster in self.clusters.items() if cluster.serves}

    @property
    def zone_lacks_vpc(self) -> bool:
        """Whether the zone still has to be associated with the network: not where both are existing
        ones, since Route53 refuses to do it twice, and a public zone is answered everywhere."""
        existing = self.network is not None and self.network.existing is not None
        return not self.zone.public and not (existing and self.zone.zone_id)

    @property
    def placements(self) -> list[tuple[str, ServiceSettings, str, int]]:
        """Every service, each cluster that serves it, and the weight of that cluster."""
        return [
            (name, service, cluster, weight)
            for name, service in self.services.items()
            for cluster, weight in self.weights_of(service).items()
        ]

    def namespaces_of(self, cluster: str) -> list[str]:
        """The namespaces that a serving cluster gets."""
        return [
            name
            for name, namespace in self.namespaces.items()
            if namespace.clusters is None or cluster in namespace.clusters
        ]

    def former_names(self, service: str) -> list[str]:
        """What release 0.1 called a service's one component. Only while there is one: with two, it
        could not be told which of them it was."""
        return [service] if len(self.weights_of(self.services[service])) == 1 else []

    def weights_of(self, service: ServiceSettings) -> dict[str, int]:
        """The clusters that serve a service, and the weight of each."""
        if service.weights is not None:
            return dict(service.weights)
        cluster = service.cluster or next(iter(self.serving), None)
        return {} if cluster is None else {cluster: FULL_WEIGHT}

    def host_of(self, name: str) -> str:
        """The name clients dial for a service."""
        return self.services[name].host_of(name, self.zone.name)

    def contour_name(self, cluster: str) -> str:
        """The name that holds the addresses of a cluster's Envoys."""
        return f"{cluster}.{self.zone.name}"
