"""How load follows connections: the fluid fleet under a curve."""

import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.autoscaler import SYNC_PERIOD_SECONDS, Settings
from experiments.curves import Curve
from experiments.fleet import Delays, Fleet, autoscaled, on_every_node
from grpc_platform.timing import Timing

DELAYS = Delays.of(Timing())
SIX_TENTHS = Settings(min_replicas=2, max_replicas=10, target_utilization=60)


def constant(cores: float, hours: int = 6, nodes: tuple[int, ...] = ()) -> Curve:
    seconds = tuple(3600.0 * hour for hour in range(hours + 1))
    return Curve(name="constant", seconds=seconds, cores=(cores,) * (hours + 1), nodes=nodes)


@given(st.integers(1, 20), st.lists(st.integers(1, 20), max_size=120))
def test_no_load_is_lost_or_made_however_the_fleet_changes(start: int, sizes: list[int]) -> None:
    fleet = Fleet(start, DELAYS)
    for period, size in enumerate(sizes):
        shares = fleet.shares(period)
        assert math.isclose(sum(each.pods * share for each, share in shares), 1)
        assert all(share >= -1e-9 for _, share in shares)
        fleet.scale(period + 1, size)
        assert fleet.replicas == size


@given(st.integers(1, 10), st.integers(1, 10))
def test_a_new_envoy_carries_its_share_after_the_rebalance_time_and_not_before(
    old: int, new: int
) -> None:
    fleet = Fleet(old, DELAYS)
    fleet.shares(0)
    fleet.scale(1, old + new)
    carried = [{one.started: share for one, share in fleet.shares(at)} for at in range(1, 60)]
    first = [each[1] for each in carried]
    found, whole = DELAYS.found, DELAYS.found + DELAYS.reconnect
    assert first[:found] == [0] * found
    assert all(a < b for a, b in zip(first[found - 1 : whole - 1], first[found:whole], strict=True))
    assert first[whole - 1 :] == pytest.approx([1 / (old + new)] * (59 - whole + 1))


def test_an_envoy_that_ends_keeps_its_connections_until_they_are_old() -> None:
    fleet = Fleet(3, DELAYS)
    fleet.shares(0)
    fleet.scale(1, 2)
    carried: list[float] = []
    for period in range(1, 60):
        carried += [share for each, share in fleet.shares(period) if each.ended == 1]
    assert len(carried) == DELAYS.gone
    assert carried[: DELAYS.lost] == pytest.approx([1 / 3] * DELAYS.lost)
    last = DELAYS.lost + DELAYS.reconnect
    assert carried[last - 2] > 0
    assert carried[last - 1 :] == [0] * (DELAYS.gone - last + 1)


def test_the_newest_go_first() -> None:
    fleet = Fleet(2, DELAYS)
    fleet.scale(1, 5)
    fleet.scale(2, 1)
    ended = [(each.pods, each.started == 1) for each in fleet.cohorts if each.ended == 2]
    assert sorted(ended) == [(1, False), (3, True)]


def test_delays_are_those_of_the_design() -> None:
    for timing in (Timing(), Timing(max_connection_duration=timedelta(minutes=20))):
        delays = Delays.of(timing)
        periods = timing.rebalance_time.total_seconds() / SYNC_PERIOD_SECONDS
        assert periods <= delays.found + delays.reconnect < periods + 2
        # No connection outlives its Envoy.
        assert delays.gone >= delays.lost + delays.reconnect


def test_a_daemon_set_follows_the_nodes_and_nothing_else() -> None:
    run = on_every_node(constant(2.0), 5, cpu=1, delays=DELAYS)
    assert run.pod_hours == 5 * 6
    assert max(run.busiest) == pytest.approx(0.4)
    nodes = (4, 4, 8, 8, 8, 8, 8)
    run = on_every_node(constant(2.0, nodes=nodes), 5, cpu=1, delays=DELAYS)
    assert run.pod_hours == 4 * 2 + 8 * 4


@pytest.mark.parametrize(("cores", "pods"), [(0.1, 2), (1.8, 3), (1.9, 4), (5.9, 10), (20, 10)])
def test_a_settled_fleet_stays_as_the_target_has_it(cores: float, pods: int) -> None:
    run = autoscaled(constant(cores), SIX_TENTHS, cpu=1, delays=DELAYS)
    assert set(run.pods) == {pods}
    assert run.busiest[-1] == pytest.approx(cores / pods)


def test_old_envoys_stay_busy_until_new_ones_take_over() -> None:
    """From 1 core to 3 at once: 2 Envoys carry all of it until the third is found."""
    curve = Curve(name="jump", seconds=(0, 3600, 3601, 7200), cores=(1, 1, 3, 3))
    run = autoscaled(curve, SIX_TENTHS, cpu=1, delays=DELAYS)
    jump = 3600 // SYNC_PERIOD_SECONDS + 1
    assert max(run.busiest) == pytest.approx(1.5)
    assert run.busiest[jump : jump + DELAYS.found] == pytest.approx([1.5] * DELAYS.found)
    # The autoscaler sees what they use, 2 cores of the 3: ceil(100 / 60 * 2).
    assert run.pods[jump + 1 : jump + DELAYS.found] == (4,) * (DELAYS.found - 1)
    assert run.busiest[-1] == pytest.approx(0.6)
    assert run.minutes_over(1) * 60 >= DELAYS.found * SYNC_PERIOD_SECONDS
    assert run.minutes_over(1.5 + 1e-6) == 0
