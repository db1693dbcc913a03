"""Alerts on Envoy's configuration and the certificates it needs."""

from .alert import Alert, Scope

DASHBOARD = "grpc-platform-fleet"

_REJECTED = {
    "clusters": "envoy_cluster_manager_cds_update_rejected",
    "listeners": "envoy_listener_manager_lds_update_rejected",
    "routes": "envoy_http_rds_update_rejected",
    "endpoints": "envoy_cluster_update_rejected",
    "secrets": "envoy_sds_update_rejected",
}


def alerts(scope: Scope) -> list[Alert]:
    """Envoy without Contour, a configuration that Envoy rejects, and certificates."""
    here, limits, lately = scope.here, scope.thresholds, scope.time("2m")
    return [
        Alert(
            name="EnvoyWithoutContour",
            # Envoy sets the state to 1 when it begins to connect, and to 0 when that has failed:
            # https://github.com/envoyproxy/envoy/blob/v1.38.3/source/extensions/config_subscription/grpc/grpc_stream.h
            expr=f"""
                min by (namespace, pod) (min_over_time(
                  envoy_cluster_manager_cds_control_plane_connected_state{{{here}}}[{lately}]
                )) == 0
                or min by (namespace, pod) (min_over_time(
                  envoy_listener_manager_lds_control_plane_connected_state{{{here}}}[{lately}]
                )) == 0""",
            wait="5m",
            severity="critical",
            summary="An Envoy gets no configuration from Contour.",
            description="""Envoy {{ $labels.pod }} has no connection to Contour. It serves with its
                last configuration: it will call servers that are gone and knows no new ones.""",
            dashboard=DASHBOARD,
        ),
        Alert(
            name="EnvoyConfigurationRejected",
            expr=" or ".join(_rejected(scope, what, name) for what, name in _REJECTED.items()),
            severity="critical",
            summary="An Envoy rejected a configuration from Contour.",
            description="""Envoy {{ $labels.pod }} rejected an update of its {{ $labels.kind }}. It
                keeps the former ones, so it serves other routes than Contour intends.""",
            dashboard=DASHBOARD,
        ),
        Alert(
            name="EnvoyNotReady",
            expr=f"""
                max by (namespace, pod) (
                  kube_pod_status_ready{{{here}, pod=~"envoy-.+", condition="true"}}
                ) == 0
                unless on (namespace, pod) kube_pod_deletion_timestamp{{{here}}}""",
            wait="15m",
            severity="warning",
            summary="An Envoy does not become ready.",
            description="""Envoy {{ $labels.pod }} is not ready, so DNS does not list it. It waits
                for a node, its image, its certificate, or its first configuration from Contour.""",
            dashboard=DASHBOARD,
        ),
        Alert(
            name="EnvoyCertificateExpires",
            expr=f"""
                min by (namespace, pod) (envoy_server_days_until_first_cert_expiring{{{here}}})
                < {limits.certificate_days}""",
            wait="15m",
            severity="critical",
            summary="A certificate that Envoy uses expires soon.",
            description="""The first certificate of Envoy {{ $labels.pod }} expires in
                {{ $value | humanize }} days: the one for Contour, or a service's TLS certificate.
                After that Envoy gets no configuration, or the service's clients cannot connect.""",
            dashboard=DASHBOARD,
        ),
        Alert(
            name="ContourCertificateRenewalFailed",
            expr=_renewal_failed(scope),
            wait="15m",
            severity="warning",
            summary="The renewal of Contour's and Envoy's certificates failed or did not run.",
            description="""The CronJob contour-certgen-renewal in {{ $labels.namespace }} failed, is
                late, or is suspended. The certificates are valid for a year; after that no Envoy
                gets a configuration.""",
            dashboard=DASHBOARD,
        ),
    ]


def _rejected(scope: Scope, what: str, metric: str) -> str:
    # The update that is rejected is not sent again, so the counter rises once.
    rejected = (
        f"sum by (namespace, pod) (increase({metric}{{{scope.here}}}[{scope.time('15m')}])) > 0"
    )
    return f'label_replace({rejected}, "kind", "{what}", "", "")'


def _renewal_failed(scope: Scope) -> str:
    cronjob = f'{scope.here}, cronjob="contour-certgen-renewal"'
    jobs = f'{scope.here}, job_name=~"contour-certgen-renewal-.+"'
    # A failed Job stays after a later success, so compare their times.
    failed = f"""
        max by (namespace) (
          kube_job_status_start_time{{{jobs}}}
          and on (namespace, job_name) kube_job_failed{{{jobs}, condition="true"}} == 1
        )
        > on (namespace) max by (namespace) (
          kube_cronjob_status_last_successful_time{{{cronjob}}} or kube_cronjob_created{{{cronjob}}}
        )"""
    late = f"""
        time() - max by (namespace) (kube_cronjob_next_schedule_time{{{cronjob}}})
        > {scope.seconds(scope.thresholds.renewal_seconds)}"""
    suspended = f"max by (namespace) (kube_cronjob_spec_suspend{{{cronjob}}}) == 1"
    return f"{failed} or {late} or {suspended}"
