"""Says in one sentence what is wrong before the call, and what to do about it. Pure."""

from collections.abc import Sequence

from grpc_platform_tools.call.steps import Diagnosis, Endpoint, Lookup, Target

_ENVOY_PODS = "`kubectl get pods -n projectcontour` shows them"


def of_lookup(host: str, lookup: Lookup) -> Diagnosis | None:
    """What is wrong with the name."""
    kept = lookup.cached_seconds
    remembered = f" Resolvers may remember this answer for {kept} s." if kept else ""
    match lookup.outcome:
        case "given" | "found":
            return None
        case "unknown":
            return Diagnosis(
                code="name-unknown",
                problem=f"There is no name {host}: {lookup.server} answered {lookup.code}.",
                remedy="Compare it with `host` in the stack's output `services`. A private zone "
                f"answers only in the VPCs that it is associated with.{remembered}",
            )
        case "empty":
            return Diagnosis(
                code="no-addresses",
                problem=f"The name {host} exists, but has no address (A record).",
                remedy="Call a service's host. If this is the cluster's own name, external-dns "
                f"publishes its ready Envoys there: {_ENVOY_PODS}.{remembered}",
            )
        case "dangling":
            return Diagnosis(
                code="alias-without-addresses",
                problem=f"{host} is an alias of {lookup.records[-1].value}, which has no address "
                f"({lookup.code}).",
                remedy=f"External-dns publishes the ready Envoys there: {_ENVOY_PODS}. If they are "
                f"ready, read external-dns's log.{remembered}",
            )
        case "failed":
            return Diagnosis(
                code="name-server-failed",
                problem=f"The name server {lookup.server} answered {lookup.code} for {host}.",
                remedy="REFUSED: it does not serve this zone. SERVFAIL: it could not ask the "
                "zone's own name servers. Ask another one with --resolver.",
            )
        case "silent":
            return Diagnosis(
                code="name-server-silent",
                problem=f"No name server answered: {lookup.server}.",
                remedy="Is port 53 (UDP and TCP) open from here? Ask another one with --resolver.",
            )


def of_endpoints(target: Target, endpoints: Sequence[Endpoint]) -> Diagnosis | None:
    """What is wrong with all addresses; None if a call can go through one of them."""
    if any(one.usable for one in endpoints):
        return None
    opened = [one for one in endpoints if one.reached == "open"]
    if opened:
        return _of_protocol(target, opened[0])
    return _of_unreached(target, endpoints)


def of_some(endpoints: Sequence[Endpoint]) -> Diagnosis | None:
    """What is wrong with some addresses, while a call can go through another."""
    bad = [one.address for one in endpoints if not one.usable]
    if not bad or len(bad) == len(endpoints):
        return None
    return Diagnosis(
        code="some-addresses-fail",
        problem=f"{len(bad)} of {len(endpoints)} addresses cannot serve: {', '.join(bad)}.",
        remedy="An Envoy that ended leaves DNS within the record's TTL. If the address stays, its "
        f"node is lost, or another fleet publishes it: {_ENVOY_PODS} (`-o wide`: with addresses).",
    )


def _of_unreached(target: Target, endpoints: Sequence[Endpoint]) -> Diagnosis:
    port, places = target.port, ", ".join(one.address for one in endpoints)
    for one in endpoints:
        opened = [other for other, reached in one.other_ports.items() if reached == "open"]
        answering = [o for o, reached in one.other_ports.items() if reached in ("open", "refused")]
        if one.reached == "refused" and opened:
            return Diagnosis(
                code="port-closed",
                problem=f"{one.address} does not listen on port {port}, but on "
                f"{' and '.join(map(str, opened))}.",
                remedy="Take the port from the stack's output `services`. Envoy opens a port once "
                "a service uses it: the TLS port needs a service with `tls_secret`.",
            )
        if one.reached == "silent" and answering:
            return Diagnosis(
                code="port-blocked",
                problem=f"Port {port} of {one.address} is silent, but the host is there: its port "
                f"{answering[0]} {'answers' if opened else 'refuses'}.",
                remedy="A NetworkPolicy or security group drops this machine's packets: add it to "
                "the stack's `callers`. An Envoy that is too busy to accept looks the same.",
            )
    reached = {one.reached for one in endpoints}
    if "silent" in reached and "refused" not in reached:
        return Diagnosis(
            code="silent",
            problem=f"Nothing at all comes back from {places}, on any port.",
            remedy="Either the way is closed (this machine is not in the stack's `callers`, or "
            "there is no route to the pods' subnets), or the nodes are gone. Try from a pod or "
            "host that is a caller to tell these apart.",
        )
    if reached == {"unreachable"}:
        return Diagnosis(
            code="no-route",
            problem=f"This machine has no route to {places}.",
            remedy="Pods' addresses are reachable only from the VPC and from networks that are "
            "routed to it (peering, transit gateway, VPN).",
        )
    return Diagnosis(
        code="no-ready-envoy",
        problem=f"No Envoy is ready: nothing listens on port {port} of {places}.",
        remedy=f"{_ENVOY_PODS}. Addresses of pods that ended leave DNS within the "
        "record's TTL; if they stay, read external-dns's log.",
    )


def _of_protocol(target: Target, endpoint: Endpoint) -> Diagnosis:
    where, speaks, handshake = (
        f"{endpoint.address}:{target.port}",
        endpoint.speaks,
        endpoint.handshake,
    )
    if handshake and handshake.outcome != "failed":
        return _of_certificate(target, where, endpoint)
    if target.tls and speaks in ("h2", "http/1.1"):
        return Diagnosis(
            code="tls-on-plain-port",
            problem=f"The call uses TLS, but {where} speaks plaintext.",
            remedy="Use --plaintext, or the TLS port if the service has a certificate (`tls` and "
            "`port` in the stack's output `services`).",
        )
    if target.tls:
        return Diagnosis(
            code="no-certificate",
            problem=f"{where} ends the TLS handshake for {target.server_name} without showing a "
            "certificate.",
            remedy="Envoy has no certificate for this name: does the service have a `tls_secret`, "
            "and does the Secret exist? If the certificate is for another name, give --authority.",
        )
    if speaks == "tls":
        return Diagnosis(
            code="plaintext-on-tls-port",
            problem=f"The call uses plaintext, but {where} speaks TLS.",
            remedy="Use --tls (with --ca for a private authority).",
        )
    if speaks == "http/1.1":
        return Diagnosis(
            code="http1-port",
            problem=f"{where} speaks HTTP/1.1 only, and gRPC needs HTTP/2.",
            remedy="This is no gRPC port. Take it from the stack's output `services`.",
        )
    what = {"closed": "closes the connection", "silent": "says nothing"}.get(
        speaks or "", "answers something else"
    )
    return Diagnosis(
        code="not-http2",
        problem=f"{where} accepts connections, but {what} when spoken to in HTTP/2.",
        remedy="This is no gRPC port, or it speaks TLS for other names only: try --tls. Take port "
        "and `tls` from the stack's output `services`.",
    )


def _of_certificate(target: Target, where: str, endpoint: Endpoint) -> Diagnosis:
    handshake, name = endpoint.handshake, target.server_name
    assert handshake
    shown = handshake.certificate
    match handshake.outcome:
        case "wrong name":
            names = ", ".join(shown.names) if shown else ""
            return Diagnosis(
                code="certificate-name",
                problem=f"The certificate of {where} is for {names or 'no name'}, not for {name}.",
                remedy="Name the host in the certificate's subject alternative names. If you "
                "dialled another name on purpose, give the certificate's with --authority.",
            )
        case "expired":
            when = f" on {shown.not_after:%Y-%m-%d %H:%M} UTC" if shown else ""
            return Diagnosis(
                code="certificate-expired",
                problem=f"The certificate of {where} expired{when}.",
                remedy="Renew it in the Secret that the service's `tls_secret` names; Envoy takes "
                "it over at once.",
            )
        case "not yet valid":
            when = f" before {shown.not_before:%Y-%m-%d %H:%M} UTC" if shown else ""
            return Diagnosis(
                code="certificate-not-yet-valid",
                problem=f"The certificate of {where} is not valid{when}.",
                remedy="Is this machine's clock right? Else issue the certificate anew.",
            )
        case "untrusted":
            issuer = shown.issuer if shown else "nobody known"
            return Diagnosis(
                code="certificate-untrusted",
                problem=f"Nobody here trusts who issued the certificate of {where}: {issuer} "
                f"({handshake.reason}).",
                remedy="Give the authority's certificate with --ca. If an intermediate one is "
                "missing, add it to `tls.crt` in the Secret.",
            )
        case _:
            return Diagnosis(
                code="tls-without-http2",
                problem=f"{where} does not offer HTTP/2 in its TLS handshake (ALPN h2), and gRPC "
                "needs it.",
                remedy="This is no gRPC port, or something between ends TLS and speaks HTTP/1.1.",
            )
