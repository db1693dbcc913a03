"""Which versions are past their support, or soon will be.

`today` is an argument everywhere, so that a result can be repeated.
"""

from collections.abc import Iterator
from datetime import date, timedelta

from .. import versions
from ..specs import ClusterSpec, ContourSpec, EnvoySpec
from .mistake import Mistake, Path

NOTICE = timedelta(days=60)
"""How long before the end of support a version is named."""


def kubernetes_support(spec: ClusterSpec, today: date, path: Path = ()) -> Iterator[Mistake]:
    """A new cluster's Kubernetes minor version in EKS."""
    version = spec.kubernetes_version
    support = versions.KUBERNETES_SUPPORT[version]
    stays = spec.upgrade_policy == "extended"
    # https://docs.aws.amazon.com/eks/latest/userguide/disable-extended-support.html
    upgrades = "EKS then upgrades the control plane by itself, without notice"
    if stays and support.extended - NOTICE > today:
        end, kind, then = support.standard, "standard", "extended support costs a fee from then on"
    elif stays:
        end, kind, then = support.extended, "extended", upgrades
    else:
        end, kind, then = support.standard, "standard", upgrades
    if end - NOTICE > today:
        return
    ends = "ended" if end <= today else "ends"
    text = f"its {kind} support in EKS {ends} on {end}; {then}"
    if newer := _newer(version):
        text += f". Upgrade to {newer} (docs/versions.md)"
    yield Mistake((*path, "kubernetes_version"), version, text)


def proxy_support(contour: ContourSpec, envoy: EnvoySpec, today: date) -> Iterator[Mistake]:
    """Contour and Envoy."""
    superseded = versions.CONTOUR_SUPPORT[contour.version]
    if superseded is not None and superseded <= today:
        newest, its_envoy = versions.CONTOUR, versions.ENVOY
        yield Mistake(
            ("contour", "version"),
            contour.version,
            f"gets no fixes since {superseded}; use {newest} with envoy.version {its_envoy}",
        )
    minor = envoy.version.rpartition(".")[0]
    end = versions.ENVOY_SUPPORT[minor]
    if end - NOTICE <= today:
        ends = "ended" if end <= today else "ends"
        yield Mistake(
            ("envoy", "version"),
            envoy.version,
            f"support of Envoy {minor} {ends} on {end}; use a newer release of grpc-platform",
        )


def _newer(version: str) -> str:
    """The next minor version: EKS upgrades by one."""
    known = list(versions.KUBERNETES_SUPPORT)
    return next(iter(known[known.index(version) + 1 :]), "")
