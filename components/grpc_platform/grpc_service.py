"""GrpcService: puts one gRPC service behind Envoy, under its own DNS name."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from .client_contract import ClientContract, client_contract, route_deadline, service_host
from .conventions import OTHER_ANNOTATION_PREFIXES
from .dns.zone import cname
from .inputs import checked, known
from .options import for_children_too
from .pods import metadata, selector
from .specs import ServiceSpec
from .specs.base import Label
from .specs.service import FULL_WEIGHT
from .timing import Timing, format_duration, whole_seconds

_PORT = "grpc"
_RETRIES_IN_FLIGHT = 1_000
"""A tenth of the calls in flight that Contour allows (`contour.cluster.max_requests`). With Envoy's
own limit of 3 most calls to a silent server are not tried again (docs/experiments, Lost server)."""
# Both would wait for the app's pods, but the service may be created before its app:
# https://www.pulumi.com/registry/packages/kubernetes/installation-configuration/#resource-await-logic
_DO_NOT_WAIT = {"pulumi.com/skipAwait": "true"}
# Another external-dns of the cluster would publish an Ingress's host, beside our CNAME or before
# it, and Route53 would then refuse ours. It skips what names another controller:
# https://github.com/kubernetes-sigs/external-dns/blob/v0.21.0/source/annotations/processors.go
_OF_NO_OTHER_EXTERNAL_DNS = {
    f"{prefix}controller": "grpc-platform" for prefix in OTHER_ANNOTATION_PREFIXES
}


@dataclass(frozen=True, kw_only=True)
class GrpcServiceArgs:
    """The service, and the platform it is on (`platform_stack.service_args` reads that back)."""

    spec: ServiceSpec = field(default_factory=ServiceSpec)
    namespace: pulumi.Input[str] | None = None
    """Replaces `spec.namespace` if the same program makes the namespace: the service then waits for
    it."""
    service: str | None = None
    """The service's name, if it is not the component's: a service in two clusters has two
    components."""
    weight: int = FULL_WEIGHT
    """This cluster's weight among the clusters that serve the host: 0 (no client is sent here) to
    255."""
    zone_id: pulumi.Input[str]
    zone_name: pulumi.Input[str]
    envoy_dns_name: pulumi.Input[str]
    """The DNS name with Envoy's addresses: the CNAME's target."""
    ingress_class_name: pulumi.Input[str]
    http_port: pulumi.Input[int]
    """Envoy's port for plaintext gRPC (h2c)."""
    https_port: pulumi.Input[int]
    """Envoy's port for gRPC over TLS."""
    timing: pulumi.Input[Timing]
    """The platform's times; `max_deadline` bounds the service's deadline."""
    cname_after: Sequence[pulumi.Resource] = ()
    """Resources that must exist before the CNAME: Envoy and its addresses, in the program that
    makes them. A look-up that comes too early gets NXDOMAIN, which resolvers cache."""


class GrpcService(pulumi.ComponentResource):
    """Creates a headless Service, an Ingress and a weighted CNAME, all named after the service (the
    CNAME after its host). The team deploys the app; this component does not wait for it.

    A service that moves to another cluster has one component in each: docs/moving.md.

    The CNAME is created last, after everything in `cname_after`.

    Raises ValueError for a deadline above the platform's `max_deadline`, a streaming service's
    finite deadline, a host outside the zone and an invalid namespace. Plain values are checked
    before anything is registered, Outputs as soon as they are known.
    """

    host: pulumi.Output[str]
    """The name clients dial."""
    client_contract: pulumi.Output[dict[str, Any]]
    """What a client must know about the service: `ClientContract` as plain JSON."""

    def __init__(
        self, name: str, args: GrpcServiceArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        spec, service_name = args.spec, args.service or name
        contract = known(
            lambda zone_name, http_port, https_port, timing: client_contract(
                service_name,
                spec,
                zone_name=zone_name,
                http_port=http_port,
                https_port=https_port,
                timing=timing,
            ),
            args.zone_name,
            args.http_port,
            args.https_port,
            args.timing,
        )
        host = known(lambda zone: service_host(service_name, spec, zone), args.zone_name)
        given = spec.namespace if args.namespace is None else args.namespace
        namespace = checked(f"GrpcService {service_name}", "namespace", Label, given)
        super().__init__("grpc-platform:index:GrpcService", name, {}, for_children_too(opts))
        child = pulumi.ResourceOptions(parent=self)
        self.host = pulumi.Output.from_input(host)
        self.client_contract = pulumi.Output.from_input(contract).apply(ClientContract.to_dict)

        service = k8s.core.v1.Service(
            name,
            metadata=metadata(
                service_name,
                namespace,
                service_name,
                _DO_NOT_WAIT | service_annotations(spec),
            ),
            spec=k8s.core.v1.ServiceSpecArgs(
                cluster_ip="None",
                selector=spec.selector or selector(service_name),
                # No appProtocol: Contour would use it instead of the annotation.
                ports=[
                    k8s.core.v1.ServicePortArgs(
                        name=_PORT, port=spec.port, target_port=spec.port, protocol="TCP"
                    )
                ],
            ),
            opts=child,
        )
        backend = k8s.networking.v1.IngressBackendArgs(
            service=k8s.networking.v1.IngressServiceBackendArgs(
                name=service.metadata["name"],
                # By name: another number changes the Service alone, and at once.
                port=k8s.networking.v1.ServiceBackendPortArgs(name=_PORT),
            )
        )
        path = k8s.networking.v1.HTTPIngressPathArgs(path="/", path_type="Prefix", backend=backend)
        ingress = k8s.networking.v1.Ingress(
            f"{name}-ingress",
            metadata=metadata(
                service_name,
                namespace,
                service_name,
                known(lambda timing: ingress_annotations(service_name, spec, timing), args.timing),
            ),
            spec=k8s.networking.v1.IngressSpecArgs(
                ingress_class_name=args.ingress_class_name,
                rules=[
                    k8s.networking.v1.IngressRuleArgs(
                        host=host,
                        http=k8s.networking.v1.HTTPIngressRuleValueArgs(paths=[path]),
                    )
                ],
                tls=[k8s.networking.v1.IngressTLSArgs(hosts=[host], secret_name=spec.tls_secret)]
                if spec.tls_secret
                else None,
            ),
            opts=child,
        )
        cname(
            f"{name}-cname",
            zone_id=args.zone_id,
            host=host,
            target=args.envoy_dns_name,
            set_identifier=known(_within_zone, args.envoy_dns_name, args.zone_name),
            weight=args.weight,
            ttl=known(_record_ttl, args.timing),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[ingress, *args.cname_after]),
        )
        self.register_outputs({"host": self.host, "client_contract": self.client_contract})


def service_annotations(spec: ServiceSpec) -> dict[str, str]:
    """The Service's annotations for Contour: its protocol and its circuit breakers.

    https://projectcontour.io/docs/1.33/config/annotations/
    """
    limits = {key: limit for key, limit in spec.circuit_breakers if limit is not None}
    if spec.idempotent:
        limits.setdefault("max_retries", _RETRIES_IN_FLIGHT)
    return {
        "projectcontour.io/upstream-protocol.h2c": str(spec.port),
        **{f"projectcontour.io/{key.replace('_', '-')}": str(n) for key, n in limits.items()},
    }


def ingress_annotations(service: str, spec: ServiceSpec, timing: Timing) -> dict[str, str]:
    """The Ingress's annotations: for Contour the route's timeout, its retries and, with TLS, no
    plaintext route; those for Pulumi and for other external-dns."""
    deadline = route_deadline(service, spec, timing.max_deadline)
    timeout = format_duration(deadline) if deadline else "infinity"
    plaintext = {"kubernetes.io/ingress.allow-http": "false"} if spec.tls_secret else {}
    return {
        "projectcontour.io/response-timeout": timeout,
        **_retry_annotations(spec),
        **plaintext,
        **_OF_NO_OTHER_EXTERNAL_DNS,
        **_DO_NOT_WAIT,
    }


def _retry_annotations(spec: ServiceSpec) -> dict[str, str]:
    """When Envoy tries a call again: its server reset it, could not be reached, or has not begun to
    answer within `try_timeout`.

    Envoy may pick the same server again, so of three servers with one silent each try but the first
    fails with one call in three: hence four more tries (docs/experiments, Lost server).
    """
    if not spec.idempotent:
        return {}
    retries = {
        "projectcontour.io/retry-on": "reset,connect-failure,refused-stream",
        "projectcontour.io/num-retries": "4",
    }
    if spec.try_timeout is not None:
        retries["projectcontour.io/per-try-timeout"] = format_duration(spec.try_timeout)
    return retries


def _within_zone(dns_name: str, zone_name: str) -> str:
    """Distinguishes the records of one host: the cluster whose Envoys each one leads to."""
    return dns_name.removesuffix(f".{zone_name}")


def _record_ttl(timing: Timing) -> int:
    return whole_seconds(timing.record_ttl)
