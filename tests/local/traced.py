"""Makes one health call with a trace and an id: `traced TARGET TRACEPARENT REQUEST_ID`. Runs in the
sandbox."""

import sys

import grpc

if __name__ == "__main__":
    target, trace, request_id = sys.argv[1:]
    with grpc.insecure_channel(target) as channel:
        method = "/grpc.health.v1.Health/Check"
        check = channel.unary_unary(method, request_serializer=bytes, response_deserializer=bytes)
        metadata = (("traceparent", trace), ("x-request-id", request_id))
        check(b"", metadata=metadata, timeout=10)  # an empty HealthCheckRequest
