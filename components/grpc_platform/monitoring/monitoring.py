"""Monitoring: what the Prometheus operator needs to scrape the platform and to alert."""

from dataclasses import dataclass, field
from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from .. import pods
from ..conventions import CONTOUR, ENVOY, EXTERNAL_DNS
from ..options import for_children_too
from ..specs import MonitoringSpec
from .grafana import dashboards
from .rules import groups

_API = "monitoring.coreos.com/v1"


@dataclass(frozen=True, kw_only=True)
class MonitoringArgs:
    """The namespaces of one serving cluster's parts; `GrpcIngress.monitoring_args` gives them."""

    contour_namespace: pulumi.Input[str]
    """The namespace of Contour and Envoy."""
    external_dns_namespace: pulumi.Input[str]
    spec: MonitoringSpec = field(default_factory=MonitoringSpec)


class Monitoring(pulumi.ComponentResource):
    """Creates a PodMonitor each of Contour, Envoy and external-dns (`spec.pod_monitors`), a
    PrometheusRule with the alerts (`spec.rules`), and a ConfigMap with the Grafana dashboards
    (`spec.dashboards`).

    For the first two the cluster needs the Prometheus operator's CRDs. Without them the update
    fails at these resources, and the engine then starts no others: make everything else
    `opts.depends_on`, so that only these are missing, and nothing depend on this component.
    """

    def __init__(
        self, name: str, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("grpc-platform:index:Monitoring", name, {}, for_children_too(opts))
        self._before = [self._dashboards(name, args)] if args.spec.dashboards else []
        if args.spec.pod_monitors:
            contour, external_dns = args.contour_namespace, args.external_dns_namespace
            self._monitor(name, args, CONTOUR, contour, "metrics", "/metrics")
            self._monitor(name, args, ENVOY, contour, "metrics", "/stats/prometheus")
            self._monitor(name, args, EXTERNAL_DNS, external_dns, "http", "/metrics")
        if args.spec.rules is not None:
            spec = {"groups": groups(**args.spec.rules.model_dump())}
            self._object(
                f"{name}-rules", args, "PrometheusRule", CONTOUR, args.contour_namespace, spec
            )
        self.register_outputs({})

    def _dashboards(self, name: str, args: MonitoringArgs) -> k8s.core.v1.ConfigMap:
        labels = {**pods.labels(CONTOUR), "grafana_dashboard": "1"}
        return k8s.core.v1.ConfigMap(
            f"{name}-dashboards",
            # Not named after its content: when Grafana's sidecar sees the end of an old ConfigMap,
            # it deletes the files that a new one has under the same names.
            # https://github.com/kiwigrid/k8s-sidecar/issues/44
            metadata=k8s.meta.v1.ObjectMetaArgs(
                name="grpc-platform-dashboards", namespace=args.contour_namespace, labels=labels
            ),
            data={f"grpc-platform-{file}": text for file, text in dashboards().items()},
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _monitor(
        self,
        name: str,
        args: MonitoringArgs,
        application: str,
        namespace: pulumi.Input[str],
        port: str,
        path: str,
    ) -> None:
        spec: dict[str, Any] = {
            "selector": {"matchLabels": pods.selector(application)},
            "podMetricsEndpoints": [{"port": port, "path": path}],
        }
        self._object(
            f"{name}-{application}-monitor", args, "PodMonitor", application, namespace, spec
        )

    def _object(
        self,
        name: str,
        args: MonitoringArgs,
        kind: str,
        application: str,
        namespace: pulumi.Input[str],
        spec: dict[str, Any],
    ) -> None:
        object_name = "grpc-platform" if kind == "PrometheusRule" else application
        k8s.apiextensions.CustomResource(
            name,
            api_version=_API,
            kind=kind,
            metadata=k8s.meta.v1.ObjectMetaArgs(
                name=object_name,
                namespace=namespace,
                labels={**pods.labels(application), **args.spec.labels},
            ),
            spec=spec,
            opts=pulumi.ResourceOptions(parent=self, depends_on=self._before),
        )
