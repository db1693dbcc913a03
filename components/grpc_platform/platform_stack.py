"""What a platform stack exports, and how a service team's stack reads it back."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import pulumi
from pydantic import BaseModel, ConfigDict, ValidationError

from .client_contract import ClientContract
from .dns.existing import AnyZone
from .eks.existing import AnyCluster
from .grpc_ingress import GrpcIngress
from .grpc_service import GrpcService, GrpcServiceArgs
from .specs import ServiceSpec
from .specs.base import Duration
from .timing import Timing, format_duration

SCHEMA_VERSION = 1
"""Of the outputs. Whoever adds one gives it a default below, for platforms that do not export it
yet; whoever removes or renames one, or changes what it means, raises this."""


class _Outputs(BaseModel):
    # Unknown keys pass: a platform stack may be newer than the stack that reads it.
    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)


class ZoneOutputs(_Outputs):
    """The hosted zone of all names."""

    zone_id: str
    """Route53's id."""
    name: str
    """Its domain."""


class TimingOutputs(_Outputs):
    """The platform's times, written as `30s` or `5m`."""

    record_ttl: Duration
    """TTL of Envoy's A records and of the services' CNAMEs."""
    max_connection_duration: Duration
    """When Envoy asks a client to reconnect."""
    connection_shutdown_grace_period: Duration
    """From then until a connection takes no new calls."""
    propagation_delay: Duration = Timing.propagation_delay
    """From a change of a record until every name server answers with it."""
    min_resolution_interval: Duration = Timing.min_resolution_interval
    """Clients look a name up at most this often."""
    pod_startup_time: Duration = Timing.pod_startup_time
    """Until a new Envoy pod is ready."""
    max_deadline: Duration
    """The longest finite deadline a service may have."""
    dns_convergence: Duration
    """From a change of Envoys until no client looks up the old ones."""
    termination_grace_period: Duration
    """The longest an Envoy takes to leave without cutting a call."""
    drain_delay: Duration
    """How long a leaving Envoy serves on as before, until nobody is sent to it."""
    rebalance_time: Duration
    """From the decision to add an Envoy until it carries its share."""
    reconnect_interval: Duration
    """The longest a client's connection takes new calls."""

    def timing(self) -> Timing:
        """The times as components take them."""
        return Timing(**{field.name: getattr(self, field.name) for field in fields(Timing)})


class ServingOutputs(_Outputs):
    """How calls enter a cluster that serves."""

    dns_name: str
    """The name that holds the addresses of its Envoys."""
    ingress_class_name: str
    """The class of Ingresses that its Contour serves."""
    http_port: int
    """Envoy's port for plaintext gRPC."""
    https_port: int
    """Envoy's port for gRPC over TLS."""


class ClusterOutputs(_Outputs):
    """One cluster; Pulumi leaves out of the outputs what is None."""

    endpoint: str | None = None
    """Address of its Kubernetes API; None for an existing cluster."""
    kubeconfig: str | None = None
    """Calls `aws eks get-token` as whoever uses it, so it holds no secret; None for an
    existing cluster."""
    serving: ServingOutputs | None = None
    """None for a cluster that only calls."""


class PlatformStack(_Outputs):
    """Everything a platform stack exports."""

    schema_version: int
    """Which form these outputs have; a reader of another one refuses them, and says what to do."""
    zone: ZoneOutputs
    timing: TimingOutputs
    clusters: dict[str, ClusterOutputs]
    """By name."""
    services: dict[str, ClientContract]
    """What clients must know, by service."""

    @classmethod
    def from_reference(cls, stack: str) -> "pulumi.Output[PlatformStack]":
        """Read `<organization>/<project>/<stack>` through a StackReference.

        Raises pulumi.RunError, already in the preview, where that stack exports no platform, or one
        of another `schema_version`.
        """
        reference = pulumi.StackReference(stack)
        # Each by its own name, so that a secret among the stack's other outputs taints none of it.
        outputs = {key: reference.get_output(key) for key in cls.model_fields}
        return pulumi.Output.all(**outputs).apply(lambda found: cls._read(stack, found))

    @classmethod
    def _read(cls, stack: str, outputs: Mapping[str, Any]) -> "PlatformStack":
        # Before anything else is looked at: that may be called otherwise, or mean something else.
        version = outputs["schema_version"]
        if version is None:
            raise pulumi.RunError(
                f"stack {stack}: exports no schema_version; name a stack that grpc-platform "
                "deployed, and run pulumi up there if it did so before outputs had a version"
            )
        if version != SCHEMA_VERSION:
            advice = (
                "run pulumi up there with the release of grpc-platform that is installed here"
                if version < SCHEMA_VERSION
                else "install here the release of grpc-platform that it was deployed with"
            )
            raise pulumi.RunError(
                f"stack {stack}: exports schema_version {version:g}, and {SCHEMA_VERSION} is what "
                f"this project reads; {advice}"
            )
        missing = [key for key, value in outputs.items() if value is None]
        if missing:
            raise pulumi.RunError(
                f"stack {stack}: exports no {', '.join(missing)}; finish pulumi up there"
            )
        try:
            return cls.model_validate(outputs)
        except ValidationError as error:
            wrong = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
            raise pulumi.RunError(
                f"stack {stack}: outputs not understood: {'; '.join(wrong)}"
            ) from None

    def serving_cluster(self, name: str | None = None) -> str:
        """The cluster `name`, or the only one that serves; RunError where there is none such."""
        serving = sorted(key for key, cluster in self.clusters.items() if cluster.serving)
        if name in serving:
            return name
        if name is None and len(serving) == 1:
            return serving[0]
        given = "not given" if name is None else f"{name} does not serve"
        raise pulumi.RunError(f"cluster: {given}; choose one of {', '.join(serving)}")


def kubeconfig(
    platform: pulumi.Output[PlatformStack], cluster: str | None = None
) -> pulumi.Output[str]:
    """For a `k8s.Provider` of a cluster the platform made, used with the AWS credentials at hand:
    their role needs an access entry (`access.teams`) and the `aws` command.

    RunError for a cluster that the platform did not make: use its own kubeconfig.
    """

    def of(stack: PlatformStack) -> str:
        name = stack.serving_cluster(cluster)
        found = stack.clusters[name].kubeconfig
        if found is None:
            raise pulumi.RunError(
                f"cluster: {name} was not made by the platform; use its kubeconfig"
            )
        return found

    return platform.apply(of)


def service_args(
    platform: pulumi.Output[PlatformStack],
    spec: ServiceSpec,
    cluster: str | None = None,
    *,
    namespace: pulumi.Input[str] | None = None,
) -> GrpcServiceArgs:
    """What `GrpcService` takes, for a service in `cluster` or in the only one that serves;
    `namespace` is one that this program makes, in place of `spec.namespace`."""

    def serving(stack: PlatformStack) -> ServingOutputs:
        found = stack.clusters[stack.serving_cluster(cluster)].serving
        assert found is not None  # serving_cluster chose it
        return found

    entry = platform.apply(serving)
    return GrpcServiceArgs(
        spec=spec,
        namespace=namespace,
        zone_id=platform.apply(lambda stack: stack.zone.zone_id),
        zone_name=platform.apply(lambda stack: stack.zone.name),
        envoy_dns_name=entry.apply(lambda serving: serving.dns_name),
        ingress_class_name=entry.apply(lambda serving: serving.ingress_class_name),
        http_port=entry.apply(lambda serving: serving.http_port),
        https_port=entry.apply(lambda serving: serving.https_port),
        timing=platform.apply(lambda stack: stack.timing.timing()),
    )


def exports(
    zone: AnyZone,
    clusters: Mapping[str, AnyCluster],
    ingresses: Mapping[str, GrpcIngress],
    services: Mapping[str, GrpcService],
) -> dict[str, Any]:
    """The stack's outputs by name, such that `PlatformStack` reads them back.

    `ingresses` are by the name of their cluster. Nothing of it is a secret.

    Raises ValueError where they are none, or differ in their times: a platform has one `timing`.
    """
    times = {ingress.timing for ingress in ingresses.values()}
    if len(times) != 1:
        given = "none" if not times else "some with other times than the rest"
        raise ValueError(f"exports: ingresses: {given}; export what shares one zone and its times")
    timing = times.pop()
    return {
        "schema_version": SCHEMA_VERSION,
        "zone": {"zone_id": zone.zone_id, "name": zone.name},
        "timing": {
            key: format_duration(getattr(timing, key)) for key in TimingOutputs.model_fields
        },
        "clusters": {
            name: {
                "endpoint": cluster.endpoint,
                "kubeconfig": cluster.kubeconfig,
                "serving": _serving(ingresses.get(name)),
            }
            for name, cluster in clusters.items()
        },
        "services": {name: service.client_contract for name, service in services.items()},
    }


def _serving(ingress: GrpcIngress | None) -> dict[str, Any] | None:
    if ingress is None:
        return None
    return {key: getattr(ingress, key) for key in ServingOutputs.model_fields}
