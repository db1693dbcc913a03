"""Deployment and autoscaler against a DaemonSet."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from experiments.curves import FOLDER, Curve, read
from experiments.design import designed
from experiments.fleet_cost import compare, main, sweep
from grpc_platform.specs import ContourSpec, EnvoySpec
from grpc_platform.specs.contour import Timeouts
from grpc_platform.timing import Timing

SETUP = designed()


def constant(cores: float) -> Curve:
    return Curve(name="constant", seconds=(0, 3600 * 10), cores=(cores, cores))


def test_the_fleet_is_the_one_that_the_components_make() -> None:
    spec = EnvoySpec(min_replicas=3, max_replicas=7, target_cpu_utilization=45, cpu="2")
    timeouts = Timeouts(max_connection_duration=timedelta(minutes=10))
    timing = Timing(max_connection_duration=timeouts.max_connection_duration)
    made = designed(spec, ContourSpec(timeouts=timeouts))
    assert made.cpu == 2
    found = made.autoscaler
    assert (found.min_replicas, found.max_replicas, found.target_utilization) == (3, 7, 45)
    window = found.scale_down.stabilization_window_seconds
    assert window == timing.rebalance_time.total_seconds()
    assert {(each.type, each.period_seconds) for each in found.scale_down.policies} == {
        ("Pods", 60),
        ("Percent", 60),
    }


def test_a_quiet_fleet_is_cheaper_with_an_autoscaler() -> None:
    found = compare(constant(0.9), 5, SETUP)
    assert (found["hpa"]["pod_hours"], found["daemon_set"]["pod_hours"]) == (20, 50)
    assert (found["saving_percent"], found["better"]) == (60, "hpa")
    assert found["hpa"]["highest_utilization_percent"] == 45
    assert found["safe_minimum"] is None


def test_over_the_target_is_what_the_autoscaler_would_act_on() -> None:
    """1.3 of 2 cores are 65 %: over the target of 60, and tolerated."""
    full = designed(EnvoySpec(max_replicas=2))
    assert compare(constant(1.3), 5, full)["hpa"]["minutes_over_target"] == 0
    assert compare(constant(1.4), 5, full)["hpa"]["minutes_over_target"] == 600


@pytest.mark.parametrize(
    ("cores", "nodes", "because"),
    [(2.9, 5, "saves under"), (0.1, 2, "saves under"), (4.0, 5, "saves under")],
    ids=["as many Envoys as nodes", "no more nodes than the minimum", "more Envoys than nodes"],
)
def test_where_nothing_is_saved_a_daemon_set_is_better(
    cores: float, nodes: int, because: str
) -> None:
    found = compare(constant(cores), nodes, SETUP)
    assert found["better"] == "daemon_set"
    assert because in found["because"]


def test_where_load_outruns_the_autoscaler_it_must_begin_with_more() -> None:
    spike = read(FOLDER / "spike.csv")
    found = compare(spike, 5, SETUP)
    assert found["better"] == "hpa_with_higher_minimum"
    assert found["saving_percent"] > 50
    assert found["hpa"]["minutes_over_100"] > found["daemon_set"]["minutes_over_100"] == 0
    # As many from the start as make it safe; one fewer would not do.
    least = found["safe_minimum"]["min_replicas"]
    for minimum, safe in ((least, True), (least - 1, False)):
        again = compare(spike, 5, designed(EnvoySpec(min_replicas=minimum)))
        assert (again["hpa"]["minutes_over_100"] == 0) == safe
    again = compare(spike, 5, designed(EnvoySpec(min_replicas=least)))
    assert again["hpa"]["pod_hours"] == found["safe_minimum"]["pod_hours"]


def test_where_only_as_many_as_nodes_are_safe_a_daemon_set_is_better() -> None:
    """4.7 cores of a sudden: 5 Envoys just hold it, 4 do not."""
    curve = Curve(name="jump", seconds=(0, 3600, 3601, 7200), cores=(0.5, 0.5, 4.7, 4.7))
    found = compare(curve, 5, SETUP)
    assert found["better"] == "daemon_set"
    assert found["safe_minimum"]["min_replicas"] == 5


def test_where_one_on_each_node_is_too_few_the_autoscaler_is_better() -> None:
    found = compare(constant(3.0), 2, SETUP)
    assert found["daemon_set"]["minutes_over_100"] == 600
    assert found["hpa"]["minutes_over_100"] == 0
    assert found["saving_percent"] < 0
    assert found["better"] == "hpa"


def test_the_lines_to_draw_keep_the_peaks() -> None:
    found = compare(read(FOLDER / "spike.csv"), 5, SETUP)
    series = found["series"]
    assert {len(line) for line in series.values()} == {len(series["hour"])}
    assert len(series["hour"]) <= 300
    assert max(series["hpa_busiest_percent"]) == pytest.approx(
        found["hpa"]["highest_utilization_percent"], abs=0.1
    )
    assert max(series["hpa_pods"]) == found["hpa"]["peak_pods"]
    # 3.2 cores at 60 % of one each
    assert max(series["needed"]) == 5.333


def test_a_sweep_changes_target_and_window_and_nothing_else() -> None:
    day = read(FOLDER / "working-day.csv")
    rows = sweep(day, SETUP, targets=(40, 60, 80), windows=(0, 442, 1800))
    by = {(row["target_utilization"], row["scale_down_window_seconds"]): row for row in rows}
    assert len(by) == 9
    assert by[60, 442]["pod_hours"] == compare(day, 5, SETUP)["hpa"]["pod_hours"]
    hours = {key: row["pod_hours"] for key, row in by.items()}
    assert hours[40, 442] > hours[60, 442] > hours[80, 442]
    assert hours[60, 0] <= hours[60, 442] < hours[60, 1800]
    peaks = [by[target, 442]["highest_utilization_percent"] for target in (40, 60, 80)]
    assert peaks == sorted(peaks)


def test_the_command_prints_a_table_or_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("second,requests_per_second\n0,4000\n36000,4000\n")
    asked = [str(path), "--nodes", "6", "--cpu-seconds-per-request", "0.0002", "--target", "50"]
    main([*asked, "--json"])
    found = json.loads(capsys.readouterr().out)
    assert (found["curve"], found["nodes"], found["target_utilization"]) == ("mine", 6, 50)
    assert found["hpa"]["highest_utilization_percent"] == 40
    main(asked)
    said = capsys.readouterr().out
    assert "DaemonSet" in said
    assert "66.7 % of the pod-hours" in said


def test_the_command_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="nowhere"):
        main([str(tmp_path / "nowhere.csv")])
    with pytest.raises(SystemExit, match="cpu"):
        main([str(FOLDER / "flat.csv"), "--cpu", "half"])
    with pytest.raises(SystemExit, match="nodes"):
        main([str(FOLDER / "flat.csv"), "--nodes", "0"])
