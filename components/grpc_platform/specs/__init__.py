"""What a component can be told in plain values: one frozen, checked model each.

A stack file's sections are these models and so are the `spec` arguments of the components, so a
setting has one name, one default and one check however it arrives. Nothing here knows Pulumi.
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
    "NamespaceSpec",
    "NetworkSpec",
    "NodeGroupSpec",
    "ServiceSpec",
    "Taint",
    "TeamSpec",
    "ZoneSpec",
    "ZoneTeamSpec",
]
