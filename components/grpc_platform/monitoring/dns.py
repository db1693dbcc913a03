"""Alerts on the name that clients dial, and on external-dns, which publishes it.

external-dns 0.21 has no metric of an update that it skips because the record has another owner:
`skipped_records_owner_mismatch_per_sync` counts only types of record that the name lacks
(https://github.com/kubernetes-sigs/external-dns/blob/v0.21.0/plan/plan.go). DNS itself has to tell.
"""

from .alert import Alert, Scope

DASHBOARD = "grpc-platform-fleet"


def alerts(scope: Scope) -> list[Alert]:
    """DNS that does not list the ready Envoys, and external-dns's errors."""
    publisher, limits = scope.external_dns, scope.thresholds
    return [
        Alert(
            name="EnvoyDNSDiffersFromReadyPods",
            expr=f"""
                max by (job) (probe_dns_answer_rrs{{job="{scope.dns_probe_job}"}})
                != on () group_left () ({_ready_envoys(scope)})""",
            wait="10m",
            severity="critical",
            summary="DNS does not list the ready Envoys.",
            description="""The cluster's name has {{ $value }} addresses, and there are more or
                fewer ready Envoys. Clients dial Envoys that are gone, or never find the new
                ones.""",
            dashboard=DASHBOARD,
        ),
        Alert(
            name="ExternalDNSSyncFails",
            expr=f"""
                max by (namespace, pod) (
                  external_dns_controller_consecutive_soft_errors{{{publisher}}}
                ) > 0
                or max by (namespace, pod) (
                  time() - external_dns_controller_last_sync_timestamp_seconds{{{publisher}}}
                ) > {scope.seconds(limits.sync_seconds)}""",
            wait="5m",
            severity="critical",
            summary="external-dns cannot update DNS.",
            description="""external-dns {{ $labels.pod }} has not synced: Route53 or the Kubernetes
                API refuses it. Envoys that come and go change nothing in DNS.""",
            dashboard=DASHBOARD,
        ),
    ]


def _ready_envoys(scope: Scope) -> str:
    """How many addresses DNS should have; 0 without a ready Envoy."""
    slices = f'{scope.here}, endpointslice=~"envoy-[a-z0-9]{{5}}"'
    ready = f'count(count by (address) (kube_endpointslice_endpoints{{{slices}, ready="true"}}))'
    return f"{ready} or 0 * count(kube_endpointslice_info{{{slices}}})"
