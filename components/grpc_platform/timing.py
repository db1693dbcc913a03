"""All derived times, in one place.

Contour's and Envoy's own defaults are wrong for Envoy pods that clients dial directly: Envoy would
exit while DNS still lists it. The times below are consistent with each other; no other module
computes times.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the specs take their defaults from here
    from .specs import ContourSpec, EnvoySpec

EXTERNAL_DNS_SYNC_INTERVAL = timedelta(seconds=5)
"""external-dns's --min-event-sync-interval: it syncs its records at most once in this time."""

EXTERNAL_DNS_REACTION = timedelta(seconds=7)
"""From a changed EndpointSlice to the change at Route53: up to one sync interval, then up to one of
external-dns's one-second ticks. Measured with 0.21.0 and endpoint events: 5.5 to 6 s."""

DRAIN_POLL = timedelta(seconds=5)
"""How often `contour envoy shutdown` counts open connections (--check-interval)."""

MARGIN = timedelta(seconds=30)
"""Margin in the termination grace period for clocks and process exits."""

NEW_PODS_READY = timedelta(minutes=10)
"""How long Pulumi and the Deployment controller wait for new pods by default."""

LONGEST_STABILIZATION = timedelta(hours=1)
"""The longest stabilization window of an HPA:
https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/horizontal-pod-autoscaler-v2/"""

NEGATIVE_CACHING = timedelta(seconds=30)
"""How long a resolver may cache NXDOMAIN; the default of Route53's SOA is 15 minutes. gRPC clients
wait as long between look-ups, so it delays no client further."""

DEFAULT_DEADLINE = timedelta(seconds=15)
"""Envoy's default for a route without a timeout, made explicit:
https://www.envoyproxy.io/docs/envoy/latest/faq/configuration/timeouts#route-timeouts"""

KEEPALIVE_TIME = timedelta(seconds=10)
"""How long nothing may arrive on a client's connection with calls in flight before the client pings
Envoy. The shortest time that grpc-java and grpc-go allow:
https://pkg.go.dev/google.golang.org/grpc/keepalive#ClientParameters"""

KEEPALIVE_TIMEOUT = timedelta(seconds=5)
"""How long Envoy may take to answer that ping. gRPC also sets TCP_USER_TIMEOUT to it, so it must
leave TCP the time for some retransmissions:
https://github.com/grpc/proposal/blob/master/A18-tcp-user-timeout.md"""

MAX_TERMINATION_GRACE_PERIOD = timedelta(seconds=900)
"""A managed node group's update evicts for 15 minutes, then fails or forces:
https://docs.aws.amazon.com/eks/latest/userguide/managed-node-update-behavior.html"""

LONG_TERMINATION_GRACE_PERIOD = timedelta(seconds=600)
"""Above this, a rollout of the fleet is so slow that config warns about it."""

LONGEST_DURATION = timedelta(days=366)
"""Longer than any useful time here. Contour, Kubernetes and Route53 accept longer ones."""

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:h|ms|m|s))+", re.ASCII)


def parse_duration(text: str) -> timedelta:
    """Read a duration as Contour writes it: `5m`, `15s`, `1h30m`, `250ms`.

    Raises ValueError for anything else, a bare number included, and for more than a year.
    """
    if not _DURATION.fullmatch(text):
        raise ValueError(f"{text!r} is not a duration such as 15s, 5m, 1h30m or 250ms")
    parts = re.findall(r"(\d+(?:\.\d+)?)(h|ms|m|s)", text)
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if seconds > LONGEST_DURATION.total_seconds():
        raise ValueError(f"{text!r} is longer than a year")
    return timedelta(seconds=seconds)


def format_duration(duration: timedelta) -> str:
    """Write a duration in the form that `parse_duration`, Contour and Envoy's Go tools read."""
    milliseconds = round(duration.total_seconds() * 1000)
    hours, rest = divmod(milliseconds, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    seconds, rest = divmod(rest, 1000)
    parts = [(hours, "h"), (minutes, "m"), (seconds, "s"), (rest, "ms")]
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0s"


def whole_seconds(duration: timedelta) -> int:
    """Seconds, rounded up, for Kubernetes and Route53."""
    return math.ceil(duration.total_seconds())


@dataclass(frozen=True, kw_only=True)
class DnsTiming:
    """The times of a zone's names. The defaults are also ZoneSpec's."""

    record_ttl: timedelta = timedelta(seconds=30)
    """TTL of Envoy's A records and of the services' CNAMEs."""
    propagation_delay: timedelta = timedelta(seconds=60)
    """From a change of a record until every name server answers with it. Route53:
    https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/route-53-concepts.html ("generally
    within 60 seconds")."""
    min_resolution_interval: timedelta = timedelta(seconds=30)
    """The minimum interval between a gRPC client's look-ups of a name: MinResolutionInterval in
    grpc-go, grpc.dns_min_time_between_resolutions_ms in C-core, networkaddress.cache.ttl in
    Java."""

    @property
    def dns_convergence(self) -> timedelta:
        """From a change of Envoy's endpoints until no client gets the old addresses."""
        return (
            EXTERNAL_DNS_REACTION
            + self.propagation_delay
            + self.record_ttl
            + self.min_resolution_interval
        )


@dataclass(frozen=True, kw_only=True)
class Timing(DnsTiming):
    """The given times, and all times derived from them. `timing_of` takes the given ones from the
    specs, which have the same defaults."""

    pod_startup_time: timedelta = timedelta(seconds=30)
    """How long a new Envoy pod on a node with room takes to become ready: image pull, bootstrap,
    first xDS configuration."""
    max_connection_duration: timedelta = timedelta(minutes=5)
    """The age of a connection at which Envoy asks its client to reconnect."""
    connection_shutdown_grace_period: timedelta = timedelta(seconds=15)
    """From Envoy's request to reconnect until the connection takes no new calls."""
    max_deadline: timedelta = timedelta(seconds=60)
    """The longest finite route timeout of any service behind this fleet."""

    @property
    def drain_delay(self) -> timedelta:
        """How long a terminating Envoy keeps serving as before: until DNS sends no client to it."""
        return self.dns_convergence

    @property
    def termination_grace_period(self) -> timedelta:
        """The Envoy pod's terminationGracePeriodSeconds: the drain delay, the longest-lived
        connection with its grace period, its last call, and the poll that detects the end."""
        return (
            self.drain_delay
            + self.max_connection_duration
            + self.connection_shutdown_grace_period
            + self.max_deadline
            + DRAIN_POLL
            + MARGIN
        )

    @property
    def rebalance_time(self) -> timedelta:
        """From the decision to add an Envoy until it carries its share of the connections.

        grpc-go's pick_first may reconnect to addresses that it already has before it looks the name
        up. It then reaches a new Envoy with the next reconnect.
        """
        return (
            self.pod_startup_time
            + EXTERNAL_DNS_REACTION
            + self.propagation_delay
            + self.record_ttl
            + self.reconnect_interval
        )

    @property
    def reconnect_interval(self) -> timedelta:
        """The longest life of a client's connection, from which the client contract's value
        comes."""
        return self.max_connection_duration + self.connection_shutdown_grace_period

    @property
    def rollout_deadline(self) -> timedelta:
        """How long the fleet's rollout may make no progress before it counts as failed: new pods
        may have to wait for the room of a draining Envoy."""
        return self.termination_grace_period + NEW_PODS_READY

    @property
    def scale_down_stabilization(self) -> timedelta:
        """The autoscaler's stabilization window for scaling down: it waits until the last Envoy
        that it added carries its share."""
        return min(self.rebalance_time, LONGEST_STABILIZATION)


def timing_of(dns: DnsTiming, contour: ContourSpec, envoy: EnvoySpec) -> Timing:
    """The times of one serving cluster, from its zone's names, its Contour and its Envoys."""
    return Timing(
        record_ttl=dns.record_ttl,
        propagation_delay=dns.propagation_delay,
        min_resolution_interval=dns.min_resolution_interval,
        pod_startup_time=envoy.pod_startup_time,
        max_connection_duration=contour.timeouts.max_connection_duration,
        connection_shutdown_grace_period=contour.timeouts.connection_shutdown_grace_period,
        max_deadline=envoy.max_deadline,
    )
