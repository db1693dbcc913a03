"""Settings that the pods of Contour and Envoy share: labels, hardening, spread."""

from collections.abc import Mapping, Sequence
from typing import Final

import pulumi
import pulumi_kubernetes as k8s

from .inputs import checked
from .specs.base import Image

UNPRIVILEGED_USER: Final = 65534
"""`nobody`, the user of upstream's images."""

CONTAINER_SECURITY: Final = k8s.core.v1.SecurityContextArgs(
    allow_privilege_escalation=False,
    read_only_root_filesystem=True,
    capabilities=k8s.core.v1.CapabilitiesArgs(drop=["ALL"]),
)
"""With `pod_security`, what Pod Security's `restricted` level requires, and a read-only root."""


def labels(application: str) -> dict[str, str]:
    """The labels of everything that belongs to `application`."""
    return {**selector(application), "app.kubernetes.io/managed-by": "grpc-platform"}


def selector(application: str) -> dict[str, str]:
    """The labels that select the pods of `application`."""
    return {"app.kubernetes.io/name": application}


def metadata(
    name: pulumi.Input[str],
    namespace: pulumi.Input[str] | None,
    application: str,
    annotations: pulumi.Input[Mapping[str, pulumi.Input[str]]] | None = None,
) -> k8s.meta.v1.ObjectMetaArgs:
    """The metadata of one object of `application`; cluster-scoped kinds have no namespace."""
    return k8s.meta.v1.ObjectMetaArgs(
        name=name, namespace=namespace, labels=labels(application), annotations=annotations
    )


def template_metadata(
    application: str,
    port: int,
    path: str,
    *,
    annotate: bool,
    annotations: Mapping[str, pulumi.Input[str]] | None = None,
) -> k8s.meta.v1.ObjectMetaArgs:
    """The metadata of a Deployment's pods, with annotations by which a Prometheus without the
    operator finds their metrics.

    No API defines these; Prometheus's example configuration and most collectors read them:
    https://github.com/prometheus/prometheus/blob/main/documentation/examples/prometheus-kubernetes.yml
    """
    scraped = {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": str(port),
        "prometheus.io/path": path,
    }
    return k8s.meta.v1.ObjectMetaArgs(
        labels=labels(application),
        annotations={**(scraped if annotate else {}), **(annotations or {})},
    )


def pod_security(lowest_port: int = 1024) -> k8s.core.v1.PodSecurityContextArgs:
    """Run as nobody, and allow listening on a `lowest_port` below 1024.

    `restricted` allows this sysctl:
    https://kubernetes.io/docs/tasks/administer-cluster/sysctl-cluster/#safe-and-unsafe-sysctls
    """
    low_ports = k8s.core.v1.SysctlArgs(name="net.ipv4.ip_unprivileged_port_start", value="0")
    return k8s.core.v1.PodSecurityContextArgs(
        run_as_non_root=True,
        run_as_user=UNPRIVILEGED_USER,
        run_as_group=UNPRIVILEGED_USER,
        seccomp_profile=k8s.core.v1.SeccompProfileArgs(type="RuntimeDefault"),
        sysctls=[low_ports] if lowest_port < 1024 else None,
    )


def image(
    key: str, given: pulumi.Input[str] | None, spec_image: str | None, upstream: str
) -> pulumi.Input[str]:
    """The image to run: the program's, else the spec's, else upstream's.

    Raises ValueError that names `key` for an image without a tag or digest, and if both the program
    and the spec give one.
    """
    if given is None:
        return spec_image or upstream
    if spec_image is not None:
        raise ValueError(f"{key}: is given twice, by the program and in the spec; remove one")
    return checked("image", key, Image, given)


def pull_secrets(
    names: Sequence[pulumi.Input[str]],
) -> list[k8s.core.v1.LocalObjectReferenceArgs] | None:
    """A pod's references to the Secrets that its images are pulled with."""
    return [k8s.core.v1.LocalObjectReferenceArgs(name=name) for name in names] or None


def spread(application: str) -> list[k8s.core.v1.TopologySpreadConstraintArgs]:
    """Spread the pods of one rollout over zones, then over hosts, but never block scheduling."""
    return [
        k8s.core.v1.TopologySpreadConstraintArgs(
            max_skew=1,
            topology_key=key,
            when_unsatisfiable="ScheduleAnyway",
            label_selector=k8s.meta.v1.LabelSelectorArgs(match_labels=selector(application)),
            match_label_keys=["pod-template-hash"],
        )
        for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
    ]


def disruption_budget(
    name: str, application: str, namespace: pulumi.Input[str], opts: pulumi.ResourceOptions
) -> k8s.policy.v1.PodDisruptionBudget:
    """Let node drains evict one ready pod at a time, and any pod that is not ready."""
    return k8s.policy.v1.PodDisruptionBudget(
        name,
        metadata=metadata(application, namespace, application),
        spec=k8s.policy.v1.PodDisruptionBudgetSpecArgs(
            max_unavailable=1,
            unhealthy_pod_eviction_policy="AlwaysAllow",
            selector=k8s.meta.v1.LabelSelectorArgs(match_labels=selector(application)),
        ),
        opts=opts,
    )
