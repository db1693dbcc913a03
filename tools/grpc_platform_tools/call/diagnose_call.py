"""Says in one sentence what is wrong with the answer to a call, and what to do about it. Pure.

Envoy's own answers are told from the server's by the header x-envoy-upstream-service-time, which it
adds to the server's only. Which of its own it is, only their text says:
https://github.com/envoyproxy/envoy/blob/v1.38.3/source/common/router/router.cc
"""

from grpc_platform_tools.call.methods import HEALTH, REFLECTION
from grpc_platform_tools.call.steps import Call, Diagnosis, Target

_ENDPOINTS = "`kubectl get endpointslices` in the service's namespace shows them"


def of_call(target: Target, call: Call, timeout: float) -> Diagnosis | None:
    """What is wrong with the answer."""
    if call.status == "OK":
        return _of_health(call)
    if call.connected_ms is None:
        return Diagnosis(
            code="no-connection",
            problem=f"{call.address} accepted a connection before, but none for the call within "
            f"{timeout:g} s.",
            remedy="Repeat it. If it stays so, Envoy may be at its limit of connections, or about "
            "to end.",
        )
    if call.status == "DEADLINE_EXCEEDED" and not call.metadata:
        return Diagnosis(
            code="client-deadline",
            problem=f"No answer within {timeout:g} s, this client's own deadline (--timeout).",
            remedy="Envoy waits for the server for the service's `deadline` (15 s by default), so "
            "the server, or what it waits for, is slow. Give more with --timeout.",
        )
    if call.by_envoy and not call.by_upstream:
        return _of_envoy(target, call)
    if call.status == "UNIMPLEMENTED":
        return _unknown_method(call)
    if call.status == "UNAVAILABLE" and not call.metadata:
        return Diagnosis(
            code="connection-lost",
            problem=f"The connection to {call.address} broke during the call: {call.message}.",
            remedy="Repeat it. If it stays so, look for restarts of what listens there.",
        )
    return Diagnosis(
        code="server-error",
        problem=f"The way is fine, and the server itself answered {_answer(call)}.",
        remedy="Look for the reason in the server's log.",
    )


def _of_health(call: Call) -> Diagnosis | None:
    status = (call.reply or {}).get("status", "UNKNOWN")
    if call.method != HEALTH.name or status == "SERVING":
        return None
    return Diagnosis(
        code="not-serving",
        problem=f"The call arrives, but the server says {status} of its health.",
        remedy="It is starting or ending, or misses something that it needs: read its log. A "
        "readiness probe by gRPC would keep such a pod from getting calls.",
    )


def _unknown_method(call: Call) -> Diagnosis:
    if call.method == REFLECTION:
        return Diagnosis(
            code="no-reflection",
            problem="The call arrives, but the server has no reflection (v1alpha), so its methods "
            "are not known here.",
            remedy="Turn reflection on in the server, or call without METHOD: health needs none.",
        )
    if call.method == HEALTH.name:
        return Diagnosis(
            code="no-health",
            problem="The call arrives, but the server does not have the health service "
            "(grpc.health.v1.Health).",
            remedy="Add it to the server, or call a METHOD.",
        )
    known = f" {call.message[:1].upper()}{call.message[1:]}." if call.message else ""
    return Diagnosis(
        code="method-unknown",
        problem=f"The call arrives, but the server does not know {call.method}.{known}",
        remedy="Compare package, service and method with its .proto; --list names its services.",
    )


def _of_envoy(target: Target, call: Call) -> Diagnosis:
    said, envoy = call.message, f"Envoy {call.address}"
    if call.status == "UNIMPLEMENTED" and not said:  # HTTP 404
        return Diagnosis(
            code="wrong-authority",
            problem=f"{envoy} has no route for the authority {target.authority} (404).",
            remedy="No Ingress has this host: compare it with `host` in the stack's output "
            "`services`. If you dial an address or another name, give the service's host with "
            "--authority. A service with a certificate is served on the TLS port only.",
        )
    if "reset reason: overflow" in said:
        return Diagnosis(
            code="circuit-breaker",
            problem=f"The circuit breaker of {envoy} for this service is open: too many calls "
            "are in flight or wait.",
            remedy="The server is too slow or has too few pods for its calls. If the load is "
            "right, raise the service's `circuit_breakers`.",
        )
    if "no healthy upstream" in said:
        return Diagnosis(
            code="no-endpoints",
            problem=f"{envoy} has a route for {target.authority}, but no server behind it "
            "(no healthy upstream).",
            remedy=f"No pod of the service is ready, or its selector matches none: {_ENDPOINTS}.",
        )
    if "reset reason: protocol error" in said:
        return Diagnosis(
            code="http1-upstream",
            problem=f"{envoy} and the server do not speak the same protocol (protocol error).",
            remedy="Envoy speaks HTTP/1.1 to a Service without the annotation "
            "`projectcontour.io/upstream-protocol.h2c: <port>`, or whose port has `appProtocol: "
            "grpc`. If the annotation is there, the port is not the server's gRPC port.",
        )
    if "upstream request timeout" in said:  # HTTP 504
        return Diagnosis(
            code="envoy-deadline",
            problem=f"{envoy} ended the call: the server did not answer within the route's "
            "timeout (504).",
            remedy="The server is slow. If it may be, raise the service's `deadline`; for streams "
            "set `streaming: true`.",
        )
    if "reset reason: connection timeout" in said:
        return Diagnosis(
            code="server-silent",
            problem=f"{envoy} cannot connect to the server's pod: it is silent.",
            remedy="Its node is lost, or a NetworkPolicy of the service's namespace does not admit "
            f"Envoy. The pods' addresses: {_ENDPOINTS}.",
        )
    if "connection failure" in said or "delayed connect error" in said:
        return Diagnosis(
            code="server-refused",
            problem=f"{envoy} cannot connect to the server's pod: it refuses.",
            remedy="Does the server listen on the service's port, and not on 127.0.0.1 only? Or "
            f"it just ended. The ports: {_ENDPOINTS}.",
        )
    return Diagnosis(
        code="envoy-error",
        problem=f"{envoy} answered {_answer(call)} in the server's place.",
        remedy="Envoy's access log says why (`kubectl logs -n projectcontour`, the field "
        "RESPONSE_FLAGS).",
    )


def _answer(call: Call) -> str:
    return f"{call.status} ({call.message})" if call.message else call.status
