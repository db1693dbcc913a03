"""A gRPC server with the standard health service; the file named in argv decides its answer."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2
from grpc_health.v1 import health_pb2_grpc as _untyped

services: Any = _untyped


class Health(services.HealthServicer):
    def Check(self, request: Any, _: grpc.ServicerContext) -> Any:
        serving = request.service == "app" and Path(sys.argv[1]).exists()
        return health_pb2.HealthCheckResponse(status=1 if serving else 2)


server = grpc.server(ThreadPoolExecutor(2))
services.add_HealthServicer_to_server(Health(), server)
server.add_insecure_port("0.0.0.0:50051")
server.start()
server.wait_for_termination()
