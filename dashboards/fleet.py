"""The dashboard of the fleet: golden signals, then each promise."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dashboards import promises
from dashboards.panels import (
    CALLS_PER_SECOND,
    COUNT,
    INGRESS,
    MILLISECONDS,
    PERCENT,
    PLATFORM,
    SERVICES,
    SHARE,
    add_row,
    breaker_use,
    failures,
    new_dashboard,
    panel,
    quantiles,
    rate,
    refused,
    share,
)
from grpc_platform.conventions import ENVOY
from grpc_platform.monitoring.capacity import DASHBOARD

_BY_SERVICE = "{{envoy_cluster_name}}"
_BY_POD = "{{pod}}"
_AUTOSCALER = f'{PLATFORM}, horizontalpodautoscaler="{ENVOY}"'


def build() -> Dashboard:
    """The dashboard."""
    board = new_dashboard(
        DASHBOARD,
        "gRPC platform: fleet",
        "Envoy, Contour and external-dns of one cluster: traffic, failures, latency, saturation, "
        "and the promises of even load, drains without loss, and DNS that follows the fleet.",
    )
    _add_golden_signals(board)
    _add_saturation(board)
    promises.add_balance(board)
    promises.add_drains(board)
    promises.add_dns(board)
    promises.add_connections(board)
    promises.add_control_plane(board)
    return board


def _add_golden_signals(board: Dashboard) -> None:
    calls = f"sum by (envoy_cluster_name) ({rate('envoy_cluster_grpc_total', SERVICES)})"
    failed = f"sum by (envoy_cluster_name) ({rate('envoy_cluster_grpc_failure', SERVICES)})"
    slowest = rate("envoy_cluster_grpc_upstream_rq_time_bucket", SERVICES)
    add_row(
        board,
        "Traffic",
        panel(
            "Calls ended, busiest services",
            CALLS_PER_SECOND,
            "The ten services with the most calls. A stream counts once, when it ends.",
            {_BY_SERVICE: f"topk(10, {calls})"},
            stacked=True,
        ),
        panel(
            "Open calls, busiest services",
            COUNT,
            "Calls and streams in flight between Envoy and the servers; the ten highest.",
            {
                _BY_SERVICE: "topk(10, sum by (envoy_cluster_name) "
                f"(envoy_cluster_upstream_rq_active{{{SERVICES}}}))"
            },
        ),
    )
    add_row(
        board,
        "Errors",
        panel(
            "Failed calls by grpc-status",
            CALLS_PER_SECOND,
            "Calls that ended with another status than OK, all services together. UNAVAILABLE is "
            "what Envoy answers itself when it reaches no server, and at a service's deadline.",
            failures(SERVICES),
            stacked=True,
        ),
        panel(
            "Share of failed calls, worst services",
            SHARE,
            "Calls with another status than OK, as a share of all calls of the service; the ten "
            "worst.",
            {_BY_SERVICE: f"topk(10, {share(failed, calls)})"},
        ),
        panel(
            "Calls that Envoy ended itself",
            CALLS_PER_SECOND,
            "By reason. No route: no service has this host. No endpoint: the service has no ready "
            "server. Circuit breaker: too many calls to one service. Overload: Envoy's memory is "
            "full. Timeout: the server was slower than the service's deadline.",
            {
                "no route": f"sum({rate('envoy_http_no_route', INGRESS)})",
                "no endpoint": f"sum({rate('envoy_cluster_upstream_cx_none_healthy', SERVICES)})",
                "circuit breaker": refused(SERVICES),
                "overload": f"sum({rate('envoy_http_rq_overload_local_reply', INGRESS)})",
                "timeout": f"sum({rate('envoy_cluster_upstream_rq_timeout', SERVICES)})",
            },
        ),
    )
    add_row(
        board,
        "Latency",
        panel(
            "Time to answer",
            MILLISECONDS,
            "From the end of the request to the end of the server's answer, seen from Envoy, all "
            "services together. Streams are in it with their whole length.",
            quantiles("envoy_cluster_grpc_upstream_rq_time", SERVICES, 0.5, 0.99),
        ),
        panel(
            "p99, slowest services",
            MILLISECONDS,
            "99 of 100 calls take less than this; the ten slowest services.",
            {
                _BY_SERVICE: "topk(10, histogram_quantile(0.99, sum by (envoy_cluster_name, le) "
                f"({slowest})))"
            },
        ),
    )


def _add_saturation(board: Dashboard) -> None:
    utilization = f'{_AUTOSCALER}, metric_target_type="utilization"'
    add_row(
        board,
        "Saturation",
        panel(
            "CPU of the fleet",
            PERCENT,
            "The mean use of Envoy's CPU request as the autoscaler knows it, and its target.",
            {
                "used": f"kube_horizontalpodautoscaler_status_target_metric{{{utilization}}}",
                "target": f"kube_horizontalpodautoscaler_spec_target_metric{{{utilization}}}",
            },
        ),
        panel(
            "Size of the fleet",
            COUNT,
            "Envoys that the autoscaler has and wants, between its minimum and maximum. At the "
            "maximum the fleet cannot take more load.",
            {
                name: f"kube_horizontalpodautoscaler_{metric}{{{_AUTOSCALER}}}"
                for name, metric in {
                    "current": "status_current_replicas",
                    "wanted": "status_desired_replicas",
                    "minimum": "spec_min_replicas",
                    "maximum": "spec_max_replicas",
                }.items()
            },
        ),
        panel(
            "Memory against the overload manager",
            PERCENT,
            "Heap of each Envoy as a share of what the overload manager allows. From 98% on Envoy "
            "refuses calls.",
            {_BY_POD: f"envoy_overload_envoy_resource_monitors_fixed_heap_pressure{{{PLATFORM}}}"},
            limit=98,
        ),
        panel(
            "Fullest circuit breakers",
            SHARE,
            "Calls in flight as a share of what one Envoy allows to one service; the ten highest. "
            "At 100% Envoy answers UNAVAILABLE.",
            {_BY_SERVICE: f"topk(10, max by (envoy_cluster_name) ({breaker_use(SERVICES)}))"},
            limit=1,
        ),
    )
