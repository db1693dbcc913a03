"""The rules for Contour, Envoy and external-dns."""

from collections.abc import Iterator

from .. import versions
from ..conventions import ENVOY_POD_PORTS
from ..quantities import cpu_cores
from ..specs import ContourSpec, EnvoySpec, ExternalDnsSpec
from .mistake import Mistake, Path


def envoy_is_possible(spec: EnvoySpec, path: Path = ()) -> Iterator[Mistake]:
    """One Envoy fleet."""
    if spec.min_replicas > spec.max_replicas:
        yield Mistake(
            (*path, "min_replicas"),
            spec.min_replicas,
            f"must not exceed max_replicas ({spec.max_replicas})",
            against=(*path, "max_replicas"),
        )
    if spec.concurrency is None and not cpu_cores(spec.cpu).is_integer():
        yield Mistake((*path, "cpu"), spec.cpu, "must be whole cores, or give concurrency")
    for key, port in (("http_port", spec.http_port), ("https_port", spec.https_port)):
        if port in ENVOY_POD_PORTS:
            yield Mistake((*path, key), port, f"is taken by {ENVOY_POD_PORTS[port]}")
    if spec.http_port == spec.https_port:
        yield Mistake((*path, "https_port"), spec.https_port, "must differ from http_port")


def released_together(contour: ContourSpec, envoy: EnvoySpec) -> Iterator[Mistake]:
    """Contour and the Envoy that it configures: the versions must match."""
    released = versions.ENVOY_OF_CONTOUR[contour.version]
    if envoy.version != released:
        yield Mistake(
            ("envoy", "version"),
            envoy.version,
            f"Contour {contour.version} was released with Envoy {released}",
            against=("contour", "version"),
        )


def two_of_all(contour: ContourSpec, envoy: EnvoySpec) -> Iterator[Mistake]:
    """Production needs two replicas of Contour and Envoy."""
    counts = {
        ("contour", "replicas"): contour.replicas,
        ("envoy", "min_replicas"): envoy.min_replicas,
    }
    for path, count in counts.items():
        if count < 2:
            yield Mistake(path, count, "production needs at least 2")


def dns_credentials(
    eks_cluster_name: object | None, spec: ExternalDnsSpec, path: Path
) -> Iterator[Mistake]:
    """external-dns's credentials; `path` is that of the EKS cluster's name."""
    if eks_cluster_name is None and spec.credentials_secret is None:
        yield Mistake(
            path,
            None,
            "is required, or external_dns.credentials_secret outside EKS: external-dns needs "
            "credentials for Route53",
            against=("external_dns", "credentials_secret"),
        )
