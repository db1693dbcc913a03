"""Series as the exporters give them, in promtool's notation."""

from collections.abc import Mapping

ENVOY = {"namespace": "projectcontour", "pod": "envoy-a"}
_GREETER = "default_greeter_50051"
_CRONJOB = {"namespace": "projectcontour", "cronjob": "contour-certgen-renewal"}
_FAR = 10**9


def named(metric: str, labels: Mapping[str, str]) -> str:
    """A series."""
    said = ", ".join(f'{name}="{value}"' for name, value in labels.items())
    return f"{metric}{{{said}}}"


def envoy(metric: str, pod: str = "envoy-a", **labels: str) -> str:
    """A series of an Envoy."""
    return named(metric, {**ENVOY, "pod": pod, **labels})


def connected(*, cds: str, lds: str) -> dict[str, str]:
    """Envoy's streams from Contour."""
    return {
        envoy("envoy_cluster_manager_cds_control_plane_connected_state"): cds,
        envoy("envoy_listener_manager_lds_control_plane_connected_state"): lds,
    }


def rejected(metric: str, values: str) -> dict[str, str]:
    """Updates that an Envoy rejected."""
    prefix, route = "ingress_http", "ingress_http"
    labels = {"envoy_http_conn_manager_prefix": prefix, "envoy_rds_route_config": route}
    return {envoy(metric, **labels): values}


def ready(values: str) -> dict[str, str]:
    """Whether an Envoy's pod is ready, as kube-state-metrics tells it."""
    return {envoy("kube_pod_status_ready", condition="true"): values}


def terminating(values: str) -> dict[str, str]:
    """When an Envoy's grace period ends."""
    return {envoy("kube_pod_deletion_timestamp"): values}


def renewal(
    *,
    started: int | None = None,
    failed: bool = False,
    succeeded: int | None = None,
    next_time: int = _FAR,
    suspended: bool = False,
) -> dict[str, str]:
    """The CronJob that renews Contour's certificates, and its last Job."""
    found = {
        named("kube_cronjob_created", _CRONJOB): "500x300",
        named("kube_cronjob_next_schedule_time", _CRONJOB): f"{next_time}x300",
        named("kube_cronjob_spec_suspend", _CRONJOB): f"{int(suspended)}x300",
    }
    job = {"namespace": "projectcontour", "job_name": "contour-certgen-renewal-29000000"}
    if started is not None:
        found[named("kube_job_status_start_time", job)] = f"{started}x300"
        found[named("kube_job_failed", {**job, "condition": "true"})] = f"{int(failed)}x300"
    if succeeded is not None:
        last = named("kube_cronjob_status_last_successful_time", _CRONJOB)
        found[last] = f"{succeeded}x300"
    return found


def answers(values: str) -> dict[str, str]:
    """How many addresses DNS has."""
    return {named("probe_dns_answer_rrs", {"job": "envoy-dns", "instance": "10.0.0.2:53"}): values}


def slices(namespace: str, service: str, ready: int, *, not_ready: int = 0) -> dict[str, str]:
    """A Service's EndpointSlice."""
    of = {"namespace": namespace, "endpointslice": f"{service}-x7k2p"}
    found = {named("kube_endpointslice_info", {**of, "addresstype": "IPv4"}): "1x150"}
    for number in range(ready + not_ready):
        labels = {**of, "address": f"10.0.0.{number}", "ready": str(number < ready).lower()}
        found[named("kube_endpointslice_endpoints", labels)] = "1x150"
    return found


def external_dns(*, errors: str, synced: str) -> dict[str, str]:
    """external-dns's syncs."""
    pod = {"namespace": "external-dns", "pod": "external-dns-a"}
    return {
        named("external_dns_controller_consecutive_soft_errors", pod): errors,
        named("external_dns_controller_last_sync_timestamp_seconds", pod): synced,
    }


def autoscaler(minimum: int, maximum: int, current: str) -> dict[str, str]:
    """The fleet's size and its limits."""
    of = {"namespace": "projectcontour", "horizontalpodautoscaler": "envoy"}
    return {
        named("kube_horizontalpodautoscaler_spec_min_replicas", of): f"{minimum}x120",
        named("kube_horizontalpodautoscaler_spec_max_replicas", of): f"{maximum}x120",
        named("kube_horizontalpodautoscaler_status_current_replicas", of): current,
    }


def condition(name: str, is_false: str) -> dict[str, str]:
    """Whether a condition of the autoscaler is false."""
    of = {"namespace": "projectcontour", "horizontalpodautoscaler": "envoy"}
    labels = {**of, "condition": name, "status": "false"}
    return {named("kube_horizontalpodautoscaler_status_condition", labels): is_false}


def calls(rates: Mapping[str, int], draining: str | None = None) -> dict[str, str]:
    """Calls per second to each Envoy."""
    found: dict[str, str] = {}
    for pod, rate in rates.items():
        prefix = {"envoy_http_conn_manager_prefix": "ingress_http"}
        found[envoy("envoy_http_downstream_rq_total", pod, **prefix)] = f"0+{rate * 30}x150"
        found[envoy("envoy_server_state", pod)] = f"{int(pod == draining)}x150"
        # Scrapes and probes come in elsewhere.
        stats = {"envoy_http_conn_manager_prefix": "stats"}
        found[envoy("envoy_http_downstream_rq_total", pod, **stats)] = "0+100000x150"
    return found


def cluster(metric: str, values: str, name: str = _GREETER) -> dict[str, str]:
    """A series of one of Envoy's clusters."""
    return {envoy(metric, envoy_cluster_name=name): values}


def refused(
    *, active: str = "0x120", pending: str = "0x120", name: str = _GREETER
) -> dict[str, str]:
    """Calls that one of Envoy's clusters refused at its circuit breaker."""
    metric = "envoy_cluster_upstream_rq_{}_overflow"
    return {
        **cluster(metric.format("active"), active, name),
        **cluster(metric.format("pending"), pending, name),
    }


def members(counts: Mapping[str, int]) -> dict[str, str]:
    """How many endpoints of a service each Envoy has."""
    metric = "envoy_cluster_membership_healthy"
    contour = "projectcontour_contour_8001"
    found = {envoy(metric, envoy_cluster_name=contour): "0x150"}
    for pod, count in counts.items():
        found[envoy(metric, pod, envoy_cluster_name=_GREETER)] = f"{count}x150"
    return found


def statuses(counts: Mapping[int, int]) -> dict[str, str]:
    """Calls that end with each gRPC status, in 30 s."""
    return {
        envoy(f"envoy_cluster_grpc_{code}", envoy_cluster_name=_GREETER): f"0+{count}x150"
        for code, count in counts.items()
    }


def latency(within: str, *, messages: int, faster: int = 0) -> dict[str, str]:
    """100 calls in 30 s, all answered within so many milliseconds, so many of them within less."""
    found = {
        envoy(
            "envoy_cluster_grpc_upstream_rq_time_bucket", envoy_cluster_name=_GREETER, le=le
        ): f"0+{faster if le != '+Inf' and int(le) < int(within) else 100}x150"
        for le in ("500", "1000", "2500", "+Inf")
    }
    for metric, count in (("total", 100), ("request_message_count", 100)):
        found |= cluster(f"envoy_cluster_grpc_{metric}", f"0+{count}x150")
    return found | cluster("envoy_cluster_grpc_response_message_count", f"0+{messages}x150")


SOURCES = {
    "envoy": envoy("envoy_server_live"),
    "contour": named("contour_build_info", {"namespace": "projectcontour", "pod": "contour-a"}),
    "external-dns": named(
        "external_dns_controller_last_sync_timestamp_seconds", {"namespace": "external-dns"}
    ),
    "kube-state-metrics": named("kube_endpointslice_info", {"namespace": "projectcontour"}),
    "blackbox-exporter": named("probe_dns_answer_rrs", {"job": "envoy-dns"}),
}
"""A series of everything that the alerts need."""


def where(source: str) -> dict[str, str]:
    """The labels by which the rules look for a source."""
    if source == "blackbox-exporter":
        return {"job": "envoy-dns"}
    return {"namespace": "external-dns" if source == "external-dns" else "projectcontour"}
