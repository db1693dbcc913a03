"""A fleet of Envoys under a load curve, with connections that move only when they reach their age.

A connection picks any Envoy in DNS, and picks again after `Delays.reconnect`. So an Envoy's share
of the load is its mean chance to be picked over the last `reconnect`. A new Envoy takes nothing at
first, and its whole share only after `timing.rebalance_time`. One that ends keeps its load for a
while, and the autoscaler no longer sees that load. The shares are expected values: real picks
scatter around them.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from grpc_platform.timing import Timing

from .autoscaler import SYNC_PERIOD_SECONDS, Autoscaler, Settings, Usage
from .curves import Curve

_ALWAYS = -(10**9)
_NEVER = 10**9


@dataclass(frozen=True, kw_only=True)
class Delays:
    """In sync periods of the autoscaler (15 s), rounded up; the first two from a pod's start, the
    last two from the decision to end it."""

    measured: int
    """Ready, and after one window of metrics-server."""
    found: int
    """Clients that resolve the name get its address."""
    reconnect: int
    """A connection's lifetime."""
    lost: int
    """Clients that resolve the name no longer get its address."""
    gone: int
    """The pod has ended and no longer costs anything."""

    @classmethod
    def of(cls, timing: Timing) -> "Delays":
        """The delays of the design's times."""
        found = timing.rebalance_time - timing.reconnect_interval
        lost = found - timing.pod_startup_time
        return cls(
            measured=_periods(timing.pod_startup_time.total_seconds()) + 1,
            found=_periods(found.total_seconds()),
            reconnect=_periods(timing.reconnect_interval.total_seconds()),
            lost=_periods(lost.total_seconds()),
            gone=_periods((timing.drain_delay + timing.reconnect_interval).total_seconds()),
        )


def _periods(seconds: float) -> int:
    return math.ceil(seconds / SYNC_PERIOD_SECONDS)


@dataclass
class Cohort:
    """Pods that started together and end together."""

    pods: int
    started: int
    ended: int = _NEVER


class Fleet:
    """Pods by the periods of their start and end, and the share of the load that each carries."""

    def __init__(self, replicas: int, delays: Delays) -> None:
        self._delays = delays
        self.cohorts = [Cohort(replicas, _ALWAYS)]
        # Entry `reconnect + t`: the expected picks of one address before period t.
        self._picks = [period / replicas for period in range(delays.reconnect + 1)]

    @property
    def replicas(self) -> int:
        """The pods that are not being removed."""
        return sum(each.pods for each in self.cohorts if each.ended == _NEVER)

    def scale(self, period: int, replicas: int) -> None:
        """Start pods, or end the newest, as a ReplicaSet does."""
        missing = replicas - self.replicas
        if missing > 0:
            self.cohorts.append(Cohort(missing, period))
        for cohort in reversed([each for each in self.cohorts if each.ended == _NEVER]):
            ending = min(cohort.pods, -missing)
            if ending <= 0:
                break
            missing += ending
            cohort.pods -= ending
            self.cohorts.append(Cohort(ending, cohort.started, period))

    def shares(self, period: int) -> list[tuple[Cohort, float]]:
        """Each cohort, and the share of the load that one of its pods carries at the end of the
        period."""
        delays = self._delays
        self.cohorts = [
            each for each in self.cohorts if each.pods and period < each.ended + delays.gone
        ]
        found = sum(
            each.pods
            for each in self.cohorts
            if each.started + delays.found <= period < each.ended + delays.lost
        )
        self._picks.append(self._picks[-1] + 1 / found)
        now = period + 1
        shares: list[tuple[Cohort, float]] = []
        for cohort in self.cohorts:
            since = max(now - delays.reconnect, cohort.started + delays.found)
            until = min(now, cohort.ended + delays.lost)
            picks = 0.0
            if since < until:
                picks = (
                    self._picks[until + delays.reconnect] - self._picks[since + delays.reconnect]
                )
            shares.append((cohort, picks / delays.reconnect))
        return shares


@dataclass(frozen=True, kw_only=True)
class Run:
    """A fleet over a curve: one entry for each period of 15 s."""

    demand: tuple[float, ...]
    """Demand on the fleet, in cores."""
    pods: tuple[int, ...]
    """All pods that take room on a node, starting and draining ones too."""
    busiest: tuple[float, ...]
    """Demand on the busiest Envoy, as a share of its CPU: above 1, calls wait."""

    @property
    def pod_hours(self) -> float:
        """The cost in pod-hours."""
        return sum(self.pods) * SYNC_PERIOD_SECONDS / 3600

    def minutes_over(self, utilization: float) -> float:
        """The time in which demand on the busiest Envoy exceeded that share of its CPU."""
        # The shares are sums of fractions, so allow for rounding at exactly full.
        return sum(each > utilization + 1e-9 for each in self.busiest) * SYNC_PERIOD_SECONDS / 60


def autoscaled(curve: Curve, settings: Settings, *, cpu: float, delays: Delays) -> Run:
    """Run the curve on a Deployment with an autoscaler, settled at the start.

    `cpu` is the request and the limit of each Envoy, in cores.
    """
    settled = math.ceil(curve.cores_at(0) / cpu / (settings.target_utilization / 100))
    start = min(max(settled, settings.min_replicas), settings.max_replicas)
    autoscaler = Autoscaler(settings)

    def decide(period: int, shares: list[tuple[Cohort, float]], demand: float) -> int:
        alive = [(each, share) for each, share in shares if each.ended == _NEVER]
        measured = [pair for pair in alive if period + 1 - pair[0].started >= delays.measured]
        replicas = sum(each.pods for each, _ in alive)
        ready = sum(each.pods for each, _ in measured)
        used = sum(each.pods * min(share * demand, cpu) for each, share in measured)
        usage = Usage(
            measured=ready,
            millicores=round(used * 1000),
            request_millicores=round(cpu * 1000),
            not_ready=replicas - ready,
        )
        return autoscaler.decide((period + 1) * SYNC_PERIOD_SECONDS, replicas, usage)

    return _run(curve, start, decide, cpu=cpu, delays=delays)


def on_every_node(curve: Curve, nodes: int, *, cpu: float, delays: Delays) -> Run:
    """Run the curve on a DaemonSet: one Envoy on each node, with the curve's nodes if it has
    them."""

    def decide(period: int, *_: object) -> int:
        return curve.nodes_at((period + 1) * SYNC_PERIOD_SECONDS, nodes)

    return _run(curve, curve.nodes_at(0, nodes), decide, cpu=cpu, delays=delays)


def _run(
    curve: Curve,
    start: int,
    decide: Callable[[int, list[tuple[Cohort, float]], float], int],
    *,
    cpu: float,
    delays: Delays,
) -> Run:
    fleet = Fleet(start, delays)
    demands: list[float] = []
    pods: list[int] = []
    busiest: list[float] = []
    for period in range(int(curve.duration // SYNC_PERIOD_SECONDS)):
        demand = curve.cores_at(period * SYNC_PERIOD_SECONDS)
        shares = fleet.shares(period)
        demands.append(demand)
        pods.append(sum(each.pods for each, _ in shares))
        busiest.append(max(share for _, share in shares) * demand / cpu)
        fleet.scale(period + 1, decide(period, shares, demand))
    return Run(demand=tuple(demands), pods=tuple(pods), busiest=tuple(busiest))
