"""All rules of Prometheus for a platform: what precedes an outage, and what they are computed from.

Pure: the same groups are a PrometheusRule's `spec.groups` and a rule file's `groups`.
"""

from typing import Any

from . import capacity, control_plane, dns, services
from .alert import Alert, Scope

RUNBOOK_URL = "https://runbooks.example.com"
DASHBOARD_URL = "https://grafana.example.com"


def groups(
    scope: Scope = Scope(),  # noqa: B008  frozen
    *,
    runbook_url: str = RUNBOOK_URL,
    dashboard_url: str = DASHBOARD_URL,
) -> list[dict[str, Any]]:
    """The rule groups. `runbook_url` is the folder of the runbooks (`<runbook_url>/<alert>.md`),
    `dashboard_url` is Grafana's."""

    def link(name: str) -> str:
        return f"{runbook_url}/{name}.md"

    return [
        {
            "name": f"grpc-platform-{name}",
            "rules": [*recorded, *(each.rule(scope, link, dashboard_url) for each in found)],
        }
        for name, recorded, found in _subjects(scope)
    ]


def alerts(scope: Scope = Scope()) -> list[Alert]:  # noqa: B008
    """Every alert, in the order of the groups."""
    return [alert for _, _, found in _subjects(scope) for alert in found]


def _subjects(scope: Scope) -> list[tuple[str, list[dict[str, str]], list[Alert]]]:
    return [
        ("control-plane", [], control_plane.alerts(scope)),
        ("dns", [], dns.alerts(scope)),
        ("capacity", capacity.recordings(scope), capacity.alerts(scope)),
        ("services", services.recordings(scope), services.alerts(scope)),
        ("monitoring", [], [_metrics_missing(scope)]),
    ]


def _metrics_missing(scope: Scope) -> Alert:
    sources = {
        "envoy": f"envoy_server_live{{{scope.here}}}",
        "contour": f"contour_build_info{{{scope.here}}}",
        "external-dns": (
            f"external_dns_controller_last_sync_timestamp_seconds{{{scope.external_dns}}}"
        ),
        "kube-state-metrics": f"kube_endpointslice_info{{{scope.here}}}",
        "blackbox-exporter": f'probe_dns_answer_rrs{{job="{scope.dns_probe_job}"}}',
    }
    return Alert(
        name="GrpcPlatformMetricsMissing",
        expr=" or ".join(
            f'label_replace(absent({metric}), "source", "{source}", "", "")'
            for source, metric in sources.items()
        ),
        wait="15m",
        severity="warning",
        summary="Prometheus has no metrics of a part of the platform.",
        description="""Prometheus has no metrics of {{ $labels.source }}, so the alerts that need
            them cannot fire.""",
        dashboard=control_plane.DASHBOARD,
    )
