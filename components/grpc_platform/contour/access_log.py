"""The fields of Envoy's access log, one line for each call (docs/logs.md).

Contour knows the operators of
https://github.com/projectcontour/contour/blob/v1.33.8/apis/projectcontour/v1alpha1/accesslog.go and
refuses to start with another one.
"""

from typing import Final

JSON_FIELDS: Final = {
    "@timestamp": "%START_TIME%",
    "request_id": "%REQ(X-REQUEST-ID)%",
    "traceparent": "%REQ(TRACEPARENT)%",
    "authority": "%REQ(:AUTHORITY)%",
    "path": "%REQ(:PATH)%",
    "method": "%REQ(:METHOD)%",
    "protocol": "%PROTOCOL%",
    "grpc_status": "%GRPC_STATUS%",
    "grpc_status_number": "%GRPC_STATUS_NUMBER%",
    "response_code": "%RESPONSE_CODE%",
    "response_code_details": "%RESPONSE_CODE_DETAILS%",
    "response_flags": "%RESPONSE_FLAGS%",
    "duration": "%DURATION%",
    "request_duration": "%REQUEST_DURATION%",
    "response_duration": "%RESPONSE_DURATION%",
    "response_tx_duration": "%RESPONSE_TX_DURATION%",
    "bytes_received": "%BYTES_RECEIVED%",
    "bytes_sent": "%BYTES_SENT%",
    "upstream_host": "%UPSTREAM_HOST%",
    "upstream_cluster": "%UPSTREAM_CLUSTER%",
    "upstream_request_attempt_count": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
    "upstream_transport_failure_reason": "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
    "downstream_remote_address": "%DOWNSTREAM_REMOTE_ADDRESS%",
    "connection_id": "%CONNECTION_ID%",
    "requested_server_name": "%REQUESTED_SERVER_NAME%",
    "user_agent": "%REQ(USER-AGENT)%",
    "hostname": "%HOSTNAME%",
}
"""Envoy's operators by field, for the format `json`. A field without a value is null."""

# Envoy's own default format, so that whoever reads it today can go on.
# https://www.envoyproxy.io/docs/envoy/v1.38.3/configuration/observability/access_log/usage
_DEFAULT = (
    '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" '
    "%RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% "
    '%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" '
    '"%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"'
)
_ADDED = (
    "grpc_status_number",
    "traceparent",
    "request_duration",
    "response_duration",
    "response_tx_duration",
    "upstream_request_attempt_count",
    "response_code_details",
    "hostname",
)
TEXT_FORMAT: Final = (
    " ".join([_DEFAULT, *(f"{name}={JSON_FIELDS[name]}" for name in _ADDED)]) + "\n"
)
"""The line of the format `envoy`: Envoy's default, then more fields by name. `-`: no value."""


def json_fields() -> list[str]:
    """contour.yaml's `json-fields`."""
    return [f"{name}={operator}" for name, operator in JSON_FIELDS.items()]
