"""Names, labels, ports and requests that several parts share and no caller can set."""

from typing import Final

CONTOUR: Final = "contour"
ENVOY: Final = "envoy"
EXTERNAL_DNS: Final = "external-dns"
"""Application labels (`app.kubernetes.io/name`), and the names of each application's objects."""

CONTOUR_NAMESPACE: Final = "projectcontour"
"""Namespace of Contour and Envoy: upstream's, and the default of every Contour flag for it."""

EXTERNAL_DNS_NAMESPACE: Final = "external-dns"

PLATFORM_NAMESPACES: Final = (CONTOUR_NAMESPACE, EXTERNAL_DNS_NAMESPACE)
"""Namespaces that the platform creates in each serving cluster."""

XDS_PORT: Final = 8001
"""The port on which Contour serves configuration to Envoy."""

CONTOUR_METRICS_PORT: Final = 8000

ENVOY_METRICS_PORT: Final = 8002
"""Also /ready. Contour has each Envoy listen there."""

SHUTDOWN_MANAGER_PORT: Final = 8090

ENVOY_ADMIN_PORT: Final = 9001
"""Envoy's admin port, which `contour bootstrap` binds to the loopback address."""

ENVOY_POD_PORTS: Final = {
    ENVOY_METRICS_PORT: "metrics and readiness",
    SHUTDOWN_MANAGER_PORT: "the shutdown manager",
    ENVOY_ADMIN_PORT: "Envoy's own administration",
}
"""Ports of an Envoy pod that clients cannot dial, and who listens there."""

EXTERNAL_DNS_METRICS_PORT: Final = 7979
EXTERNAL_DNS_CPU: Final = "50m"
EXTERNAL_DNS_MEMORY: Final = "128Mi"
"""external-dns's resource requests; the memory is its limit too."""

EXTERNAL_DNS_ANNOTATION_PREFIX: Final = "external-dns.grpc-platform/"
"""Prefix of the annotations on Envoy's Service. With the default prefix any other external-dns in
the cluster would publish the name too."""

OTHER_ANNOTATION_PREFIXES: Final = (
    "external-dns.alpha.kubernetes.io/",
    "external-dns.kubernetes.io/",
)
"""external-dns's own default: up to 0.21, and from 0.22 on."""

OWNERSHIP_PREFIX: Final = "_external-dns-a."
"""Prefix of the TXT record that external-dns writes beside an A record. A host cannot contain an
underscore, so the record cannot collide with a service's CNAME or another cluster's name, as with
the default prefix (`a-`)."""

CAPACITY_TYPE_LABEL: Final = "karpenter.sh/capacity-type"
"""The node label that marks spot capacity. Karpenter, EKS Auto Mode and this platform's spot node
groups set it."""

SPOT: Final = "spot"
