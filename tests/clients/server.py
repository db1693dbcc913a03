"""What the example clients call: the services of examples/apps, and a relay that falls silent."""

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from queue import Queue
from typing import Any

import grpc

greeter, greeter_services = grpc.protos_and_services("examples/apps/greeter.proto")
ticker, ticker_services = grpc.protos_and_services("examples/apps/ticker.proto")

POD, CALLER = "pod-1", "envoy-1"


class Server(greeter_services.GreeterServicer, ticker_services.TickerServicer):
    """Serves until `stop`; over TLS if it is given credentials. With ``max_age`` connections get a
    GOAWAY after so many seconds, and their calls go on."""

    def __init__(
        self, credentials: grpc.ServerCredentials | None = None, *, max_age: float | None = None
    ) -> None:
        self.entered: Queue[float | None] = Queue()
        """An entry for each call that has arrived: seconds until its deadline, None for never."""
        self.answer = threading.Event()
        """Greetings wait until it is set."""
        self.answer.set()
        self.ended = threading.Event()
        """Set when a stream has ended, by whomever."""
        options = [("grpc.max_receive_message_length", -1)]
        if max_age:
            options.append(("grpc.max_connection_age_ms", round(max_age * 1000)))
        self._server = grpc.server(ThreadPoolExecutor(64), options=options)
        greeter_services.add_GreeterServicer_to_server(self, self._server)
        ticker_services.add_TickerServicer_to_server(self, self._server)
        if credentials:
            self.port = self._server.add_secure_port("127.0.0.1:0", credentials)
        else:
            self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def stop(self) -> None:
        self.answer.set()
        self._server.stop(None).wait()

    def Greet(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.entered.put(_deadline(context))
        self.answer.wait()
        return greeter.GreetReply(greeting=request.name, pod=POD, caller=CALLER)

    def Tick(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        context.add_callback(self.ended.set)
        self.entered.put(_deadline(context))
        for number in range(request.count):
            yield ticker.TickReply(number=number, pod=POD, caller=CALLER)
            if self.ended.wait(request.interval_seconds):
                return


def _deadline(context: grpc.ServicerContext) -> float | None:
    """gRPC tells a call without a deadline by one that is centuries away."""
    remaining = context.time_remaining()
    return None if remaining > 1e8 else remaining


class Relay:
    """Relays connections to a port of this machine, until it falls silent and only takes bytes."""

    def __init__(self, port: int) -> None:
        self.silent = threading.Event()
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._to))
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(source, target), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with source:
            try:
                while received := source.recv(65536):
                    if not self.silent.is_set():
                        target.sendall(received)
            except OSError:
                return
