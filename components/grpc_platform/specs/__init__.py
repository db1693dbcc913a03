"""The components' settings in plain values: one frozen, checked model each.

These models are both a stack file's sections and the components' `spec` arguments, so a setting has
one name, one default and one check in both. Nothing here imports Pulumi.
"""

from .caller import CallerSpec
from .cluster import (
    AccessSpec,
    ClusterSpec,
    ExistingClusterSpec,
    NodeGroupSpec,
    Taint,
    TeamSpec,
)
from .contour import ContourSpec
from .envoy import EnvoySpec
from .external_dns import ExternalDnsSpec
from .monitoring import MonitoringSpec, RulesSpec, ScraperSpec
from .namespace import NamespaceSpec
from .network import ExistingNetworkSpec, NetworkSpec
from .service import CircuitBreakers, ServiceSpec
from .zone import ZoneSpec, ZoneTeamSpec

__all__ = [
    "AccessSpec",
    "CallerSpec",
    "CircuitBreakers",
    "ClusterSpec",
    "ContourSpec",
    "EnvoySpec",
    "ExistingClusterSpec",
    "ExistingNetworkSpec",
    "ExternalDnsSpec",
    "MonitoringSpec",
    "NamespaceSpec",
    "NetworkSpec",
    "NodeGroupSpec",
    "RulesSpec",
    "ScraperSpec",
    "ServiceSpec",
    "Taint",
    "TeamSpec",
    "ZoneSpec",
    "ZoneTeamSpec",
]
