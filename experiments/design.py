"""The fleet of the design, read from its own resources, so that no number is repeated here."""

from dataclasses import dataclass

from grpc_platform.conventions import CONTOUR_NAMESPACE, ENVOY
from grpc_platform.envoy.envoy import Envoy, EnvoyArgs
from grpc_platform.quantities import cpu_cores
from grpc_platform.specs import ContourSpec, EnvoySpec
from grpc_platform_tools.preview.record import record

from .autoscaler import Settings
from .fleet import Delays


@dataclass(frozen=True, kw_only=True)
class Setup:
    """The design's fleet."""

    autoscaler: Settings
    cpu: float
    """Cores, request and limit of each Envoy."""
    delays: Delays


def designed(spec: EnvoySpec | None = None, contour: ContourSpec | None = None) -> Setup:
    """The fleet of the component `Envoy`, from its recorded resources."""
    args = EnvoyArgs(
        namespace=CONTOUR_NAMESPACE,
        xds_address="contour",
        dns_name="serving.grpc.example.com",
        spec=spec or EnvoySpec(),
        contour=contour or ContourSpec(),
    )
    graph = record(lambda: Envoy("envoy", args))
    autoscaler = graph.only("kubernetes:autoscaling/v2:HorizontalPodAutoscaler").inputs["spec"]
    pod = graph.only("kubernetes:apps/v1:Deployment").inputs["spec"]["template"]["spec"]
    [envoy] = (each for each in pod["containers"] if each["name"] == ENVOY)
    return Setup(
        autoscaler=Settings.of(autoscaler),
        cpu=cpu_cores(str(envoy["resources"]["requests"]["cpu"])),
        delays=Delays.of(args.timing),
    )
