"""GrpcIngress: everything that lets gRPC calls into one cluster, under one name."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi
import pulumi_kubernetes as k8s

from .callers import Callers, CallersArgs
from .contour.contour import Contour, ContourArgs
from .dns.external_dns import ExternalDns, ExternalDnsArgs
from .dns.zone import Zone
from .eks.existing import AnyCluster
from .envoy.envoy import Envoy, EnvoyArgs
from .grpc_service import GrpcServiceArgs
from .network.existing import AnyNetwork
from .options import for_children_too
from .rules import refuse
from .rules.serving import envoy_is_possible, released_together
from .rules.timing import times_agree
from .specs import CallerSpec, ContourSpec, EnvoySpec, ExternalDnsSpec, ServiceSpec
from .specs.service import FULL_WEIGHT
from .timing import Timing, timing_of


@dataclass(frozen=True, kw_only=True)
class GrpcIngressArgs:
    """The cluster that serves, the zone of its name, and who may call."""

    dns_name: pulumi.Input[str]
    """The name for the addresses of Envoy's pods: in `zone`, and no other cluster's."""
    zone: Zone
    clusters: Mapping[str, AnyCluster]
    """Clusters by the names that `callers` use; the component's own name is the serving one's."""
    network: AnyNetwork | None = None
    """Where the pods of `clusters` have their addresses; None with existing clusters only."""
    callers: Mapping[str, CallerSpec] = field(default_factory=dict[str, CallerSpec])
    contour: ContourSpec = field(default_factory=ContourSpec)
    envoy: EnvoySpec = field(default_factory=EnvoySpec)
    external_dns: ExternalDnsSpec = field(default_factory=ExternalDnsSpec)
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


class GrpcIngress(pulumi.ComponentResource):
    """Contour, its Envoy fleet, who may dial the fleet, and external-dns that publishes it.

    The component is named after its cluster, whose provider it uses. One to a cluster: Contour's
    namespace and CRDs have fixed names.

    Raises ValueError for times that do not agree, a fleet that cannot be, and a Contour and an
    Envoy that were not released together.
    """

    provider: k8s.Provider
    """The cluster's Kubernetes provider, for what is to be served here."""
    dns_name: pulumi.Output[str]
    """The name that holds the addresses of the ready Envoys: the target of services' CNAMEs."""
    ingress_class_name: pulumi.Output[str]
    """What an Ingress says to be served."""
    last: pulumi.Resource
    """What is made last: whoever depends on it finds Envoy under its name."""
    http_port: int
    """Envoy's port for plaintext gRPC."""
    https_port: int
    """Envoy's port for gRPC over TLS."""
    timing: Timing
    """The times that follow from `zone`, `contour` and `envoy`."""

    def __init__(
        self, name: str, args: GrpcIngressArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        timing = timing_of(args.zone.timing, args.contour, args.envoy)
        refuse(
            f"GrpcIngress {name}",
            [
                *times_agree(timing),
                *envoy_is_possible(args.envoy, ("envoy",)),
                *released_together(args.contour, args.envoy),
            ],
        )
        cluster = args.clusters[name]
        inside = pulumi.ResourceOptions(providers=[cluster.provider])
        super().__init__(
            "grpc-platform:index:GrpcIngress",
            name,
            {},
            pulumi.ResourceOptions.merge(for_children_too(opts), inside),
        )
        child = pulumi.ResourceOptions(parent=self)
        contour = Contour(
            f"{name}-contour",
            ContourArgs(dns_name=args.dns_name, spec=args.contour, envoy=args.envoy),
            child,
        )
        # Before the fleet, as is what enforces it: an Envoy pod then never runs without its network
        # policy.
        callers = Callers(
            f"{name}-callers",
            CallersArgs(
                cluster=name,
                callers=args.callers,
                namespace=contour.namespace,
                security_group_ids={key: c.security_group_id for key, c in args.clusters.items()},
                pod_cidrs=args.network.private_cidrs if args.network else None,
                envoy=args.envoy,
                tags=args.tags,
            ),
            child,
        )
        envoy = Envoy(
            f"{name}-envoy",
            EnvoyArgs(
                namespace=contour.namespace,
                xds_address=contour.xds_address,
                dns_name=args.dns_name,
                spec=args.envoy,
                contour=args.contour,
                dns_timing=args.zone.timing,
            ),
            pulumi.ResourceOptions(parent=self, depends_on=[callers, *cluster.policy_enforcement]),
        )
        publisher = ExternalDns(
            f"{name}-external-dns",
            ExternalDnsArgs(
                cluster_name=cluster.eks_cluster_name,
                # Two stacks may share a zone and a cluster's name.
                owner_id=f"{pulumi.get_project()}/{pulumi.get_stack()}/{name}",
                zone_id=args.zone.zone_id,
                zone_arn=args.zone.arn,
                dns_name=args.dns_name,
                envoy_namespace=contour.namespace,
                spec=args.external_dns,
                tags=args.tags,
            ),
            pulumi.ResourceOptions(parent=self, depends_on=[envoy]),
        )
        self._args = args
        self.last = publisher.deployment
        self.provider = cluster.provider
        self.timing = timing
        self.http_port = args.envoy.http_port
        self.https_port = args.envoy.https_port
        self.dns_name = pulumi.Output.from_input(args.dns_name)
        self.ingress_class_name = contour.ingress_class_name
        self.register_outputs(
            {"dns_name": self.dns_name, "ingress_class_name": self.ingress_class_name}
        )

    def service_args(
        self, spec: ServiceSpec, service: str | None = None, weight: int = FULL_WEIGHT
    ) -> GrpcServiceArgs:
        """What `GrpcService` takes for a service in this cluster, by this same program."""
        args = self._args
        return GrpcServiceArgs(
            spec=spec,
            service=service,
            weight=weight,
            zone_id=args.zone.zone_id,
            zone_name=args.zone.domain,
            envoy_dns_name=self.dns_name,
            ingress_class_name=self.ingress_class_name,
            http_port=self.http_port,
            https_port=self.https_port,
            timing=self.timing,
            cname_after=[self.last],
        )
