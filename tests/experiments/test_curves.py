"""Load curves: the committed ones, and what a file may hold."""

from pathlib import Path

import pytest

from experiments.curves import FOLDER, SHAPES, CurveError, read, write


def test_the_committed_curves_are_those_generated(tmp_path: Path) -> None:
    write(tmp_path)
    made = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert made == {path.name: path.read_text() for path in FOLDER.glob("*.csv")}
    assert len(made) == len(SHAPES)


def file(folder: Path, text: str) -> Path:
    path = folder / "mine.csv"
    path.write_text(text)
    return path


def test_between_points_the_demand_is_a_straight_line(tmp_path: Path) -> None:
    curve = read(file(tmp_path, "# mine\nsecond,cores,nodes\n100,1,3\n200,2,4\n400,0,5\n"))
    assert (curve.name, curve.duration, curve.nodes) == ("mine", 300, (3, 4, 5))
    assert [curve.cores_at(second) for second in (0, 50, 100, 200, 300)] == [1, 1.5, 2, 1, 0]
    assert [curve.nodes_at(second, 9) for second in (0, 99, 100, 299, 300)] == [3, 3, 4, 4, 5]
    assert curve.times(2).cores_at(50) == 3
    assert curve.times(1.5).nodes == (5, 6, 8)


def test_requests_cost_what_is_said(tmp_path: Path) -> None:
    path = file(tmp_path, "second,requests_per_second\n0,1000\n60,3000\n")
    assert read(path, cpu_seconds_per_request=0.0002).cores == (0.2, 0.6)
    with pytest.raises(CurveError, match="CPU seconds of a request"):
        read(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "two points"),
        ("second,cores\n0,1\n", "two points"),
        ("time,cores\n0,1\n1,1\n", "`second`"),
        ("second,load\n0,1\n1,1\n", "`cores` or `requests_per_second`"),
        ("second,cores\n0,1\n0,1\n", "seconds must rise"),
        ("second,cores\n0,1\n60,-1\n", "not below 0"),
        ("second,cores\n0,1\n60,nan\n", "finite"),
        ("second,cores,nodes\n0,1,0\n60,1,1\n", "nodes at least 1"),
        ("second,cores\n0,1\n60,much\n", "much"),
        ("second,cores\n0,1\n60\n", "mine.csv"),
    ],
)
def test_an_invalid_curve_file_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(CurveError, match=said):
        read(file(tmp_path, text))
