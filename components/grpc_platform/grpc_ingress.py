"""GrpcIngress: everything that lets gRPC calls into one cluster, under one DNS name."""

from __future__ import annotations  # EC2 and EKS load when used: they take a second

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as k8s

from . import pods
from .callers import Caller, Callers, CallersArgs
from .contour.contour import Contour, ContourArgs
from .dns.existing import AnyZone
from .dns.external_dns import ExternalDns, ExternalDnsArgs
from .eks.existing import AnyCluster
from .envoy.envoy import Envoy, EnvoyArgs
from .grpc_service import GrpcServiceArgs
from .monitoring.monitoring import MonitoringArgs
from .monitoring.scrapers import Scraper
from .network.existing import AnyNetwork
from .options import for_children_too
from .rules import refuse
from .rules.serving import envoy_is_possible, released_together
from .rules.timing import times_agree
from .specs import ContourSpec, EnvoySpec, ExternalDnsSpec, MonitoringSpec, ServiceSpec
from .specs.service import FULL_WEIGHT
from .timing import Timing, timing_of


@dataclass(frozen=True, kw_only=True)
class GrpcIngressArgs:
    """The serving cluster, the zone of its DNS name, and its callers."""

    dns_name: pulumi.Input[str]
    """The DNS name for the Envoy pods' addresses: in `zone`, and unique to this cluster."""
    zone: AnyZone
    clusters: Mapping[str, AnyCluster]
    """Clusters by the names that `callers` use; the component's own name is the serving
    cluster's."""
    network: AnyNetwork | None = None
    """The network with the pods of `clusters`; None if all clusters are existing ones."""
    callers: Mapping[str, Caller] = field(default_factory=dict[str, Caller])
    contour: ContourSpec = field(default_factory=ContourSpec)
    envoy: EnvoySpec = field(default_factory=EnvoySpec)
    external_dns: ExternalDnsSpec = field(default_factory=ExternalDnsSpec)
    contour_image: pulumi.Input[str] | None = None
    """Replaces `contour.image` if the same program makes the repository."""
    envoy_image: pulumi.Input[str] | None = None
    """The same for `envoy.image`."""
    external_dns_image: pulumi.Input[str] | None = None
    """The same for `external_dns.image`."""
    image_pull_secrets: Sequence[pulumi.Input[str]] = ()
    """Secrets that all images are pulled with, by name: in Contour's namespace and in
    external-dns's."""
    monitoring: MonitoringSpec = field(default_factory=MonitoringSpec)
    """What `Monitoring` makes of it, this component leaves out: annotations on the pods."""
    scrapers: Mapping[str, Scraper] = field(default_factory=dict[str, Scraper])
    """The sources that may read metrics, by name. When empty, every pod of the cluster may."""
    namespaces: Mapping[str, Sequence[pulumi.Alias]] = field(
        default_factory=dict[str, Sequence[pulumi.Alias]]
    )
    """Namespaces to create for services, by name, each with its resource's aliases."""
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


class GrpcIngress(pulumi.ComponentResource):
    """Creates Contour, its Envoy fleet, the rules for the fleet's callers, the external-dns that
    publishes it, and namespaces for services.

    The component is named after its cluster, whose provider it uses. A cluster can have only one:
    Contour's namespace and CRDs have fixed names.

    Raises ValueError for inconsistent times, an impossible fleet, and versions of Contour and Envoy
    that were not released together.
    """

    provider: k8s.Provider
    """The cluster's Kubernetes provider, for the resources of services served here."""
    dns_name: pulumi.Output[str]
    """The DNS name with the ready Envoys' addresses: the target of the services' CNAMEs."""
    ingress_class_name: pulumi.Output[str]
    """The class of the Ingresses that Contour serves."""
    namespaces: Mapping[str, pulumi.Output[str]]
    """The namespaces that this component created: a resource that uses one waits for it."""
    last: pulumi.Resource
    """The resource that is created last: resources that depend on it find Envoy by its DNS name."""
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
        annotate = not args.monitoring.pod_monitors
        contour = Contour(
            f"{name}-contour",
            ContourArgs(
                dns_name=args.dns_name,
                spec=args.contour,
                envoy=args.envoy,
                image=args.contour_image,
                image_pull_secrets=args.image_pull_secrets,
                scrapers=args.scrapers,
                scrape_annotations=annotate,
            ),
            child,
        )
        # The policy and its enforcement come before the fleet, so that no Envoy pod runs without a
        # network policy.
        callers = Callers(
            f"{name}-callers",
            CallersArgs(
                cluster=name,
                callers=args.callers,
                namespace=contour.namespace,
                security_group_ids={key: c.security_group_id for key, c in args.clusters.items()},
                pod_cidrs=args.network.private_cidrs if args.network else None,
                scrapers=args.scrapers,
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
                image=args.envoy_image,
                contour_image=args.contour_image,
                image_pull_secrets=args.image_pull_secrets,
                scrape_annotations=annotate,
            ),
            pulumi.ResourceOptions(parent=self, depends_on=[callers, *cluster.policy_enforcement]),
        )
        publisher = ExternalDns(
            f"{name}-external-dns",
            ExternalDnsArgs(
                cluster_name=cluster.eks_cluster_name,
                owner_id=_owner_id(name, cluster.eks_cluster_name, self),
                # Release 0.1's owner id, which changed when the stack or its project was renamed.
                former_owner_id=f"{pulumi.get_project()}/{pulumi.get_stack()}/{name}",
                zone_id=args.zone.zone_id,
                zone_arn=args.zone.arn,
                dns_name=args.dns_name,
                envoy_namespace=contour.namespace,
                spec=args.external_dns,
                image=args.external_dns_image,
                image_pull_secrets=args.image_pull_secrets,
                scrapers=args.scrapers,
                scrape_annotations=annotate,
                tags=args.tags,
            ),
            pulumi.ResourceOptions(parent=self, depends_on=[envoy]),
        )
        self.namespaces = {
            namespace: _namespace(name, namespace, former, self)
            for namespace, former in args.namespaces.items()
        }
        self._args = args
        self._monitored = contour.namespace, publisher.namespace
        self.last = publisher.deployment
        self.provider = cluster.provider
        self.timing = timing
        self.http_port = args.envoy.http_port
        self.https_port = args.envoy.https_port
        self.dns_name = pulumi.Output.from_input(args.dns_name)
        self.ingress_class_name = contour.ingress_class_name
        self.register_outputs(
            {
                "dns_name": self.dns_name,
                "ingress_class_name": self.ingress_class_name,
                "namespaces": self.namespaces,
            }
        )

    def service_args(
        self,
        spec: ServiceSpec,
        service: str | None = None,
        weight: int = FULL_WEIGHT,
        *,
        namespace: pulumi.Input[str] | None = None,
    ) -> GrpcServiceArgs:
        """The arguments of a `GrpcService` in this cluster, in this same program.

        The service waits for its namespace if it is one of `namespaces`. `namespace` is another
        namespace that the program makes; it replaces `spec.namespace`.
        """
        args = self._args
        return GrpcServiceArgs(
            spec=spec,
            namespace=self.namespaces.get(spec.namespace) if namespace is None else namespace,
            service=service,
            weight=weight,
            zone_id=args.zone.zone_id,
            zone_name=args.zone.domain,
            envoy_dns_name=args.dns_name,
            ingress_class_name=self.ingress_class_name,
            http_port=self.http_port,
            https_port=self.https_port,
            timing=self.timing,
            cname_after=[self.last],
        )

    def monitoring_args(self) -> MonitoringArgs:
        """The arguments of a `Monitoring` of this cluster, in this same program."""
        contour_namespace, external_dns_namespace = self._monitored
        return MonitoringArgs(
            contour_namespace=contour_namespace,
            external_dns_namespace=external_dns_namespace,
            spec=self._args.monitoring,
        )


def _owner_id(
    name: str, eks_cluster_name: pulumi.Input[str] | None, parent: pulumi.Resource
) -> pulumi.Input[str]:
    """Identifies the cluster among all that write to a zone, in any region of the account.

    It does not contain the names of the stack and its project, so that both can be renamed.
    """
    if eks_cluster_name is None:
        return f"grpc-platform/{name}"
    region = aws.get_region_output(opts=pulumi.InvokeOutputOptions(parent=parent)).region
    return pulumi.Output.concat("grpc-platform/", region, "/", eks_cluster_name)


def _namespace(
    cluster: str, name: str, former: Sequence[pulumi.Alias], parent: pulumi.Resource
) -> pulumi.Output[str]:
    namespace = k8s.core.v1.Namespace(
        # Neither name contains a dot, so no two pairs give the same name.
        f"{name}.{cluster}",
        metadata=pods.metadata(name, None, name),
        opts=pulumi.ResourceOptions(parent=parent, aliases=former),
    )
    return namespace.metadata["name"]
