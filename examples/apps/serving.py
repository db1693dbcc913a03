"""The server's side of the contract: health, reflection, and an end that loses no call.

The kubelet sends SIGTERM after the preStop sleep, in which Envoy stopped sending new calls here.
What is still in flight then gets `GRACE` seconds to finish.
"""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2
from grpc_health.v1 import health_pb2_grpc as _untyped
from grpc_reflection.v1alpha import reflection

health_services: Any = _untyped
PORT = int(os.environ.get("PORT", "50051"))
GRACE = 20.0
OPTIONS = (
    # Envoy pings idle connections no more often than this if told to; do not take offence.
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    # Two servers on one port would share its calls unnoticed.
    ("grpc.so_reuseport", 0),
)


def caller(context: grpc.ServicerContext) -> str:
    """The address of whoever opened the connection, without its port."""
    return context.peer().removeprefix("ipv4:").rpartition(":")[0]


def serve(service: str, add: Any, servicer: object) -> None:
    """Serve until SIGTERM, then let the calls in flight finish."""
    server = grpc.server(ThreadPoolExecutor(64), options=OPTIONS)
    add(servicer, server)
    status = health.HealthServicer()
    health_services.add_HealthServicer_to_server(status, server)
    names = (service, health.SERVICE_NAME, reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, server)
    for name in ("", service):
        status.set(name, health_pb2.HealthCheckResponse.SERVING)
    server.add_insecure_port(f"0.0.0.0:{PORT}")

    def end(*_: object) -> None:
        status.enter_graceful_shutdown()
        server.stop(GRACE)

    signal.signal(signal.SIGTERM, end)
    server.start()
    server.wait_for_termination()
