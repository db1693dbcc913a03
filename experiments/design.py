"""The fleet that the design makes, read off its own resources: no number is typed again."""

from dataclasses import dataclass

from grpc_platform.contour.contour import ENVOY
from grpc_platform.envoy.envoy import Envoy, EnvoyArgs
from grpc_platform.quantities import cpu_cores
from grpc_platform.specs import ContourSpec, EnvoySpec
from grpc_platform.timing import Timing
from grpc_platform_tools.preview.record import record

from .autoscaler import Settings
from .fleet import Delays


@dataclass(frozen=True, kw_only=True)
class Setup:
    """A fleet as the design makes it."""

    autoscaler: Settings
    cpu: float
    """Cores, request and limit of each Envoy."""
    delays: Delays


def designed(spec: EnvoySpec | None = None, timing: Timing | None = None) -> Setup:
    """What components.Envoy makes of a spec: recorded, not typed again."""
    spec, timing = spec or EnvoySpec(), timing or Timing()
    contour = ContourSpec()
    timeouts = contour.timeouts.model_copy(
        update={
            "max_connection_duration": timing.max_connection_duration,
            "connection_shutdown_grace_period": timing.connection_shutdown_grace_period,
        }
    )
    args = EnvoyArgs(
        namespace="projectcontour",
        xds_address="contour",
        dns_name="serving.grpc.example.com",
        spec=spec,
        contour=contour.model_copy(update={"timeouts": timeouts}),
        timing=timing,
    )
    graph = record(lambda: Envoy("envoy", args))
    autoscaler = graph.only("kubernetes:autoscaling/v2:HorizontalPodAutoscaler").inputs["spec"]
    pod = graph.only("kubernetes:apps/v1:Deployment").inputs["spec"]["template"]["spec"]
    [envoy] = (each for each in pod["containers"] if each["name"] == ENVOY)
    return Setup(
        autoscaler=Settings.of(autoscaler),
        cpu=cpu_cores(str(envoy["resources"]["requests"]["cpu"])),
        delays=Delays.of(timing),
    )
