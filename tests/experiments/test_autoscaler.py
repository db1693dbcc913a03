"""The autoscaler's algorithm: properties, and cases worked out by hand from Kubernetes' docs."""

import math
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from experiments.autoscaler import Autoscaler, Policy, Rules, Settings, Usage, proposed

PERIOD = 15
REQUEST = 1000

policies = st.builds(
    Policy,
    type=st.sampled_from(["Percent", "Pods"]),
    value=st.integers(1, 100),
    period_seconds=st.sampled_from([15, 30, 60, 100]),
)


def rules(*windows: int) -> st.SearchStrategy[Rules]:
    return st.builds(
        Rules,
        stabilization_window_seconds=st.sampled_from(windows),
        policies=st.lists(policies, min_size=1, max_size=3).map(tuple),
        select_policy=st.sampled_from(["Max", "Min"]),
    )


settings = st.builds(
    Settings,
    min_replicas=st.integers(1, 5),
    max_replicas=st.integers(5, 30),
    target_utilization=st.integers(40, 80),
    scale_up=rules(0, 0, 45),
    scale_down=rules(0, 60, 300),
)
loads = st.lists(st.integers(0, 30_000), min_size=1, max_size=60)


def usage(load: int, replicas: int) -> Usage:
    """All pods ready, none over its limit."""
    used = min(load, replicas * REQUEST)
    return Usage(measured=replicas, millicores=used, request_millicores=REQUEST)


def replay(chosen: Settings, start: int, demand: list[int]) -> tuple[list[int], list[int]]:
    """Replicas from each decision on, after `start`; and what was proposed before any limit."""
    autoscaler = Autoscaler(chosen)
    replicas, proposals = [start], [start]
    for number, load in enumerate(demand):
        used = usage(load, replicas[-1])
        proposals.append(proposed(chosen, replicas[-1], used))
        replicas.append(autoscaler.decide(number * PERIOD, replicas[-1], used))
    return replicas, proposals


@given(settings, st.integers(1, 40), loads)
def test_replicas_stay_within_min_and_max(chosen: Settings, start: int, demand: list[int]) -> None:
    replicas, _ = replay(chosen, start, demand)
    assert all(chosen.min_replicas <= each <= chosen.max_replicas for each in replicas[1:])


@given(settings, st.integers(0, 30_000))
def test_a_constant_load_converges_and_stays(chosen: Settings, load: int) -> None:
    # At the slowest one pod in 100 s, 25 pods away, after the longest window: 190 decisions.
    replicas, _ = replay(chosen, 5, [load] * 250)
    last = replicas[-1]
    assert set(replicas[-60:]) == {last}
    wanted = load / REQUEST / (chosen.target_utilization / 100)
    # A whole percent, rounded down, may hide that much of the load.
    hidden = last / chosen.target_utilization
    assert last == chosen.max_replicas or wanted <= last * 1.1 + hidden
    assert last == chosen.min_replicas or wanted >= min(last * 0.9, last - 1)


@given(settings, st.integers(1, 30), st.integers(1, 100))
def test_only_beyond_the_tolerance_something_changes(
    chosen: Settings, pods: int, percent: int
) -> None:
    proposal = proposed(chosen, pods, usage(pods * percent * REQUEST // 100, pods))
    target = chosen.target_utilization
    if 9 * target <= 10 * percent <= 11 * target:
        assert proposal == pods
    elif percent > target:
        assert proposal > pods
    else:
        assert proposal < pods or pods == math.ceil(pods * percent / target)


def recent(proposals: list[int], number: int, window: int) -> list[int]:
    """The proposals within that many seconds before decision `number`, itself included."""
    # The first entry is the size the autoscaler found, at the time of its first decision.
    return [
        proposal
        for place, proposal in enumerate(proposals[: number + 1])
        if place == number or (number - max(place, 1)) * PERIOD < window
    ]


@given(settings, st.integers(5, 30), loads)
def test_no_change_before_its_window_is_over(
    chosen: Settings, start: int, demand: list[int]
) -> None:
    replicas, proposals = replay(chosen, min(start, chosen.max_replicas), demand)
    for number in range(1, len(replicas)):
        if replicas[number] < replicas[number - 1]:
            window = chosen.scale_down.stabilization_window_seconds
            most = max(recent(proposals, number, window))
            assert replicas[number] >= min(most, chosen.max_replicas)
        elif replicas[number] > replicas[number - 1]:
            window = chosen.scale_up.stabilization_window_seconds
            least = min(recent(proposals, number, window))
            assert replicas[number] <= max(least, chosen.min_replicas)


@given(settings, st.integers(5, 30), loads)
@example(
    Settings(
        min_replicas=1,
        max_replicas=10,
        target_utilization=60,
        scale_down=Rules(
            stabilization_window_seconds=0,
            policies=(Policy(type="Percent", value=80, period_seconds=15),),
        ),
    ),
    10,
    [0],
)
def test_policies_bound_the_change_in_each_of_their_periods(
    chosen: Settings, start: int, demand: list[int]
) -> None:
    replicas, _ = replay(chosen, min(start, chosen.max_replicas), demand)
    for number in range(1, len(replicas)):
        change = replicas[number] - replicas[number - 1]
        way = chosen.scale_up if change > 0 else chosen.scale_down
        allowed: list[float] = []
        for policy in way.policies:
            before = replicas[max(0, number - math.ceil(policy.period_seconds / PERIOD))]
            value = math.copysign(policy.value, change)
            # As Kubernetes multiplies: 80 % less than 10 is a little less than 2, and so 1.
            percent = before * (1 + value / 100)
            allowed.append(before + value if policy.type == "Pods" else percent)
        if change > 0:
            most = max(allowed) if way.select_policy == "Max" else min(allowed)
            assert replicas[number] <= math.ceil(most)
        elif change < 0:
            least = min(allowed) if way.select_policy == "Max" else max(allowed)
            assert replicas[number] >= math.floor(least)


SIX_TENTHS = Settings(min_replicas=1, max_replicas=100, target_utilization=60)


@pytest.mark.parametrize(
    ("pods", "millicores", "not_ready", "expected"),
    [
        # "If the current metric value is 200m, and the desired value is 100m, the number of
        # replicas will be doubled"; at 50m, halved.
        (2, 2 * 1200, 0, 4),
        (4, 4 * 300, 0, 2),
        # Up to 66 % (1.1 of the target) nothing happens, and 54 % (0.9) is the other end.
        (10, 10 * 660, 0, 10),
        (10, 10 * 670, 0, 12),
        (10, 10 * 540, 0, 10),
        (10, 10 * 530, 0, 9),
        # 66.6 % is 66 % to the controller: as fractions, 1.11 would ask for a fourth pod.
        (3, 1999, 0, 3),
        # Beside two at 100 %, a third that is not ready makes it 66 %: the change is under way.
        (2, 2000, 1, 3),
        # 4 at 100 % with one more to come are 80 %: ceil(80 / 60 * 5).
        (4, 4000, 1, 7),
        # With two more to come they are 50 %: that would turn the direction, so nothing happens.
        (2, 2000, 2, 4),
        # To shrink, pods that are not ready are not counted: ceil(20 / 60 * 2).
        (2, 400, 1, 1),
    ],
)
def test_proposals_worked_out_by_hand(
    pods: int, millicores: int, not_ready: int, expected: int
) -> None:
    used = Usage(
        measured=pods, millicores=millicores, request_millicores=REQUEST, not_ready=not_ready
    )
    assert proposed(SIX_TENTHS, pods + not_ready, used) == expected


def decisions(chosen: Settings, start: int, load: int, count: int, every: int) -> list[int]:
    """The decisions at that many times, `every` seconds apart."""
    autoscaler = Autoscaler(chosen)
    replicas = [start]
    for number in range(count):
        replicas.append(autoscaler.decide(number * every, replicas[-1], usage(load, replicas[-1])))
    return replicas


def test_the_docs_example_of_80_replicas() -> None:
    """10 % a minute, rounded up (72: 7.2, so 8), until 4 pods are more."""
    way = Rules(
        stabilization_window_seconds=0,
        policies=(
            Policy(type="Pods", value=4, period_seconds=60),
            Policy(type="Percent", value=10, period_seconds=60),
        ),
    )
    chosen = replace(SIX_TENTHS, min_replicas=10, scale_down=way)
    expected = [80, 72, 64, 57, 51, 45, 40, 36, 32, 28, 24, 20, 16, 12, 10, 10]
    assert decisions(chosen, 80, 0, 15, every=60) == expected
    # Asked four times a minute, no faster: a period counts what was done in it.
    assert decisions(chosen, 80, 0, 60, every=15)[1::4] == expected[1:]


def test_the_defaults_double_or_add_four_each_15_seconds() -> None:
    assert decisions(SIX_TENTHS, 1, 10**6, 5, every=15)[:4] == [1, 2, 4, 7]
    # Behind a pod at 100 % of its limit the load cannot be seen; with a higher limit it is.
    seen = Usage(measured=1, millicores=50_000, request_millicores=REQUEST)
    assert Autoscaler(SIX_TENTHS).decide(0, 1, seen) == 5
    slow = replace(SIX_TENTHS.scale_up, select_policy="Min")
    assert Autoscaler(replace(SIX_TENTHS, scale_up=slow)).decide(0, 1, seen) == 2


def test_a_direction_can_be_disabled() -> None:
    fixed = replace(SIX_TENTHS.scale_down, select_policy="Disabled")
    assert decisions(replace(SIX_TENTHS, scale_down=fixed), 5, 0, 40, every=15)[-1] == 5


def test_the_size_it_found_counts_as_a_proposal() -> None:
    """A controller that has just started does not shrink a fleet that it knows nothing about."""
    replicas = decisions(SIX_TENTHS, 5, 0, 22, every=15)
    assert replicas[:21] == [5] * 21
    assert replicas[21] == 1


def test_a_fleet_outside_its_bounds_is_corrected_at_once() -> None:
    chosen = replace(SIX_TENTHS, min_replicas=2, max_replicas=6)
    assert Autoscaler(chosen).decide(0, 1, usage(0, 1)) == 2
    assert Autoscaler(chosen).decide(0, 9, usage(10**6, 9)) == 6


def test_a_correction_uses_up_the_policies_and_is_not_undone_by_them() -> None:
    slow = replace(SIX_TENTHS.scale_up, policies=(Policy(type="Pods", value=4, period_seconds=60),))
    chosen = replace(SIX_TENTHS, min_replicas=10, scale_up=slow)
    assert decisions(chosen, 1, 10**6, 6, every=15) == [1, 10, 10, 10, 10, 14, 14]


def test_a_manifest_without_behavior_has_kubernetes_defaults() -> None:
    spec = {
        "maxReplicas": 9,
        "metrics": [
            {
                "type": "Resource",
                "resource": {"name": "cpu", "target": {"averageUtilization": 50}},
            }
        ],
        "behavior": {"scaleDown": {"selectPolicy": "Min"}},
    }
    read = Settings.of(spec)
    assert (read.min_replicas, read.max_replicas, read.target_utilization) == (1, 9, 50)
    assert {(each.type, each.value) for each in read.scale_up.policies} == {
        ("Pods", 4),
        ("Percent", 100),
    }
    assert read.scale_up.stabilization_window_seconds == 0
    assert read.scale_down.stabilization_window_seconds == 300
    assert read.scale_down.select_policy == "Min"
