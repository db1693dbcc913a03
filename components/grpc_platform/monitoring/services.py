"""Alerts on the services: their endpoints, failures and latency."""

from .alert import Alert, Scope, by_service, one_line

DASHBOARD = "grpc-platform-services"

STATUS = "service_grpc_status:envoy_cluster_grpc:rate"
"""Recorded: calls per second by service and gRPC status."""

STATUSES = (
    *("OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND"),
    *("ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION"),
    *("ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"),
    "UNAUTHENTICATED",
)
"""gRPC's status codes, by number."""

FAILURES = ("UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS")
"""The statuses that are the server's fault:
https://opentelemetry.io/docs/specs/semconv/rpc/grpc/"""

P99 = "service:envoy_cluster_grpc_upstream_rq_time:p99"
"""Recorded: the 99th percentile of unary calls by service, in milliseconds."""

_MESSAGES_OF_STREAMS = 1.5
"""Messages per call from which a service counts as one of streams: a unary call has one."""


def recordings(scope: Scope) -> list[dict[str, str]]:
    """The recording rules that the alerts below use."""

    # Envoy has one counter a status, with the status's number in its name.
    def rate(code: int) -> str:
        selected = f"envoy_cluster_grpc_{code}{{{scope.services}}}[{scope.time('5m')}]"
        return f"sum by (envoy_cluster_name) (rate({selected}))"

    by_status = [
        f'label_replace({rate(code)}, "grpc_status", "{status}", "", "")'
        for code, status in enumerate(STATUSES)
    ]
    every = by_service(" or ".join(by_status))
    return [
        {"record": STATUS, "expr": f"sum by (service, grpc_status) ({every})"},
        {"record": P99, "expr": one_line(_p99(scope))},
    ]


def alerts(scope: Scope) -> list[Alert]:
    """Services that have no servers, fail, or are slow."""
    limits = scope.thresholds
    return [
        Alert(
            name="ServiceWithoutEndpoints",
            expr=f"max by (service) ({_members(scope)}) == 0",
            wait="10m",
            severity="warning",
            summary="A service has no ready pod.",
            description="""Envoy has no endpoint for {{ $labels.service }}: every call of it fails
                with UNAVAILABLE.""",
            dashboard=DASHBOARD,
        ),
        Alert(
            name="EnvoyEndpointsDiffer",
            expr=_endpoints_differ(scope),
            wait="5m",
            severity="critical",
            summary="Envoy does not have the endpoints that Kubernetes has.",
            description="""{{ $value }} Envoys have other endpoints for {{ $labels.service }} than
                its EndpointSlices list as ready: calls go to pods that are gone, or pods that are
                ready get none.""",
            dashboard=DASHBOARD,
        ),
        Alert(
            name="GrpcFailureRateHigh",
            expr=f"""
                {STATUS}{{grpc_status=~"{"|".join(FAILURES)}"}}
                / on (service) group_left () sum by (service) ({STATUS}) > {limits.failed_share}
                and {STATUS} > {limits.failed_calls}""",
            wait="5m",
            severity="critical",
            summary="Calls to a service fail.",
            description="""{{ $value | humanizePercentage }} of the calls to {{ $labels.service }}
                end with {{ $labels.grpc_status }}.""",
            dashboard=DASHBOARD,
        ),
        Alert(
            name="GrpcLatencyHigh",
            # A service that was as slow at this time of the day before is slow by nature.
            expr=f"""
                {P99} > {limits.slow_call_ms}
                unless {P99} < 2 * {P99} offset {scope.time("1d")}""",
            wait="10m",
            severity="warning",
            summary="Calls to a service are slow, and were not a day ago.",
            description="""One of 100 calls to {{ $labels.service }} takes longer than
                {{ $value | humanize }} ms from Envoy to the server and back.""",
            dashboard=DASHBOARD,
        ),
    ]


def _members(scope: Scope) -> str:
    """Endpoints that each Envoy has, by service and pod."""
    members = f"envoy_cluster_membership_healthy{{{scope.services}}}"
    return f"max by (service, pod) ({by_service(members)})"


def _ready() -> str:
    """Ready endpoints that Kubernetes has, by service. The name of a Service's EndpointSlice is the
    Service's with a suffix."""
    slices = 'kube_endpointslice_endpoints{ready="true"}'
    named = f'label_replace({slices}, "name", "$1", "endpointslice", "(.+)-[a-z0-9]{{5}}")'
    joined = f'label_join({named}, "service", "/", "namespace", "name")'
    return f"count by (service) (count by (service, address) ({joined}))"


def _endpoints_differ(scope: Scope) -> str:
    members, ready = _members(scope), _ready()
    # The last condition: without metrics of EndpointSlices nothing can be said.
    return f"""
        count by (service) (
          {members} != on (service) group_left () {ready}
          or ({members} > 0 unless on (service) {ready}) and on () kube_endpointslice_info
        )"""


def _p99(scope: Scope) -> str:
    def rate(metric: str, *labels: str) -> str:
        kept = ", ".join(["envoy_cluster_name", *labels])
        selected = f"{metric}{{{scope.services}}}[{scope.time('5m')}]"
        return by_service(f"sum by ({kept}) (rate({selected}))")

    calls = f"sum by (service) ({rate('envoy_cluster_grpc_total')})"
    received = f"sum by (service) ({rate('envoy_cluster_grpc_request_message_count')})"
    sent = f"sum by (service) ({rate('envoy_cluster_grpc_response_message_count')})"
    buckets = rate("envoy_cluster_grpc_upstream_rq_time_bucket", "le")
    # A stream is as long as its client likes.
    return f"""
        histogram_quantile(0.99, sum by (service, le) ({buckets}))
        unless on (service) {received} > {_MESSAGES_OF_STREAMS} * {calls}
        unless on (service) {sent} > {_MESSAGES_OF_STREAMS} * {calls}"""
