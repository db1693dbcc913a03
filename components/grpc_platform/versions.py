"""Versions that run together: Kubernetes, Contour, Envoy, external-dns and the EKS add-ons.

Nothing else sets these. Renovate proposes new ones (`.github/renovate.json`); a new Contour also
needs its Envoy and its dates in the tables below, and tests fail until it has them.
"""

from dataclasses import dataclass
from datetime import date
from typing import Final

KUBERNETES: Final = "1.35"
"""EKS ends standard support of 1.34 on 2026-12-02. Contour 1.33's compatibility table covers 1.32
to 1.34; the local cluster's tests cover 1.35."""

# renovate: datasource=github-releases depName=projectcontour/contour
CONTOUR: Final = "1.33.8"
ENVOY: Final = "1.38.9"
# renovate: datasource=github-releases depName=kubernetes-sigs/external-dns
EXTERNAL_DNS: Final = "0.21.0"
"""0.22 was tried as an upgrade (docs/upgrades.md). It requires the libraries of Kubernetes 1.36;
the testbed builds with those of 1.35."""

ENVOY_OF_CONTOUR = {CONTOUR: ENVOY, "1.33.6": "1.38.3"}
"""The Envoy that each Contour was released with (`image:` lines in its examples/contour)."""
KUBERNETES_OF_CONTOUR: Final = ("1.32", "1.33", "1.34")
"""The minor versions that Contour 1.33 is tested against
(https://github.com/projectcontour/contour/releases/tag/v1.33.7)."""


@dataclass(frozen=True)
class EksSupport:
    """The last days of a Kubernetes minor version in EKS, in UTC."""

    standard: date
    extended: date


KUBERNETES_SUPPORT = {
    "1.32": EksSupport(date(2026, 3, 23), date(2027, 3, 23)),
    "1.33": EksSupport(date(2026, 7, 29), date(2027, 7, 29)),
    "1.34": EksSupport(date(2026, 12, 2), date(2027, 12, 2)),
    "1.35": EksSupport(date(2027, 3, 27), date(2028, 3, 27)),
}
"""https://docs.aws.amazon.com/eks/latest/userguide/kubernetes-versions.html"""
CONTOUR_SUPPORT = {"1.33.6": date(2026, 9, 7), CONTOUR: None}
"""When each release was superseded; None: it is the newest. Only the newest release gets fixes
(https://projectcontour.io/resources/support/)."""
ENVOY_SUPPORT = {"1.38": date(2027, 4, 23)}
"""The end of life of each minor version
(https://github.com/envoyproxy/envoy/blob/main/RELEASES.md)."""


def contour_image(version: str) -> str:
    """Upstream's Contour image; it also contains `contour certgen` and Envoy's shutdown manager."""
    return f"ghcr.io/projectcontour/contour:v{version}"


def envoy_image(version: str) -> str:
    """Upstream's Envoy image, without a shell."""
    return f"docker.io/envoyproxy/envoy:distroless-v{version}"


EXTERNAL_DNS_IMAGE = f"registry.k8s.io/external-dns/external-dns:v{EXTERNAL_DNS}"

# renovate: eks-addon vpc-cni 1.32
VPC_CNI: Final = "v1.22.4-eksbuild.3"
# renovate: eks-addon eks-pod-identity-agent 1.32
POD_IDENTITY_AGENT: Final = "v1.3.10-eksbuild.3"
# renovate: eks-addon metrics-server 1.32
METRICS_SERVER: Final = "v0.8.1-eksbuild.11"
"""These three versions fit every Kubernetes minor version here; the next two add-ons need one
version per minor. List newer builds with `aws eks describe-addon-versions --addon-name <name>
--kubernetes-version <minor>`."""

# renovate: eks-addon kube-proxy
KUBE_PROXY = {
    "1.32": "v1.32.13-eksbuild.16",
    "1.33": "v1.33.10-eksbuild.13",
    "1.34": "v1.34.6-eksbuild.13",
    "1.35": "v1.35.3-eksbuild.13",
}
# renovate: eks-addon coredns
COREDNS = {
    "1.32": "v1.11.4-eksbuild.40",
    "1.33": "v1.12.4-eksbuild.18",
    "1.34": "v1.13.2-eksbuild.11",
    "1.35": "v1.14.3-eksbuild.3",
}
