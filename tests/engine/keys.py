"""Every key of a stack file, and a change of each that the local stack can have."""

import typing
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from config.settings import Settings

Sections = Mapping[str, Any]
OTHER_PORT = 50_052
"""Where the matrix's servers listen too."""


def leaves(model: type[BaseModel] = Settings, path: str = "") -> Iterator[str]:
    """The keys that hold a value: `contour.timeouts.connect_timeout`, `services.*.port`."""
    for name, described in model.model_fields.items():
        here = f"{path}{name}"
        within = next(_models(described.annotation), None)
        if within is None:
            yield here
            continue
        kinds = {typing.get_origin(t) for t in _within(described.annotation)}
        yield from leaves(within, here + (".*." if dict in kinds else "."))


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    for t in _within(annotation):
        if isinstance(t, type) and issubclass(t, BaseModel):
            yield t


def _within(annotation: Any) -> Iterator[Any]:
    """A type and all that it is made of."""
    yield annotation
    for part in typing.get_args(annotation):
        yield from _within(part)


def _contour(**keys: Any) -> Sections:
    return {"contour": keys}


def _envoy(**keys: Any) -> Sections:
    return {"envoy": keys}


def _load(**keys: Any) -> Sections:
    """Of the service that is called."""
    return {"services": {"load": keys}}


CHANGES: dict[str, Sections] = {
    "environment": {"environment": "production"},
    "zone.record_ttl": {"zone": {"record_ttl": "5s"}},
    "zone.propagation_delay": {"zone": {"propagation_delay": "8s"}},
    "zone.min_resolution_interval": {"zone": {"min_resolution_interval": "4s"}},
    "contour.version": {"contour": {"version": "1.33.6"}, "envoy": {"version": "1.38.3"}},
    "contour.image": _contour(image="localhost/contour:v1.33.8"),
    "contour.replicas": _contour(replicas=3),
    "contour.cpu": _contour(cpu="300m"),
    "contour.memory": _contour(memory="600Mi"),
    "contour.crds": _contour(crds="none"),
    "contour.disable_permit_insecure": _contour(disable_permit_insecure=True),
    "contour.accesslog_format": _contour(accesslog_format="json"),
    "contour.accesslog_level": _contour(accesslog_level="error"),
    "contour.timeouts.max_connection_duration": _contour(
        timeouts={"max_connection_duration": "40s"}
    ),
    "contour.timeouts.connection_shutdown_grace_period": _contour(
        timeouts={"connection_shutdown_grace_period": "3s"}
    ),
    "contour.timeouts.connection_idle_timeout": _contour(
        timeouts={"connection_idle_timeout": "90s"}
    ),
    "contour.timeouts.stream_idle_timeout": _contour(timeouts={"stream_idle_timeout": "6m"}),
    "contour.timeouts.delayed_close_timeout": _contour(timeouts={"delayed_close_timeout": "2s"}),
    "contour.timeouts.connect_timeout": _contour(timeouts={"connect_timeout": "3s"}),
    "contour.cluster.dns_lookup_family": _contour(cluster={"dns_lookup_family": "auto"}),
    "contour.cluster.max_requests_per_connection": _contour(
        cluster={"max_requests_per_connection": 5_000}
    ),
    "contour.cluster.max_connections": _contour(cluster={"max_connections": 2_000}),
    "contour.cluster.max_pending_requests": _contour(cluster={"max_pending_requests": 9_000}),
    "contour.cluster.max_requests": _contour(cluster={"max_requests": 9_000}),
    "contour.cluster.max_retries": _contour(cluster={"max_retries": 10}),
    "contour.listener.connection_balancer": _contour(listener={"connection_balancer": "exact"}),
    "contour.listener.max_requests_per_connection": _contour(
        listener={"max_requests_per_connection": 5_000}
    ),
    "contour.listener.http2_max_concurrent_streams": _contour(
        listener={"http2_max_concurrent_streams": 200}
    ),
    "contour.network.num_trusted_hops": _contour(network={"num_trusted_hops": 1}),
    "contour.network.strip_trailing_host_dot": _contour(network={"strip_trailing_host_dot": True}),
    "envoy.version": {"contour": {"version": "1.33.6"}, "envoy": {"version": "1.38.3"}},
    "envoy.image": _envoy(image="localhost/envoy:v1.38.9"),
    "envoy.min_replicas": _envoy(min_replicas=3),
    "envoy.max_replicas": _envoy(max_replicas=4),
    "envoy.target_cpu_utilization": _envoy(target_cpu_utilization=70),
    "envoy.cpu": _envoy(cpu=2),
    "envoy.memory": _envoy(memory="1200Mi"),
    "envoy.concurrency": _envoy(concurrency=2),
    "envoy.http_port": _envoy(http_port=8081),
    "envoy.https_port": _envoy(https_port=8444),
    "envoy.pod_startup_time": _envoy(pod_startup_time="5s"),
    "envoy.max_deadline": _envoy(max_deadline="50s"),
    "envoy.max_connections": _envoy(max_connections=40_000),
    "external_dns.image": {"external_dns": {"image": "localhost/external-dns:v0.21.0"}},
    "namespaces.*.clusters": {"namespaces": {"more": {"clusters": ["local"]}}},
    "services.*.host": _load(host="other.grpc.test"),
    "services.*.streaming": _load(streaming=True),
    "services.*.deadline": _load(deadline="20s"),
    "services.*.port": _load(port=OTHER_PORT),
    "services.*.selector": _load(selector={"app.kubernetes.io/name": "other"}),
    "services.*.namespace": _load(namespace="elsewhere"),
    "services.*.tls_secret": _load(tls_secret="load-tls"),
    "services.*.circuit_breakers.max_connections": _load(
        circuit_breakers={"max_connections": 2_000}
    ),
    "services.*.circuit_breakers.max_pending_requests": _load(
        circuit_breakers={"max_pending_requests": 9_000}
    ),
    "services.*.circuit_breakers.max_requests": _load(circuit_breakers={"max_requests": 9_000}),
    "services.*.circuit_breakers.max_retries": _load(circuit_breakers={"max_retries": 10}),
    "services.*.idempotent": _load(idempotent=True),
    "services.*.try_timeout": _load(idempotent=True, try_timeout="5s"),
    "services.*.clients": _load(clients=1_000),
    "services.*.cluster": _load(cluster="local"),
    "services.*.weights": _load(weights={"local": 100}),
    "callers.*.cluster": {"callers": {"neighbours": None, "again": {"cluster": "local"}}},
    "callers.*.namespaces": {
        "callers": {"neighbours": {"cluster": "local", "namespaces": ["default"]}}
    },
    "callers.*.cidr": {"callers": {"office": {"cidr": "10.244.0.0/16"}}},
    "monitoring.dashboards": {"monitoring": {"dashboards": True}},
    "tags": {"tags": {"team": "platform"}},
}

_NOTHING: Sections = {}
_SELECTOR = {"selector": {"app.kubernetes.io/name": "load"}}
REORDERED = "the order of the keys"
STRUCTURE: dict[str, tuple[Sections, Sections]] = {
    "a service added": (_NOTHING, {"services": {"more": _SELECTOR}}),
    "a service renamed": ({"services": {"more": _SELECTOR}}, {"services": {"extra": _SELECTOR}}),
    "a service renamed that keeps its `host`": (
        _NOTHING,
        {"services": {"load": None, "calls": {**_SELECTOR, "host": "load.grpc.test"}}},
    ),
    REORDERED: (_NOTHING, _NOTHING),
    # The last one: it leaves objects behind that two URNs name.
    "a cluster renamed": (
        _NOTHING,
        {
            "clusters": {
                "local": None,
                "main": {"existing": {"context": "local", "kubeconfig": "build/local/kubeconfig"}},
            },
            "callers": {"neighbours": {"cluster": "main"}},
        },
    ),
}
"""Changes beyond single keys: what the stack file says before, and after."""

_NETWORK = "the local stack has no VPC"
_EKS = "the local stack's cluster exists"
_FIXED = "what the testbed is made of"
_POLICY = "a NetworkPolicy that changes as that of callers, and the testbed enforces none"
_OPERATOR = "the Prometheus operator's kinds"
NOT_LOCAL: dict[str, str] = {
    "network.": _NETWORK,
    "zone.name": "another zone, whose names no client dials",
    "zone.zone_id": _FIXED,
    "zone.public": _NETWORK,
    "zone.acknowledge_public_addresses": _NETWORK,
    "zone.teams.": "a role of AWS",
    "clusters.": _EKS,
    "external_dns.credentials_secret": _FIXED,
    "external_dns.route53_endpoint": _FIXED,
    "image_pull_secrets": "its Secrets have to be there before",
    "monitoring.pod_monitors": _OPERATOR,
    "monitoring.rules.": _OPERATOR,
    "monitoring.labels": _OPERATOR,
    "monitoring.scrapers.": _POLICY,
    "callers.*.security_group_id": _NETWORK,
    "callers.*.vpc_id": _NETWORK,
    "callers.*.account_id": _NETWORK,
}
"""Keys, or what they begin with, that the local stack does not change, and why."""
