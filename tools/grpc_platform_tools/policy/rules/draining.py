"""A draining Envoy serves until nobody is sent to it any more, and nothing ends it before."""

from collections.abc import Iterator

from grpc_platform_tools.graph import Graph, Resource
from grpc_platform_tools.plain import is_mapping
from grpc_platform_tools.policy.kubernetes import (
    admits,
    arguments,
    autoscaler,
    beside,
    containers,
    flag,
    hostnames,
    of_cluster,
    pod_spec,
    record_ttl,
    services_of,
)
from grpc_platform_tools.policy.rule import Finding, rule
from grpc_platform_tools.policy.values import at, each, mapping, number, seconds
from grpc_platform_tools.preview.stack_file import parse_yaml

_PROPAGATION = 60
"""Seconds until every name server of Route53 answers with a change:
https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/Welcome.html"""
_RESOLUTION = 30
"""Seconds between two look-ups of a gRPC client: MinResolutionInterval of
https://pkg.go.dev/google.golang.org/grpc/internal/resolver/dns"""
_DEFAULT_TTL = 300
"""Seconds, when a Service asks for no TTL."""
_KUBERNETES_GRACE = 30
"""Seconds, when a pod has no terminationGracePeriodSeconds."""


@rule(
    "Deployment",
    "DaemonSet",
    reason="Kubernetes kills a pod at the end of its grace period. If that is before the drain "
    "delay, the longest connection and the longest call are over, calls are lost.",
    remedy="Raise terminationGracePeriodSeconds to at least the drain delay, plus "
    "max-connection-duration, its shutdown grace and the longest response timeout.",
)
def grace_covers_drain(workload: Resource, graph: Graph) -> Iterator[Finding]:
    """The grace period is long enough for the drain."""
    delay = _drain_delay(workload)
    if delay is None:
        return
    grace = number(at(pod_spec(workload), "terminationGracePeriodSeconds"))
    grace = _KUBERNETES_GRACE if grace is None else grace
    connection, config = _longest_connection(workload, graph)
    call, ingress = _longest_call(workload, graph)
    if grace < (needed := delay + connection + call):
        others = tuple(r for r in (config, ingress) if r)
        yield Finding(
            f"grace period of {grace:g} s, but the drain takes {needed:g} s: {delay:g} s of delay, "
            f"{connection:g} s for connections, {call:g} s for calls",
            others,
        )


@rule(
    "Deployment",
    "DaemonSet",
    reason="Clients dial the addresses in DNS. An Envoy that stops serving while a resolver or a "
    "client still has its address fails their calls.",
    remedy="Raise --drain-delay to at least external-dns's reaction, 60 s of propagation in "
    "Route53, the record's TTL and 30 s between a client's look-ups; let external-dns run with "
    "--events and --listen-endpoint-events.",
)
def drain_covers_dns(workload: Resource, graph: Graph) -> Iterator[Finding]:
    """The drain delay is as long as DNS may still answer with the pod."""
    delay = _drain_delay(workload)
    if delay is None:
        return
    for service in services_of(workload, graph):
        if not hostnames(service):
            continue
        ttl = seconds(record_ttl(service))
        ttl = _DEFAULT_TTL if ttl is None else ttl
        reaction, publisher = _reaction(workload, graph)
        if delay < (needed := reaction + _PROPAGATION + ttl + _RESOLUTION):
            yield Finding(
                f"drain delay of {delay:g} s, but DNS converges in {needed:g} s: {reaction:g} s "
                f"for external-dns, {_PROPAGATION} s to propagate, {ttl:g} s of TTL, "
                f"{_RESOLUTION} s between look-ups",
                (service, *publisher),
            )


@rule(
    "Deployment",
    "DaemonSet",
    reason="AWS takes a spot node back after two minutes, which is less than a drain takes.",
    remedy="Require nodes that are not spot: a node affinity with karpenter.sh/capacity-type NotIn "
    "spot, and that label on spot node groups.",
    development="warning",
)
def envoy_off_spot(workload: Resource, graph: Graph) -> Iterator[Finding]:
    """No pod that drains is scheduled on a spot node."""
    if _drain_delay(workload) is None:
        return
    spec = pod_spec(workload)
    of_aws = {"eks.amazonaws.com/capacityType": "SPOT"}
    if admits(spec, {"karpenter.sh/capacity-type": "spot", **of_aws}):
        yield Finding("may be scheduled on spot nodes")
        return
    for group in graph.of_type("aws:eks/nodeGroup:NodeGroup"):
        labels = {**mapping(group.inputs, "labels"), **of_aws}
        if at(group.inputs, "capacityType") == "SPOT" and admits(spec, labels):
            yield Finding(f"may be scheduled on the spot node group {group.name}", (group,))


@rule(
    "Deployment",
    "StatefulSet",
    reason="Every update would set the number back, against the autoscaler: pods that serve are "
    "removed at peak load.",
    remedy="Leave out spec.replicas of what a HorizontalPodAutoscaler scales.",
)
def no_replicas_under_autoscaler(workload: Resource, graph: Graph) -> Iterator[Finding]:
    """What an autoscaler scales has no fixed number of pods."""
    scaler = autoscaler(workload, graph)
    if scaler and "replicas" in mapping(workload.inputs, "spec"):
        yield Finding("sets replicas, and an autoscaler scales it", (scaler,))


@rule(
    "Deployment",
    "DaemonSet",
    reason="A draining Envoy is not ready and may answer slowly. A liveness probe restarts it, and "
    "every call on it is lost; a restarted shutdown-manager never ends the drain.",
    remedy="Remove the liveness probes of pods that drain.",
)
def draining_pod_not_killed(workload: Resource, graph: Graph) -> Iterator[Finding]:
    """No probe can restart a container of a pod that drains."""
    if _drain_delay(workload) is None:
        return
    for container in containers(workload):
        if at(container, "livenessProbe"):
            yield Finding(f"container {at(container, 'name')} has a liveness probe")


def _drain_delay(workload: Resource) -> float | None:
    """Seconds that `contour envoy shutdown` waits in a pod before it drains; None for other
    pods."""
    for container in containers(workload):
        words = [str(word) for word in each(container, "lifecycle", "preStop", "exec", "command")]
        if "envoy" in words and "shutdown" in words:
            return seconds(flag(words, "drain-delay")) or 0
    return None


def _longest_connection(workload: Resource, graph: Graph) -> tuple[float, Resource | None]:
    """Seconds until Envoy has ended every connection without a call, by contour.yaml."""
    for config in beside(workload, graph, "ConfigMap"):
        for text in mapping(config.inputs, "data").values():
            if not isinstance(text, str) or "max-connection-duration" not in text:
                continue
            try:
                document = parse_yaml(text)
            except Exception:  # not YAML, so not Contour's
                continue
            if is_mapping(timeouts := at(document, "timeouts")):
                keys = ("max-connection-duration", "connection-shutdown-grace-period")
                return sum(seconds(timeouts.get(key)) or 0 for key in keys), config
    return 0, None


def _longest_call(workload: Resource, graph: Graph) -> tuple[float, Resource | None]:
    """The longest finite response timeout of the cluster, in seconds."""
    longest: tuple[float, Resource | None] = (0, None)
    for ingress in of_cluster(workload, graph, "Ingress"):
        annotation = "projectcontour.io/response-timeout"
        timeout = seconds(mapping(ingress.inputs, "metadata", "annotations").get(annotation))
        if timeout and timeout > longest[0]:
            longest = timeout, ingress
    return longest


def _reaction(workload: Resource, graph: Graph) -> tuple[float, tuple[Resource, ...]]:
    """Seconds until external-dns of the cluster has written a change."""
    for deployment in of_cluster(workload, graph, "Deployment"):
        for container in containers(deployment):
            words = arguments(container)
            if flag(words, "txt-owner-id") is None and "external-dns" not in str(
                at(container, "image")
            ):
                continue
            heard = flag(words, "events") and flag(words, "listen-endpoint-events")
            wait = flag(words, "min-event-sync-interval" if heard else "interval")
            default = 5 if heard else 60
            found = seconds(wait)
            return default if found is None else found, (deployment,)
    return 0, ()
