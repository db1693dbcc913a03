"""Prometheus, promtool and kube-state-metrics as parts for `testbed.cluster.build.Builder`."""

from pathlib import Path

from testbed.cluster.parts import GoPart, required

# Both are built from one go.mod, so that they share their compiled packages.
_MODULE = Path(__file__).with_name("module")
# Of the Go module; 0.313.5 says that it is 3.13.5.
PROMETHEUS_VERSION = required(_MODULE, "github.com/prometheus/prometheus")
KUBE_STATE_METRICS_VERSION = required(_MODULE, "k8s.io/kube-state-metrics/v2")
# Service discovery only from the configuration: the SDKs of clouds are half of what would be built.
# https://github.com/prometheus/prometheus/blob/v3.13.5/plugins/plugin_aws.go
_TAGS = ("remove_all_sd", "enable_kubernetes_sd")


def _prometheus(name: str) -> GoPart:
    return GoPart(
        name=name,
        version=PROMETHEUS_VERSION,
        package=f"github.com/prometheus/prometheus/cmd/{name}",
        module=_MODULE,
        tags=_TAGS,
    )


PROMTOOL = _prometheus("promtool")
PROMETHEUS = _prometheus("prometheus")
KUBE_STATE_METRICS = GoPart(
    name="kube-state-metrics",
    version=KUBE_STATE_METRICS_VERSION,
    package="k8s.io/kube-state-metrics/v2",
    module=_MODULE,
)
MONITORING_PARTS = (PROMTOOL, PROMETHEUS, KUBE_STATE_METRICS)
"""Built only when asked for."""
