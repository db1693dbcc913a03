"""Names, labels, ports and requests on which several parts must agree, and no caller chooses."""

from typing import Final

CONTOUR: Final = "contour"
ENVOY: Final = "envoy"
EXTERNAL_DNS: Final = "external-dns"
"""Application labels (`app.kubernetes.io/name`), and the names of each one's objects."""

CONTOUR_NAMESPACE: Final = "projectcontour"
"""Of Contour and Envoy: upstream's, and the default of every Contour flag that takes one."""

EXTERNAL_DNS_NAMESPACE: Final = "external-dns"

PLATFORM_NAMESPACES: Final = (CONTOUR_NAMESPACE, EXTERNAL_DNS_NAMESPACE)
"""What the platform creates in each cluster that serves."""

XDS_PORT: Final = 8001
"""Where Contour serves configuration to Envoy."""

CONTOUR_METRICS_PORT: Final = 8000

ENVOY_METRICS_PORT: Final = 8002
"""Also /ready. Contour has each Envoy listen there."""

SHUTDOWN_MANAGER_PORT: Final = 8090

ENVOY_ADMIN_PORT: Final = 9001
"""Where `contour bootstrap` has Envoy's administration listen, on the loopback address."""

ENVOY_POD_PORTS: Final = {
    ENVOY_METRICS_PORT: "metrics and readiness",
    SHUTDOWN_MANAGER_PORT: "the shutdown manager",
    ENVOY_ADMIN_PORT: "Envoy's own administration",
}
"""Ports of an Envoy pod that clients cannot dial, and who listens there."""

EXTERNAL_DNS_METRICS_PORT: Final = 7979
EXTERNAL_DNS_CPU: Final = "50m"
EXTERNAL_DNS_MEMORY: Final = "128Mi"
"""What external-dns requests; the memory is its limit too."""

EXTERNAL_DNS_ANNOTATION_PREFIX: Final = "external-dns.grpc-platform/"
"""Of the annotations on Envoy's Service. With the default prefix any other external-dns of the
cluster would take the name for its own."""

OWNERSHIP_PREFIX: Final = "_external-dns-a."
"""Of the TXT record that external-dns writes beside an A record. No host may hold an underscore, so
it can never meet a service's CNAME or another cluster's name, as the default (`a-`) could."""

CAPACITY_TYPE_LABEL: Final = "karpenter.sh/capacity-type"
"""The label of nodes that says whether they are spot capacity. Karpenter and EKS Auto Mode set it,
and our spot node groups carry it too."""

SPOT: Final = "spot"
