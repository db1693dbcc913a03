"""The dashboard of one service, for the team that owns it."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dashboards.panels import (
    CALLS_PER_SECOND,
    COUNT,
    MILLISECONDS,
    PER_SECOND,
    PLATFORM,
    SERVICES,
    SHARE,
    TIMES,
    add_row,
    breaker_use,
    failures,
    label_values,
    new_dashboard,
    panel,
    quantiles,
    rate,
    refused,
    share,
)
from grpc_platform.monitoring.services import DASHBOARD

_SERVICE = f'{PLATFORM}, envoy_cluster_name="$service"'
_BY_POD = "{{pod}}"


def build() -> Dashboard:
    """The dashboard."""
    board = new_dashboard(
        DASHBOARD,
        "gRPC platform: service",
        "One service as its Envoys see it: traffic, failures by grpc-status, latency, saturation, "
        "and the servers behind it.",
    )
    board.with_variable(
        label_values(
            "service",
            "Service",
            f"envoy_cluster_upstream_rq_total{{{SERVICES}}}",
            "envoy_cluster_name",
        )
    )
    _add_golden_signals(board)
    _add_servers(board)
    return board


def _add_golden_signals(board: Dashboard) -> None:
    calls = f"sum({rate('envoy_cluster_grpc_total', _SERVICE)})"
    failed = f"sum({rate('envoy_cluster_grpc_failure', _SERVICE)})"
    by_envoy = f"sum by (pod) ({rate('envoy_cluster_grpc_total', _SERVICE)})"
    add_row(
        board,
        "Traffic",
        panel(
            "Calls ended",
            CALLS_PER_SECOND,
            "A stream counts once, when it ends.",
            {
                "all": calls,
                "OK": f"sum({rate('envoy_cluster_grpc_success', _SERVICE)})",
            },
        ),
        panel(
            "Messages",
            PER_SECOND,
            "Messages from and to clients: more than calls when the service has streams.",
            {
                "requests": f"sum({rate('envoy_cluster_grpc_request_message_count', _SERVICE)})",
                "answers": f"sum({rate('envoy_cluster_grpc_response_message_count', _SERVICE)})",
            },
        ),
        panel(
            "Calls by Envoy",
            CALLS_PER_SECOND,
            "The part of each Envoy.",
            {_BY_POD: by_envoy},
        ),
        panel(
            "Hottest Envoy against the mean",
            TIMES,
            "The highest of the Envoys divided by their mean: 1 is even. With few clients it is "
            "higher.",
            {"calls": f"max({by_envoy}) / avg({by_envoy})"},
        ),
    )
    add_row(
        board,
        "Errors",
        panel(
            "Failed calls by grpc-status",
            CALLS_PER_SECOND,
            "Calls that ended with another status than OK. UNAVAILABLE is what Envoy answers "
            "itself when it reaches no server, and at the deadline of the route.",
            failures(_SERVICE),
            stacked=True,
        ),
        panel(
            "Share of failed calls",
            SHARE,
            "Calls with another status than OK, as a share of all.",
            {"failed": share(failed, calls)},
        ),
        panel(
            "Why Envoy ended calls itself",
            CALLS_PER_SECOND,
            "No endpoint: no server is ready. Circuit breaker: too many calls in flight. Timeout: "
            "slower than the service's deadline. Reset: the server, or the connection to it, broke "
            "the call off.",
            {
                "no endpoint": f"sum({rate('envoy_cluster_upstream_cx_none_healthy', _SERVICE)})",
                "circuit breaker": refused(_SERVICE),
                "timeout": f"sum({rate('envoy_cluster_upstream_rq_timeout', _SERVICE)})",
                "reset": f"sum({rate('envoy_cluster_upstream_rq_rx_reset', _SERVICE)})",
            },
        ),
        panel(
            "Retries",
            CALLS_PER_SECOND,
            "Calls that Envoy sent to another server, and those that then succeeded. Zero without "
            "the service's `retry_on`.",
            {
                "retried": f"sum({rate('envoy_cluster_upstream_rq_retry', _SERVICE)})",
                "succeeded": f"sum({rate('envoy_cluster_upstream_rq_retry_success', _SERVICE)})",
            },
        ),
    )
    add_row(
        board,
        "Latency",
        panel(
            "Time to answer",
            MILLISECONDS,
            "From the end of the request to the end of the server's answer, seen from Envoy. A "
            "stream's is its length.",
            quantiles("envoy_cluster_grpc_upstream_rq_time", _SERVICE, 0.5, 0.9, 0.99),
        ),
        panel(
            "p99 by Envoy",
            MILLISECONDS,
            "One Envoy that is slower than the others is short of CPU.",
            {
                _BY_POD: "histogram_quantile(0.99, sum by (pod, le) ("
                f"{rate('envoy_cluster_grpc_upstream_rq_time_bucket', _SERVICE)}))"
            },
        ),
    )


def _add_servers(board: Dashboard) -> None:
    add_row(
        board,
        "Saturation",
        panel(
            "Open calls",
            COUNT,
            "Calls and streams in flight between Envoy and the servers.",
            {"open": f"sum(envoy_cluster_upstream_rq_active{{{_SERVICE}}})"},
        ),
        panel(
            "Fullest circuit breaker",
            SHARE,
            "Calls in flight as a share of what one Envoy allows. At 100% Envoy answers "
            "UNAVAILABLE: raise `max_requests` of the service, or add servers.",
            {"fullest": f"max({breaker_use(_SERVICE)})"},
            limit=1,
        ),
    )
    add_row(
        board,
        "Servers",
        panel(
            "Servers that Envoys know",
            COUNT,
            "The fewest and the most that any Envoy sends calls to. They differ while Envoys learn "
            "of a change.",
            {
                "fewest": f"min(envoy_cluster_membership_healthy{{{_SERVICE}}})",
                "most": f"max(envoy_cluster_membership_healthy{{{_SERVICE}}})",
            },
        ),
        panel(
            "Connections to servers",
            COUNT,
            "Open connections from all Envoys.",
            {"open": f"sum(envoy_cluster_upstream_cx_active{{{_SERVICE}}})"},
        ),
        panel(
            "Failed connects",
            PER_SECOND,
            "Connections to a server that were refused or timed out: it ended before Envoy knew.",
            {
                "refused": f"sum({rate('envoy_cluster_upstream_cx_connect_fail', _SERVICE)})",
                "timed out": f"sum({rate('envoy_cluster_upstream_cx_connect_timeout', _SERVICE)})",
            },
        ),
    )
