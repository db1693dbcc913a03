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
from .rules import Mistake
from .specs import ServiceSpec
from .specs.base import DnsName, Duration, Line, ObjectName, Port
from .timing import Timing, format_duration

_SHOWN = 10  # mistakes of outputs that are not understood

SCHEMA_VERSION = 1
"""Version of the outputs. A new output needs a default below, for platforms that do not export it
yet. Raise this when you remove or rename an output, or change its meaning."""


class _Outputs(BaseModel):
    # Unknown keys pass: a platform stack may be newer than the stack that reads it.
    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)


class ZoneOutputs(_Outputs):
    """The hosted zone of all names."""

    zone_id: Line
    """The zone's id in Route53."""
    name: DnsName
    """The zone's domain."""


class TimingOutputs(_Outputs):
    """The platform's times, written as `30s` or `5m`."""

    record_ttl: Duration
    """TTL of Envoy's A records and of the services' CNAMEs."""
    max_connection_duration: Duration
    """The age of a connection at which Envoy asks its client to reconnect."""
    connection_shutdown_grace_period: Duration
    """From Envoy's request to reconnect until the connection takes no new calls."""
    propagation_delay: Duration = Timing.propagation_delay
    """From a change of a record until every name server answers with it."""
    min_resolution_interval: Duration = Timing.min_resolution_interval
    """The minimum interval between a client's look-ups of a name."""
    pod_startup_time: Duration = Timing.pod_startup_time
    """How long a new Envoy pod takes to become ready."""
    max_deadline: Duration
    """The longest finite deadline a service may have."""
    dns_convergence: Duration
    """From a change of Envoy's endpoints until no client gets the old addresses."""
    termination_grace_period: Duration
    """The longest time that an Envoy takes to terminate without cutting a call."""
    drain_delay: Duration
    """How long a terminating Envoy keeps serving as before, until DNS sends no client to it."""
    rebalance_time: Duration
    """From the decision to add an Envoy until it carries its share of the connections."""
    reconnect_interval: Duration
    """The longest time that a client's connection takes new calls."""

    def timing(self) -> Timing:
        """The times as the type that components take."""
        return Timing(**{field.name: getattr(self, field.name) for field in fields(Timing)})


class ServingOutputs(_Outputs):
    """How calls enter a serving cluster."""

    dns_name: DnsName
    """The DNS name with the Envoys' addresses."""
    ingress_class_name: ObjectName
    """The class of the Ingresses that Contour serves."""
    http_port: Port
    """Envoy's port for plaintext gRPC."""
    https_port: Port
    """Envoy's port for gRPC over TLS."""


class ClusterOutputs(_Outputs):
    """One cluster; Pulumi omits values of None from the outputs."""

    endpoint: str | None = None
    """Address of the cluster's Kubernetes API; None for an existing cluster."""
    kubeconfig: str | None = None
    """Calls `aws eks get-token` with its user's credentials, so it contains no secret; None for an
    existing cluster."""
    serving: ServingOutputs | None = None
    """How calls enter the cluster; None for a cluster that only calls."""


class PlatformStack(_Outputs):
    """Everything a platform stack exports."""

    schema_version: int
    """Version of these outputs' form; a reader of another version refuses them, and says what to
    do."""
    zone: ZoneOutputs
    timing: TimingOutputs
    clusters: dict[str, ClusterOutputs]
    """The clusters, by name."""
    services: dict[str, ClientContract]
    """What clients must know about each service, by the service's name."""

    @classmethod
    def from_reference(cls, stack: str) -> "pulumi.Output[PlatformStack]":
        """Read `<organization>/<project>/<stack>` through a StackReference.

        Raises pulumi.RunError, even in a preview, if that stack exports no platform, or a platform
        of another `schema_version`.
        """
        reference = pulumi.StackReference(stack)
        # Read each by its own name, so that a secret among the stack's other outputs makes none of
        # these secret.
        outputs = {key: reference.get_output(key) for key in cls.model_fields}
        return pulumi.Output.all(**outputs).apply(lambda found: cls.read(stack, found))

    @classmethod
    def read(cls, stack: str, outputs: Mapping[str, Any]) -> "PlatformStack":
        """What the stack of this name exports, from its outputs: None where it has none.

        Raises as `from_reference` does.
        """
        # Check the version first: in another version the other outputs may have other names or
        # meanings.
        version = outputs["schema_version"]
        if version is None:
            raise pulumi.RunError(
                f"stack {stack}: exports no schema_version; name a stack that grpc-platform "
                "deployed; if that was before outputs had a version, run pulumi up there"
            )
        if not isinstance(version, int | float):
            raise pulumi.RunError(
                f"stack {stack}: exports a schema_version that is no number; name a stack that "
                "grpc-platform deployed"
            )
        if version != SCHEMA_VERSION:
            advice = (
                "run pulumi up there with the release of grpc-platform that is installed here"
                if version < SCHEMA_VERSION
                else "install here the release of grpc-platform that it was deployed with"
            )
            raise pulumi.RunError(
                f"stack {stack}: exports schema_version {version:g}, but this project reads "
                f"{SCHEMA_VERSION}; {advice}"
            )
        missing = [key for key, value in outputs.items() if value is None]
        if missing:
            raise pulumi.RunError(
                f"stack {stack}: exports no {', '.join(missing)}; finish pulumi up there"
            )
        try:
            return cls.model_validate(outputs)
        except ValidationError as error:
            errors = error.errors()[:_SHOWN]
            wrong = [str(Mistake(e["loc"], None, e["msg"])) for e in errors]
            raise pulumi.RunError(
                f"stack {stack}: outputs not understood: {'; '.join(wrong)}"
            ) from None

    def serving_cluster(self, name: str | None = None) -> str:
        """The serving cluster `name`, or the only serving cluster; RunError if there is none."""
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
    """The kubeconfig for a `k8s.Provider` of a cluster that the platform made. It needs the `aws`
    command, and AWS credentials whose role has an access entry (`access.teams`).

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
    """The arguments of a `GrpcService` in `cluster`, or in the only serving cluster. `namespace` is
    one that this program makes; it replaces `spec.namespace`."""

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
    """The stack's outputs by name, in the form that `PlatformStack` reads.

    `ingresses` are by cluster name. No output is a secret.

    Raises ValueError if `ingresses` is empty or their times differ: a platform has one `timing`.
    """
    times = {ingress.timing for ingress in ingresses.values()}
    if len(times) != 1:
        given = "none" if not times else "some have other times than the rest"
        raise ValueError(
            f"exports: ingresses: {given}; export ingresses of one zone with the same times"
        )
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
