"""Hops between client and servers other than the platform's own: programs in pods, each under a
name of its own that leads to its pods."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from experiments.lab import Lab
from testbed.cluster import deploy, readiness
from testbed.cluster.readiness import Object
from testbed.load.clients import DIRECT, PORT

Config = dict[str, Any]
"""An Envoy's bootstrap."""
_SERVERS, _ = DIRECT.split(":")
_TYPE = "type.googleapis.com/envoy.extensions"
PRE_STOP, _GRACE = 10, 30  # seconds
_LABEL = "app.kubernetes.io/name"


@dataclass(frozen=True, kw_only=True)
class Hop:
    """A program between client and servers, listening on `PORT`."""

    name: str
    """Its pods' names begin with it."""
    command: tuple[str, ...]
    files: Mapping[str, str] = field(default_factory=dict[str, str])
    """By name: what it finds in /config."""
    stop: str | None = None
    """The shell command that lets it finish what it has begun; it ends then."""
    reload: str | None = None
    """The shell command that makes it read its configuration again, changed."""
    routes_all: bool = True
    """Whether it takes calls to any host, so that its probe can call the servers' health."""

    @property
    def target(self) -> str:
        """What clients dial."""
        return f"{self.name}.default.svc.cluster.local:{PORT}"


def start(lab: Lab, *hops: Hop, replicas: int = 1) -> None:
    """Start hops, and wait until calls go through them."""
    wanted = [manifest for hop in hops for manifest in manifests(hop, replicas)]
    deploy.apply(lab.cluster, wanted)
    for manifest in wanted:
        if manifest["kind"] == "Deployment":
            readiness.wait_until_ready(lab.cluster, manifest)
    for hop in hops:
        host = hop.target.partition(":")[0]
        lab.cluster.wait(
            f"{host} to lead to {replicas} pods",
            lambda host=host: len(lab.cluster.addresses(host)) == replicas,
            blame="coredns",
        )


def stop(lab: Lab, *hops: Hop) -> None:
    """Remove hops."""
    for hop in hops:
        names = [f"deployment/{hop.name}", f"service/{hop.name}", f"configmap/{hop.name}"]
        lab.cluster.kubectl("delete", "--ignore-not-found", "--wait=false", *names)


def manifests(hop: Hop, replicas: int) -> list[Object]:
    """The ConfigMap, the headless Service and the Deployment of a hop."""
    labels = {_LABEL: hop.name}
    metadata = {"name": hop.name, "namespace": "default"}
    probe = {"grpc" if hop.routes_all else "tcpSocket": {"port": PORT}}
    container: Object = {
        "name": hop.name,
        "image": f"localhost/{hop.command[0]}:dev",
        "command": [*hop.command],
        "ports": [{"name": "grpc", "containerPort": PORT}],
        # Often until it is up, and then so rarely that it does not count.
        "startupProbe": {**probe, "periodSeconds": 1, "failureThreshold": 60},
        "readinessProbe": {**probe, "periodSeconds": 30},
        "volumeMounts": [{"name": "config", "mountPath": "/config"}],
    }
    if hop.stop:
        # As for a server (docs/services.md): first the clients' names must change.
        stop = f"sleep {PRE_STOP}; {hop.stop}; sleep {_GRACE}"
        container["lifecycle"] = {"preStop": {"exec": {"command": ["sh", "-c", stop]}}}
    pod = {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": PRE_STOP + _GRACE,
        "containers": [container],
        "volumes": [{"name": "config", "configMap": {"name": hop.name}}],
    }
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {**hop.files}},
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {
                "clusterIP": "None",
                "selector": labels,
                "ports": [{"name": "grpc", "port": PORT}],
            },
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata,
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pod},
            },
        },
    ]


def relay(name: str, protocol: str) -> Hop:
    """The relay of our own (testbed/load/relay.go), for `tcp` or `http2`."""
    return Hop(name=name, command=("load", "relay", f"-as={protocol}", f"-to={DIRECT}"))


def envoy(name: str, config: Config, *arguments: str, routes_all: bool = True) -> Hop:
    """An Envoy without Contour, with one worker, as the platform's."""
    command = ("envoy", "--config-path", "/config/envoy.json", "--disable-hot-restart")
    workers = () if "--concurrency" in arguments else ("--concurrency", "1")
    return Hop(
        name=name,
        command=(*command, *workers, *arguments),
        files={"envoy.json": json.dumps(config)},
        routes_all=routes_all,
    )


def servers(name: str) -> dict[str, Any]:
    """Where a cluster of Envoy finds the servers."""
    endpoint = {"address": {"socket_address": {"address": _SERVERS, "port_value": PORT}}}
    return {
        "type": "STRICT_DNS",
        "dns_lookup_family": "V4_ONLY",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": endpoint}]}],
        },
    }


def listening() -> dict[str, Any]:
    """The address of a listener of Envoy."""
    return {"socket_address": {"address": "0.0.0.0", "port_value": PORT}}


def bare() -> Config:
    """The least configuration that takes gRPC through Envoy: one static route, no access log, no
    filter but the router, Envoy's own value for everything else."""
    http2: Config = {
        "@type": f"{_TYPE}.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
    options: Config = {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http2}
    route = {"match": {"prefix": "/"}, "route": {"cluster": "load"}}
    return _static(
        {
            "@type": f"{_TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "http",
            "route_config": {
                "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]
            },
            "http_filters": [
                {
                    "name": "router",
                    "typed_config": {"@type": f"{_TYPE}.filters.http.router.v3.Router"},
                }
            ],
        },
        typed_extension_protocol_options=options,
    )


def copying() -> Config:
    """An Envoy that copies bytes and knows nothing of HTTP."""
    proxy = f"{_TYPE}.filters.network.tcp_proxy.v3.TcpProxy"
    return _static({"@type": proxy, "stat_prefix": "tcp", "cluster": "load"})


def _static(last: Config, **of_cluster: Any) -> Config:
    chain = {"filters": [{"name": "last", "typed_config": last}]}
    listener = {"name": "all", "address": listening(), "filter_chains": [chain]}
    cluster = {"name": "load", **servers("load"), **of_cluster}
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}
