"""The decisions of the Kubernetes HorizontalPodAutoscaler, given the pods' CPU use.

The published algorithm (https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/)
with the additions in pkg/controller/podautoscaler (horizontal.go, replica_calculator.go):

- the fleet's utilization is a whole percentage, rounded down, before the target divides it;
- not-ready pods count as 0 % when the others call for growth, and not at all otherwise;
- a stabilization window looks at proposals before limits and policies;
- a policy counts from the replicas at the start of its period, with changes in both directions; its
  percentage is rounded in favour of the change;
- replicas outside of min and max are corrected at once, regardless of behavior.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

SYNC_PERIOD_SECONDS = 15
"""kube-controller-manager's --horizontal-pod-autoscaler-sync-period."""

TOLERANCE = 0.1
"""kube-controller-manager's --horizontal-pod-autoscaler-tolerance."""


@dataclass(frozen=True, kw_only=True)
class Policy:
    """At most `value` pods, or percent of the replicas, in each `period_seconds`."""

    type: Literal["Percent", "Pods"]
    value: int
    period_seconds: int


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The speed limit of one direction."""

    stabilization_window_seconds: int
    policies: tuple[Policy, ...]
    select_policy: Literal["Max", "Min", "Disabled"] = "Max"


SCALE_UP_DEFAULT = Rules(
    stabilization_window_seconds=0,
    policies=(
        Policy(type="Pods", value=4, period_seconds=15),
        Policy(type="Percent", value=100, period_seconds=15),
    ),
)
SCALE_DOWN_DEFAULT = Rules(
    stabilization_window_seconds=300,
    policies=(Policy(type="Percent", value=100, period_seconds=15),),
)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One autoscaler on CPU; `target_utilization` is in percent of the request."""

    min_replicas: int
    max_replicas: int
    target_utilization: int
    scale_up: Rules = SCALE_UP_DEFAULT
    scale_down: Rules = SCALE_DOWN_DEFAULT
    tolerance: float = TOLERANCE

    @classmethod
    def of(cls, spec: Mapping[str, Any]) -> "Settings":
        """Read an `autoscaling/v2` spec with one utilization metric."""
        [metric] = spec["metrics"]
        [source] = (value for key, value in metric.items() if key != "type")
        behavior = spec.get("behavior", {})
        return cls(
            min_replicas=spec.get("minReplicas", 1),
            max_replicas=spec["maxReplicas"],
            target_utilization=source["target"]["averageUtilization"],
            scale_up=_rules(behavior.get("scaleUp", {}), SCALE_UP_DEFAULT),
            scale_down=_rules(behavior.get("scaleDown", {}), SCALE_DOWN_DEFAULT),
        )


def _rules(spec: Mapping[str, Any], default: Rules) -> Rules:
    policies = tuple(
        Policy(type=each["type"], value=each["value"], period_seconds=each["periodSeconds"])
        for each in spec.get("policies", ())
    )
    return Rules(
        stabilization_window_seconds=spec.get(
            "stabilizationWindowSeconds", default.stabilization_window_seconds
        ),
        policies=policies or default.policies,
        select_policy=spec.get("selectPolicy", default.select_policy),
    )


@dataclass(frozen=True, kw_only=True)
class Usage:
    """metrics-server's data on the pods that are not being deleted."""

    measured: int
    """Pods that are ready and have a metric; at least one."""
    millicores: int
    """Their total use."""
    request_millicores: int
    """The request of each pod."""
    not_ready: int = 0


def proposed(settings: Settings, current: int, usage: Usage) -> int:
    """The replicas that bring the fleet to its target, before any limit."""
    ratio = _ratio(settings, usage, usage.measured)
    if not usage.not_ready or ratio <= 1:
        if 1 - settings.tolerance <= ratio <= 1 + settings.tolerance:
            return current
        return math.ceil(ratio * usage.measured)
    pods = usage.measured + usage.not_ready
    ratio = _ratio(settings, usage, pods)
    if ratio <= 1 + settings.tolerance:
        return current
    return max(current, math.ceil(ratio * pods))


def _ratio(settings: Settings, usage: Usage, pods: int) -> float:
    percent = usage.millicores * 100 // (usage.request_millicores * pods)
    return percent / settings.target_utilization


@dataclass
class Autoscaler:
    """The controller's memory of one fleet; times are seconds on any monotonic clock."""

    settings: Settings
    _proposals: list[tuple[float, int]] = field(default_factory=list[tuple[float, int]])
    _changes: list[tuple[float, int]] = field(default_factory=list[tuple[float, int]])

    def decide(self, now: float, current: int, usage: Usage) -> int:
        """The desired replicas from `now` on; call it once per sync period."""
        settings = self.settings
        if not self._proposals:
            self._proposals.append((now, current))
        if current > settings.max_replicas:
            replicas = settings.max_replicas
        elif current < settings.min_replicas:
            replicas = settings.min_replicas
        else:
            wanted = self._stabilized(now, current, proposed(settings, current, usage))
            replicas = self._limited(now, current, wanted)
        if replicas != current:
            self._changes.append((now, replicas - current))
        self._forget(now)
        return replicas

    def _stabilized(self, now: float, current: int, proposal: int) -> int:
        """At least the lowest, and at most the highest proposal within each direction's window."""
        self._proposals.append((now, proposal))
        up, down = self.settings.scale_up, self.settings.scale_down
        least = min([proposal, *self._since(now - up.stabilization_window_seconds)])
        most = max([proposal, *self._since(now - down.stabilization_window_seconds)])
        return min(max(current, least), most)

    def _since(self, start: float) -> list[int]:
        return [replicas for at, replicas in self._proposals if at > start]

    def _limited(self, now: float, current: int, wanted: int) -> int:
        settings = self.settings
        if wanted > current:
            fastest = max(current, self._fastest(now, current, settings.scale_up, 1))
            return min(wanted, fastest, settings.max_replicas)
        if wanted < current:
            fastest = min(current, self._fastest(now, current, settings.scale_down, -1))
            return max(wanted, fastest, settings.min_replicas)
        return current

    def _fastest(self, now: float, current: int, rules: Rules, sign: Literal[1, -1]) -> int:
        """The furthest replicas that the policies allow now, up (1) or down (-1)."""
        if rules.select_policy == "Disabled":
            return current
        reach: list[int] = []
        for policy in rules.policies:
            start = current - sum(
                change for at, change in self._changes if at > now - policy.period_seconds
            )
            if policy.type == "Pods":
                reach.append(start + sign * policy.value)
            elif sign > 0:
                reach.append(math.ceil(start * (1 + policy.value / 100)))
            else:
                reach.append(int(start * (1 - policy.value / 100)))
        return max(reach) if (rules.select_policy == "Max") == (sign > 0) else min(reach)

    def _forget(self, now: float) -> None:
        """Drop entries that no window and no period will read again."""
        rules = (self.settings.scale_up, self.settings.scale_down)
        window = max(each.stabilization_window_seconds for each in rules)
        period = max(policy.period_seconds for each in rules for policy in each.policies)
        # The newest proposal stays: it shows that this is not the first decision.
        self._proposals[:-1] = [each for each in self._proposals[:-1] if each[0] > now - window]
        self._changes[:] = [each for each in self._changes if each[0] > now - period]
