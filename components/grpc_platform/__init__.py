"""gRPC services on EKS behind Contour and an HPA-scaled fleet of Envoys, as Pulumi components.

Every public name is imported from here. Each is loaded when it is first used, so that
`grpc_platform.timing` and other pure modules load no SDK.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .callers import Caller as Caller
    from .callers import Callers as Callers
    from .callers import CallersArgs as CallersArgs
    from .client_contract import ClientContract as ClientContract
    from .contour.contour import Contour as Contour
    from .contour.contour import ContourArgs as ContourArgs
    from .dns.existing import AnyZone as AnyZone
    from .dns.existing import ExistingZone as ExistingZone
    from .dns.existing import ExistingZoneArgs as ExistingZoneArgs
    from .dns.external_dns import ExternalDns as ExternalDns
    from .dns.external_dns import ExternalDnsArgs as ExternalDnsArgs
    from .dns.zone import Zone as Zone
    from .dns.zone import ZoneArgs as ZoneArgs
    from .dns.zone import ZoneTeam as ZoneTeam
    from .eks.cluster import Cluster as Cluster
    from .eks.cluster import ClusterArgs as ClusterArgs
    from .eks.existing import AnyCluster as AnyCluster
    from .eks.existing import ExistingCluster as ExistingCluster
    from .eks.existing import ExistingClusterArgs as ExistingClusterArgs
    from .envoy.envoy import Envoy as Envoy
    from .envoy.envoy import EnvoyArgs as EnvoyArgs
    from .grpc_ingress import GrpcIngress as GrpcIngress
    from .grpc_ingress import GrpcIngressArgs as GrpcIngressArgs
    from .grpc_service import GrpcService as GrpcService
    from .grpc_service import GrpcServiceArgs as GrpcServiceArgs
    from .monitoring.monitoring import Monitoring as Monitoring
    from .monitoring.monitoring import MonitoringArgs as MonitoringArgs
    from .monitoring.scrapers import Scraper as Scraper
    from .network.existing import AnyNetwork as AnyNetwork
    from .network.existing import ExistingNetwork as ExistingNetwork
    from .network.existing import ExistingNetworkArgs as ExistingNetworkArgs
    from .network.network import Network as Network
    from .network.network import NetworkArgs as NetworkArgs
    from .outstanding import await_outputs as await_outputs
    from .platform_stack import PlatformStack as PlatformStack
    from .platform_stack import exports as exports
    from .platform_stack import kubeconfig as kubeconfig
    from .platform_stack import service_args as service_args
    from .timing import DnsTiming as DnsTiming
    from .timing import Timing as Timing
    from .timing import timing_of as timing_of

_HOMES = {
    "callers": ("Caller", "Callers", "CallersArgs"),
    "client_contract": ("ClientContract",),
    "contour.contour": ("Contour", "ContourArgs"),
    "dns.existing": ("AnyZone", "ExistingZone", "ExistingZoneArgs"),
    "dns.external_dns": ("ExternalDns", "ExternalDnsArgs"),
    "dns.zone": ("Zone", "ZoneArgs", "ZoneTeam"),
    "eks.cluster": ("Cluster", "ClusterArgs"),
    "eks.existing": ("AnyCluster", "ExistingCluster", "ExistingClusterArgs"),
    "envoy.envoy": ("Envoy", "EnvoyArgs"),
    "grpc_ingress": ("GrpcIngress", "GrpcIngressArgs"),
    "grpc_service": ("GrpcService", "GrpcServiceArgs"),
    "monitoring.monitoring": ("Monitoring", "MonitoringArgs"),
    "monitoring.scrapers": ("Scraper",),
    "network.existing": ("AnyNetwork", "ExistingNetwork", "ExistingNetworkArgs"),
    "network.network": ("Network", "NetworkArgs"),
    "outstanding": ("await_outputs",),
    "platform_stack": ("PlatformStack", "exports", "kubeconfig", "service_args"),
    "timing": ("DnsTiming", "Timing", "timing_of"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

# A type checker would let a misspelt name pass if it saw a module's __getattr__.
if not TYPE_CHECKING:
    __all__ = sorted(_HOME_OF)

    def __getattr__(name: str) -> Any:
        if name not in _HOME_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f".{_HOME_OF[name]}", __name__), name)

    def __dir__() -> list[str]:
        return __all__
