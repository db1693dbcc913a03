"""A unary gRPC service."""

import os
from typing import Any

import grpc
from serving import caller, serve

messages, services = grpc.protos_and_services("greeter.proto")


class Greeter(services.GreeterServicer):
    """Greets, and says which pod did."""

    def Greet(self, request: Any, context: grpc.ServicerContext) -> Any:
        return messages.GreetReply(
            greeting=f"Hello, {request.name}",
            pod=os.environ.get("HOSTNAME", ""),
            caller=caller(context),
        )


if __name__ == "__main__":
    serve("examples.greeter.v1.Greeter", services.add_GreeterServicer_to_server, Greeter())
