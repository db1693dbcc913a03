"""Alerts on the fleet's size, balance, memory and drains."""

from .alert import Alert, Scope, by_service

DASHBOARD = "grpc-platform-fleet"

CALLS = "namespace_pod:envoy_downstream_calls:rate"
"""Recorded: calls per second of each Envoy that is not draining."""

OVERFLOWS = (
    "envoy_cluster_upstream_rq_active_overflow",
    "envoy_cluster_upstream_rq_pending_overflow",
)
"""Calls that a circuit breaker refused: those over `max_requests`, and those that waited for a
connection. Before Envoy 1.38 the second counted both."""


def recordings(scope: Scope) -> list[dict[str, str]]:
    """The recording rules that the alerts below use."""
    calls = f"envoy_http_downstream_rq_total{{{scope.clients}}}[{scope.time('5m')}]"
    serving = f"envoy_server_state{{{scope.here}}} == 0"
    each = f"sum by (namespace, pod) (rate({calls}))"
    return [{"record": CALLS, "expr": f"{each} and on (namespace, pod) {serving}"}]


def alerts(scope: Scope) -> list[Alert]:
    """Too little capacity, or capacity that is not used evenly."""
    here, limits = scope.here, scope.thresholds
    autoscaler = f'{here}, horizontalpodautoscaler="envoy"'
    margin = scope.seconds(limits.drain_margin_seconds)
    terminating = f'kube_pod_deletion_timestamp{{{here}, pod=~"envoy-.+"}}'
    refused = [f"increase({each}{{{scope.services}}}[{scope.time('5m')}])" for each in OVERFLOWS]
    overflow = by_service(" + ".join(refused))
    mean = f"avg by (namespace) ({CALLS})"
    return [
        Alert(
            name="EnvoyAutoscalerAtMaximum",
            expr=f"""
                max by (namespace) (
                  kube_horizontalpodautoscaler_status_current_replicas{{{autoscaler}}}
                  >= kube_horizontalpodautoscaler_spec_max_replicas{{{autoscaler}}}
                  > kube_horizontalpodautoscaler_spec_min_replicas{{{autoscaler}}}
                )""",
            wait="15m",
            severity="warning",
            summary="The fleet of Envoys cannot grow any more.",
            description="""The autoscaler runs {{ $value }} Envoys, its maximum. More load will
                overload them.""",
            dashboard=DASHBOARD,
        ),
        Alert(
            name="EnvoyAutoscalerBlind",
            expr=f"""
                max by (namespace) (
                  kube_horizontalpodautoscaler_status_condition{{
                    {autoscaler}, condition="ScalingActive", status="false"
                  }}
                ) == 1""",
            wait="10m",
            severity="critical",
            summary="The autoscaler gets no metrics of Envoy.",
            description="""The autoscaler of Envoy in {{ $labels.namespace }} cannot read Envoy's
                CPU, so the fleet keeps its size whatever the load.""",
            dashboard=DASHBOARD,
        ),
        Alert(
            name="EnvoyLoadUneven",
            expr=f"""
                {CALLS} / on (namespace) group_left () {mean} > {limits.uneven_load}
                and on (namespace) {mean} > {limits.uneven_load_calls}""",
            wait="20m",
            severity="warning",
            summary="An Envoy carries much more than its share.",
            description="""Envoy {{ $labels.pod }} serves {{ $value | humanize }} times the mean.
                The autoscaler follows the mean, so this Envoy can be overloaded.""",
            dashboard=DASHBOARD,
        ),
        Alert(
            name="EnvoyHeapNearLimit",
            expr=f"""
                max by (namespace, pod) (
                  envoy_overload_envoy_resource_monitors_fixed_heap_pressure{{{here}}}
                ) > {limits.heap_percent}""",
            wait="5m",
            severity="critical",
            summary="An Envoy is about to refuse calls for lack of memory.",
            description="""Envoy {{ $labels.pod }} uses {{ $value | humanize }}% of its heap. From
                98% on it refuses calls.""",
            dashboard=DASHBOARD,
        ),
        Alert(
            name="EnvoyCircuitBreakerOverflow",
            expr=f"sum by (service) ({overflow}) > 0",
            wait="1m",
            severity="warning",
            summary="Envoy refuses calls to a service at its circuit breaker.",
            description="""Envoy refused {{ $value | humanize }} calls to {{ $labels.service }} in
                five minutes, because too many were in flight.""",
            dashboard="grpc-platform-services",
        ),
        Alert(
            name="EnvoyDrainCutShort",
            # When it was last seen, not now: a series lives on until the next scrape.
            expr=f"""
                max by (namespace, pod) (max_over_time((
                  timestamp({terminating}) - {terminating}
                )[{scope.time("15m")}:{scope.time("15s")}])) > -{margin}""",
            severity="warning",
            summary="An Envoy was ended while clients were connected.",
            description="""Envoy {{ $labels.pod }} still had connections when its termination grace
                period ended. The calls on them failed.""",
            dashboard=DASHBOARD,
        ),
    ]
