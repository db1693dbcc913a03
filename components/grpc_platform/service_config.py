"""gRPC's service config: what a channel does by itself, from what a service declares. Pure.

Fields: https://github.com/grpc/grpc-proto/blob/master/grpc/service_config/service_config.proto.
"""

from datetime import timedelta
from typing import Any

from .specs import ServiceSpec

ROUND_ROBIN_CLIENTS = 500
"""Up to so many client pods `round_robin` is right: see `balancing`."""

SUBSETTING_CLIENTS = 2_000
"""Up to so many client pods random subsetting is right, above it `pick_first`."""

SUBSET_SIZE = 3
"""Envoys that a client of a subset connects to: a lost one costs a third of its calls."""

_MAX_HEAD_START = timedelta(milliseconds=500)


def service_config(spec: ServiceSpec, deadline: timedelta | None) -> dict[str, Any]:
    """The service config for every method of a service; `deadline` is the route's, None for never.

    Two fields are left out on purpose. There is no `healthCheckConfig`: the client's Watch stream
    (gRFC A17) would ask one server behind Envoy, whichever Envoy picks, and tell nothing of Envoy.
    The route's deadline would cut it, and each time the client would take that Envoy for unhealthy.
    Envoy already sends calls to ready pods only.

    There is no `waitForReady`: a call would wait for its whole deadline where no Envoy can be
    reached or the name does not exist, and then report DEADLINE_EXCEEDED without the cause; without
    a deadline it would wait for ever. Without it a call still waits for the first connection, and
    fails at once only when all have failed. A client that starts before its service sets it per
    call.
    """
    config: dict[str, Any] = {"loadBalancingConfig": balancing(spec.clients)}
    method: dict[str, Any] = {}
    if deadline is not None:
        # Shorter than the route's timeout, so that a slow call ends with the client's own
        # DEADLINE_EXCEEDED and the server is told, instead of a race with Envoy's UNAVAILABLE.
        method["timeout"] = _duration(deadline - min(_MAX_HEAD_START, deadline / 10))
    if spec.idempotent:
        method["retryPolicy"] = _RETRIES
        config["retryThrottling"] = _THROTTLING
    if method:
        config["methodConfig"] = [{"name": [{}], **method}]
    return config


def balancing(clients: int | None) -> list[dict[str, Any]]:
    """The `loadBalancingConfig` for a service with so many client pods; None: not said, so few.

    What differs is the number of connections that each of n Envoys holds for the service:

    - `round_robin`: `clients`. It spreads even a single client's calls over all Envoys, and a lost
      Envoy costs one call in n.
    - random subsetting (gRFC A68): `clients` * 3 / n, and `clients` in a fleet of up to 3.
    - `pick_first` with a shuffled list (gRFC A62): `clients` / n. A lost Envoy costs its clients
      all of their calls until they leave it.

    A connection takes 35 KiB of Envoy (1.38.3, plaintext, after one call), and is made anew every
    5m15s. 500 clients with `round_robin` are 17 MiB of an Envoy's 1 GiB, 2 new connections a second
    and 1 % of `envoy.max_connections`. When they all start at once, it is a herd of 500 per Envoy
    (docs/experiments, The reconnect herd: 180 per Envoy in one second made calls 2 s late). 2,000
    clients on 3 Envoys are 70 MiB and 6 a second; above that one connection per client is enough to
    spread them: n Envoys hold equal numbers but for a deviation of sqrt(n / clients), 10 % for 20
    Envoys and 2,000 clients.

    gRPC takes the first policy of the list that it knows, and `round_robin` is there for those that
    do not know the first: https://github.com/grpc/proposal/blob/master/A24-lb-policy-config.md. All
    know it by its experimental name and none needs an environment variable. Java has it since 1.78
    wherever it has `round_robin` (https://github.com/grpc/grpc-java/pull/12377). Go has it since
    1.79 in programs that import `google.golang.org/grpc/balancer/randomsubsetting`
    (https://github.com/grpc/grpc-go/pull/8650). C-core, and so Python, has not
    (https://github.com/grpc/grpc/pull/40897), nor has grpc-js. Tried with Java 1.85.1, Go 1.85.0,
    C-core 1.85.1 and grpc-js 1.14.7.
    """
    if clients is None or clients <= ROUND_ROBIN_CLIENTS:
        return [_ROUND_ROBIN]
    if clients <= SUBSETTING_CLIENTS:
        subset = {"subsetSize": SUBSET_SIZE, "childPolicy": [_ROUND_ROBIN]}
        return [{"random_subsetting_experimental": subset}, _ROUND_ROBIN]
    return [{"pick_first": {"shuffleAddressList": True}}]


def _duration(time: timedelta) -> str:
    # All nine decimals: grpc-js takes the digits after the point for a number of nanoseconds.
    # https://github.com/grpc/grpc-node/blob/master/packages/grpc-js/src/service-config.ts
    return f"{time.total_seconds():.9f}s"


_ROUND_ROBIN: dict[str, Any] = {"round_robin": {}}

# UNAVAILABLE is the code of a lost connection, of a server or Envoy that died, and of a full
# circuit breaker. All attempts are within the call's deadline; gRPC varies the waits between them,
# and retries a stream only until its first answer (gRFC A6). By itself it already retries calls
# that no server has begun.
_RETRIES: dict[str, Any] = {
    "maxAttempts": 3,
    "initialBackoff": _duration(timedelta(milliseconds=100)),
    "maxBackoff": _duration(timedelta(seconds=1)),
    "backoffMultiplier": 3,
    "retryableStatusCodes": ["UNAVAILABLE"],
}

# A failed attempt takes a token, a call that succeeds gives a tenth of one, and nothing is retried
# while half of the tokens or less are left. So a client retries what it has in flight at an Envoy
# that dies (up to 50 calls). Where everything fails it soon retries nothing, and the service does
# not get a multiple of its load.
_THROTTLING: dict[str, Any] = {"maxTokens": 100, "tokenRatio": 0.1}
