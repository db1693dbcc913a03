"""A streaming gRPC service."""

import itertools
import os
import threading
from collections.abc import Iterator
from typing import Any

import grpc
from serving import caller, serve

messages, services = grpc.protos_and_services("ticker.proto")


class Ticker(services.TickerServicer):
    """Ticks as long as it is asked to and the client listens."""

    def Tick(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        ended = threading.Event()
        context.add_callback(ended.set)
        for number in range(request.count) if request.count else itertools.count():
            yield messages.TickReply(
                number=number, pod=os.environ.get("HOSTNAME", ""), caller=caller(context)
            )
            if ended.wait(request.interval_seconds):
                return


if __name__ == "__main__":
    serve("examples.ticker.v1.Ticker", services.add_TickerServicer_to_server, Ticker())
