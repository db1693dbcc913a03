"""The charts of the experiments: files, the same bytes each time, and no empty chart."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

plots = pytest.importorskip("experiments.plots", reason="needs the local group")

XS = [index / 10 for index in range(300)]


def lines(axes: Any) -> None:
    plots.lines(
        axes,
        {"one": (XS, [math.sin(x) for x in XS]), "other": (XS, [math.cos(x) for x in XS])},
        y_label="calls/s",
        x_label="s",
        events=[("scale-out", 12.0)],
        band=(0.2, 0.4),
        marks={"bound": 0.5},
        area={"asked": (XS, XS)},
    )


def stacked(axes: Any) -> None:
    shares = {"envoy-a": [1 - x / 60 for x in XS], "envoy-b": [x / 60 for x in XS]}
    plots.stacked(axes, XS, shares, y_label="share of calls", events=[("scale-out", 3.0)])


def bars(axes: Any) -> None:
    direct = [plots.Bar(value=0.2, low=0.1, high=0.4), plots.Bar(value=0.3)]
    envoy = [plots.Bar(value=0.5, low=0.4, high=0.6), plots.Bar(value=0.7)]
    plots.bars(axes, ["p50", "p99"], {"direct": direct, "Envoy": envoy}, y_label="ms")


CHARTS = [lines, stacked, bars]


def drawn(chart: Callable[[Any], None], folder: Path) -> tuple[Path, Path]:
    with plots.panels("A chart") as (figure, [axes]):
        chart(axes)
    return plots.save(figure, folder, chart.__name__)


@pytest.mark.parametrize("chart", CHARTS)
def test_the_same_figures_give_the_same_bytes(chart: Callable[[Any], None], tmp_path: Path) -> None:
    first, again = drawn(chart, tmp_path / "first"), drawn(chart, tmp_path / "again")
    assert [path.name for path in first] == [f"{chart.__name__}.svg", f"{chart.__name__}.png"]
    for one, other in zip(first, again, strict=True):
        assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize("chart", CHARTS)
def test_an_svg_is_small_and_its_text_is_text(chart: Callable[[Any], None], tmp_path: Path) -> None:
    svg, png = drawn(chart, tmp_path)
    text = svg.read_text()
    assert ">A chart</text>" in text
    assert "dc:date" not in text
    assert len(text) < 60_000
    assert png.read_bytes().startswith(b"\x89PNG")
    # 8 inches at 150 dots
    assert int.from_bytes(png.read_bytes()[16:20], "big") == 1200


def test_names_and_events_are_written(tmp_path: Path) -> None:
    text = drawn(lines, tmp_path)[0].read_text()
    for name in ("one", "other", "scale-out", "bound", "asked", "calls/s"):
        assert f">{name}</text>" in text
    text = drawn(bars, tmp_path)[0].read_text()
    for name in ("direct", "Envoy", "p50", "0.2", "0.7"):
        assert f">{name}</text>" in text
    text = drawn(stacked, tmp_path)[0].read_text()
    assert ">envoy-a</text>" in text


def test_a_share_of_nothing_is_drawn_without_a_name(tmp_path: Path) -> None:
    """An idle Envoy counts as zero: it must not stop the chart."""

    def idle(axes: Any) -> None:
        plots.stacked(axes, [0, 1], {"busy": [1, 1], "idle": [0, 0]}, y_label="share")

    text = drawn(idle, tmp_path)[0].read_text()
    assert ">busy</text>" in text
    assert ">idle</text>" not in text


NOTHING: list[tuple[Any, tuple[Any, ...], str]] = [
    (plots.lines, ({},), "lines: no series"),
    (plots.lines, ({"p99": ([], [])},), "lines: .*p99.* empty"),
    (plots.lines, ({"p99": ([1], [1, 2])},), "2 values for 1"),
    (plots.stacked, ([], {"a": []}), "stacked: .*a.* empty"),
    (plots.stacked, ([1], {"a": [1, 2]}), "2 values for 1"),
    (plots.bars, ([], {"a": []}), "bars: .*a.* empty"),
    (plots.bars, (["p50"], {"a": [plots.Bar(value=1)] * 2}), "2 values for 1"),
]


@pytest.mark.parametrize(("draw", "values", "said"), NOTHING)
def test_nothing_to_draw_is_an_error(
    draw: Callable[..., None], values: tuple[Any, ...], said: str
) -> None:
    with (
        pytest.raises(ValueError, match=said),
        plots.panels("A chart") as (_, [axes]),
    ):
        draw(axes, *values, y_label="s")


def test_the_callers_own_style_is_left_alone() -> None:
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    with plots.panels("A chart"):
        pass
    with pytest.raises(RuntimeError), plots.panels("A chart"):
        raise RuntimeError
    assert dict(mpl.rcParams) == before


def test_the_cost_of_a_fleet_is_drawn(tmp_path: Path) -> None:
    from experiments.curves import FOLDER, read
    from experiments.design import designed
    from experiments.fleet_cost import compare, draw

    found = compare(read(FOLDER / "working-day.csv"), 5, designed())
    svg, _ = plots.save(draw(found), tmp_path, "cost")
    text = svg.read_text()
    assert ">DaemonSet</text>" in text
    assert f"{found['saving_percent']:.0f} % fewer pod-hours" in text
    assert len(text) < 60_000
