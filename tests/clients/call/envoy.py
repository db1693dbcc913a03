"""A real Envoy on 127.0.0.1 with a route for each thing that can be wrong behind it."""

import json
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed.cluster.parts import wheel_program
from tests.tools.call.certificates import Pair
from tests.tools.call.servers import free_port, is_open

_TYPE = "type.googleapis.com/envoy.extensions"
_H2 = f"{_TYPE}.upstreams.http.v3.HttpProtocolOptions"


@dataclass(frozen=True, kw_only=True)
class Envoy:
    """Its ports on 127.0.0.1."""

    plain: int
    tls: int


@dataclass(frozen=True, kw_only=True)
class Upstreams:
    """The ports of what is behind it, on 127.0.0.1."""

    good: int
    mute: int
    """Accepts connections, and answers nothing."""
    silent: int
    """Accepts no connection either."""
    closed: int


@contextmanager
def envoy(folder: Path, upstreams: Upstreams, pair: Pair) -> Generator[Envoy]:
    """Run it until the end of the block. It serves `pair` over TLS for the name good.test alone, as
    Contour's Envoys do for a host with a certificate."""
    ports = Envoy(plain=free_port(), tls=free_port())
    file = folder / "envoy.json"
    file.write_text(json.dumps(_config(ports, upstreams, pair)))
    command = [wheel_program("envoy"), "--config-path", file, "--disable-hot-restart"]
    with (folder / "envoy.log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--concurrency", "1"], stdout=log, stderr=log, cwd=folder
        )
    try:
        until = time.monotonic() + 60
        while not (is_open(ports.plain) and is_open(ports.tls)):
            assert process.poll() is None, (folder / "envoy.log").read_text()
            assert time.monotonic() < until, (folder / "envoy.log").read_text()
            time.sleep(0.05)
        yield ports
    finally:
        process.kill()
        process.wait()


def _config(ports: Envoy, upstreams: Upstreams, pair: Pair) -> dict[str, Any]:
    file = {"certificate_chain": pair.certificate, "private_key": pair.key}
    tls = {
        "@type": f"{_TYPE}.transport_sockets.tls.v3.DownstreamTlsContext",
        "common_tls_context": {
            "alpn_protocols": ["h2", "http/1.1"],
            "tls_certificates": [{key: {"filename": str(at)} for key, at in file.items()}],
        },
    }
    inspector = {"@type": f"{_TYPE}.filters.listener.tls_inspector.v3.TlsInspector"}
    return {
        "static_resources": {
            "listeners": [
                {"address": _address(ports.plain), "filter_chains": [{"filters": [_manager()]}]},
                {
                    "address": _address(ports.tls),
                    "listener_filters": [{"name": "inspector", "typed_config": inspector}],
                    "filter_chains": [
                        {
                            "filter_chain_match": {"server_names": ["good.test"]},
                            "transport_socket": {"name": "tls", "typed_config": tls},
                            "filters": [_manager()],
                        }
                    ],
                },
            ],
            "clusters": [
                _cluster("good", upstreams.good),
                _cluster("empty", None),
                _cluster("http1", upstreams.good, http2=False),
                _cluster("full", upstreams.good, circuit_breakers=_breakers(0)),
                _cluster("slow", upstreams.mute),
                _cluster("lost", upstreams.silent, connect_timeout="0.2s"),
                _cluster("gone", upstreams.closed),
            ],
        }
    }


def _manager() -> dict[str, Any]:
    clusters = ("good", "empty", "http1", "full", "lost", "gone")
    routes: dict[str, Any] = {name: {"route": {"cluster": name}} for name in clusters}
    routes["slow"] = {"route": {"cluster": "slow", "timeout": "0.2s"}}
    routes["forbidden"] = {"direct_response": {"status": 403}}
    return {
        "name": "http",
        "typed_config": {
            "@type": f"{_TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "http",
            "strip_any_host_port": True,
            "route_config": {
                "virtual_hosts": [
                    {
                        "name": name,
                        "domains": [f"{name}.test"],
                        "routes": [{"match": {"prefix": "/"}, **route}],
                    }
                    for name, route in routes.items()
                ]
            },
            "http_filters": [
                {
                    "name": "router",
                    "typed_config": {"@type": f"{_TYPE}.filters.http.router.v3.Router"},
                }
            ],
        },
    }


def _cluster(name: str, port: int | None, *, http2: bool = True, **options: Any) -> dict[str, Any]:
    endpoints = [] if port is None else [{"endpoint": {"address": _address(port)}}]
    protocol: Any = {"@type": _H2, "explicit_http_config": {"http2_protocol_options": {}}}
    return {
        "name": name,
        "type": "STATIC",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]},
        **({"typed_extension_protocol_options": {_H2.split("/")[1]: protocol}} if http2 else {}),
        **options,
    }


def _breakers(most: int) -> dict[str, Any]:
    return {"thresholds": [{"max_requests": most}]}


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
