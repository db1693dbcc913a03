"""The rows of the fleet's dashboard that show each promise."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dashboards.panels import (
    CALLS_PER_SECOND,
    COUNT,
    DAYS,
    DNS_PROBE,
    EXTERNAL_DNS,
    INGRESS,
    MILLISECONDS,
    PER_SECOND,
    PLATFORM,
    SECONDS,
    TIMES,
    add_row,
    panel,
    quantiles,
    rate,
)
from grpc_platform.conventions import ENVOY

_BY_POD = "{{pod}}"
_SLICES = f'{PLATFORM}, endpointslice=~"{ENVOY}-[a-z0-9]{{5}}", ready="true"'
_TERMINATING = f'kube_pod_deletion_timestamp{{{PLATFORM}, pod=~"{ENVOY}-.*"}}'
_CALLS = f"sum by (pod) ({rate('envoy_http_downstream_rq_total', INGRESS)})"
_CONNECTIONS = f"sum by (pod) (envoy_http_downstream_cx_active{{{INGRESS}}})"


def add_balance(board: Dashboard) -> None:
    """Whether the load is even."""
    serving = f"unless on (pod) (envoy_server_state{{{PLATFORM}}} == 1)"
    calls, connections = f"({_CALLS} {serving})", f"({_CONNECTIONS} {serving})"
    add_row(
        board,
        "Balance",
        panel(
            "Calls by Envoy",
            CALLS_PER_SECOND,
            "Calls that each Envoy gets. The lines lie together when connections are spread.",
            {_BY_POD: _CALLS},
        ),
        panel(
            "Connections by Envoy",
            COUNT,
            "Clients' connections to each Envoy. A new Envoy gets its share as connections reach "
            "their maximum age.",
            {_BY_POD: _CONNECTIONS},
        ),
        panel(
            "Hottest Envoy against the mean",
            TIMES,
            "The highest of the Envoys divided by their mean: 1 is even. It is higher until "
            "connections have moved to a new Envoy. Envoys that drain are left out.",
            {
                "calls": f"max({calls}) / avg({calls})",
                "connections": f"max({connections}) / avg({connections})",
            },
        ),
    )


def add_drains(board: Dashboard) -> None:
    """What Envoys that go still carry."""
    add_row(
        board,
        "Drains",
        panel(
            "Envoys by state",
            COUNT,
            "Terminating: the pod is to go. It serves as before until DNS has forgotten it, then "
            "it drains: it asks its clients to reconnect. Starting: no configuration yet.",
            {
                "serving": f"count(envoy_server_state{{{PLATFORM}}} == 0) or vector(0)",
                "terminating": f"count({_TERMINATING}) or vector(0)",
                "draining": f"count(envoy_server_state{{{PLATFORM}}} == 1) or vector(0)",
                "starting": f"count(envoy_server_state{{{PLATFORM}}} > 1) or vector(0)",
            },
        ),
        panel(
            "Connections left on terminating Envoys",
            COUNT,
            "They must reach zero before the pod's grace period ends; what is left then is cut.",
            {_BY_POD: f"{_CONNECTIONS} and on (pod) {_TERMINATING}"},
        ),
        panel(
            "Calls in flight on terminating Envoys",
            COUNT,
            "Calls and streams that a drain waits for.",
            {
                _BY_POD: f"sum by (pod) (envoy_http_downstream_rq_active{{{INGRESS}}}) "
                f"and on (pod) {_TERMINATING}"
            },
        ),
    )


def add_dns(board: Dashboard) -> None:
    """Whether DNS follows the fleet."""
    add_row(
        board,
        "DNS against the fleet",
        panel(
            "Ready Envoys and the record's answers",
            COUNT,
            "The addresses that a resolver gets, as a blackbox exporter counts them, and the "
            "Envoys that should be there. They differ for the time that DNS takes to converge.",
            {
                "ready": f"count(count by (address) (kube_endpointslice_endpoints{{{_SLICES}}}))",
                "answers": f"max(probe_dns_answer_rrs{{{DNS_PROBE}}})",
            },
        ),
        panel(
            "Since external-dns's last sync",
            SECONDS,
            "It syncs at each change of the endpoints, and once in its interval without one.",
            {
                "last sync": "time() - max(external_dns_controller_last_sync_timestamp_seconds"
                f"{{{EXTERNAL_DNS}}})"
            },
        ),
        panel(
            "external-dns's errors",
            COUNT,
            "Syncs that failed one after another, and errors of Route53 and of the Kubernetes API "
            "within the last rate interval.",
            {
                "failed syncs": "max(external_dns_controller_consecutive_soft_errors"
                f"{{{EXTERNAL_DNS}}})",
                "Route53": "sum(increase(external_dns_registry_errors_total"
                f"{{{EXTERNAL_DNS}}}[$__rate_interval]))",
                "Kubernetes": "sum(increase(external_dns_source_errors_total"
                f"{{{EXTERNAL_DNS}}}[$__rate_interval]))",
            },
        ),
    )


def add_connections(board: Dashboard) -> None:
    """How often clients reconnect, and at what age."""
    add_row(
        board,
        "Age of connections",
        panel(
            "Connections opened and ended for their age",
            PER_SECOND,
            "Envoy asks a client to reconnect when its connection reaches its maximum duration. "
            "The client then resolves the name again, so it finds new Envoys.",
            {
                "opened": f"sum({rate('envoy_http_downstream_cx_total', INGRESS)})",
                "ended for age": "sum("
                f"{rate('envoy_http_downstream_cx_max_duration_reached', INGRESS)})",
                "ended by Envoy": f"sum({rate('envoy_http_downstream_cx_destroy_local', INGRESS)})",
                "ended by clients": "sum("
                f"{rate('envoy_http_downstream_cx_destroy_remote', INGRESS)})",
            },
        ),
        panel(
            "Age of connections at their end",
            MILLISECONDS,
            "No connection without a long stream gets older than the maximum duration and the "
            "grace period. The values lie between the bounds of Envoy's buckets.",
            quantiles("envoy_http_downstream_cx_length_ms", INGRESS, 0.5, 0.99),
        ),
    )


def add_control_plane(board: Dashboard) -> None:
    """Whether Envoys get their configuration."""
    rejected = {
        "clusters": "envoy_cluster_manager_cds_update_rejected",
        "listeners": "envoy_listener_manager_lds_update_rejected",
        "routes": "envoy_http_rds_update_rejected",
        "endpoints": "envoy_cluster_update_rejected",
    }
    add_row(
        board,
        "Control plane",
        panel(
            "Envoys with a connection to Contour",
            COUNT,
            "An Envoy without one serves what it last knew, and learns of no new server.",
            {
                "Envoys": f"count(envoy_server_live{{{PLATFORM}}})",
                "connected": "sum(envoy_cluster_manager_cds_control_plane_connected_state"
                f"{{{PLATFORM}}})",
            },
        ),
        panel(
            "Rejected configuration",
            COUNT,
            "Updates from Contour that an Envoy refused within the last rate interval, by kind. It "
            "goes on with the configuration before.",
            {
                kind: f"sum(increase({metric}{{{PLATFORM}}}[$__rate_interval]))"
                for kind, metric in rejected.items()
            },
        ),
        panel(
            "Contour's pods and leader",
            COUNT,
            "One of the Contours leads: it alone writes the status of Ingresses. All serve Envoys.",
            {
                "Contours": f"count(contour_build_info{{{PLATFORM}}})",
                "leaders": f"sum(leader_election_master_status{{{PLATFORM}}})",
            },
        ),
    )
    add_row(
        board,
        "Configuration",
        panel(
            "Contour's mean time to work out a configuration",
            SECONDS,
            "For one change of Ingresses, Services or Secrets within the last hour; it grows with "
            "the services.",
            {
                _BY_POD: f"rate(contour_dagrebuild_seconds_sum{{{PLATFORM}}}[1h]) / "
                f"rate(contour_dagrebuild_seconds_count{{{PLATFORM}}}[1h])"
            },
        ),
        panel(
            "Days until a certificate expires",
            DAYS,
            "The first certificate of any Envoy: that of its connection to Contour or a service's.",
            {"first": f"min(envoy_server_days_until_first_cert_expiring{{{PLATFORM}}})"},
        ),
    )
