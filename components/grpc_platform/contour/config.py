"""contour.yaml, from the values of a ContourSpec.

The keys are those of
https://github.com/projectcontour/contour/blob/v1.33.8/pkg/config/parameters.go (Contour refuses to
start with an unknown key).
"""

from typing import Any

import yaml

from ..specs import ContourSpec
from ..timing import format_duration
from .access_log import TEXT_FORMAT, json_fields


def contour_yaml(spec: ContourSpec) -> str:
    """The text of contour.yaml. Keys that the spec leaves unset keep Contour's own default."""
    timeouts, cluster, listener = spec.timeouts, spec.cluster, spec.listener
    as_json = spec.accesslog_format == "json"
    content: dict[str, Any] = {
        "disablePermitInsecure": spec.disable_permit_insecure,
        "accesslog-format": spec.accesslog_format,
        "accesslog-format-string": None if as_json else TEXT_FORMAT,
        "json-fields": json_fields() if as_json else None,
        "accesslog-level": spec.accesslog_level,
        # Envoy would run the filter for every call, and gRPC compresses its messages itself: the
        # filter's types have no application/grpc (`make experiments ONLY=floor`).
        "compression": {"algorithm": "disabled"},
        "timeouts": {
            key: format_duration(duration)
            for key, duration in {
                "max-connection-duration": timeouts.max_connection_duration,
                "connection-shutdown-grace-period": timeouts.connection_shutdown_grace_period,
                "connection-idle-timeout": timeouts.connection_idle_timeout,
                "stream-idle-timeout": timeouts.stream_idle_timeout,
                "delayed-close-timeout": timeouts.delayed_close_timeout,
                "connect-timeout": timeouts.connect_timeout,
            }.items()
            if duration is not None
        },
        "cluster": {
            "dns-lookup-family": cluster.dns_lookup_family,
            "max-requests-per-connection": cluster.max_requests_per_connection,
            "circuit-breakers": {
                "max-connections": cluster.max_connections,
                "max-pending-requests": cluster.max_pending_requests,
                "max-requests": cluster.max_requests,
                "max-retries": cluster.max_retries,
            },
        },
        "listener": {
            "connection-balancer": listener.connection_balancer,
            "max-requests-per-connection": listener.max_requests_per_connection,
            "http2-max-concurrent-streams": listener.http2_max_concurrent_streams,
        },
        "network": {
            "num-trusted-hops": spec.network.num_trusted_hops or None,
            "strip-trailing-host-dot": spec.network.strip_trailing_host_dot or None,
        },
    }
    return yaml.safe_dump(_without_unset(content), sort_keys=False)


def _without_unset(values: dict[str, Any]) -> dict[str, Any]:
    """`values` without None and without mappings that contain nothing else."""
    kept: dict[str, Any] = {}
    for key, value in values.items():
        inner: Any = _without_unset(value) if isinstance(value, dict) else value  # pyright: ignore[reportUnknownArgumentType]
        if inner is not None and inner != {}:
            kept[key] = inner
    return kept
