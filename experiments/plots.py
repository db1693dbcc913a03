"""The charts of every experiment: one style, and the same bytes for the same figures.

Made for a page about 800 px wide, on a white background of their own. Colours are those of Okabe
and Ito (https://jfly.uni-koeln.de/color/), which colour-blind readers tell apart; an SVG's text is
text.
"""

# matplotlib leaves its keyword arguments without a type.
# pyright: reportUnknownMemberType=false

import math
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
GREY = "#555555"

# Any: matplotlib's type of a key is the list of all keys.
_STYLE: Any = {
    "axes.edgecolor": GREY,
    "axes.labelcolor": GREY,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "figure.constrained_layout.use": True,
    "font.family": "sans-serif",
    # The first comes with matplotlib and sets the widths; the others are fallbacks for viewers
    # without it.
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "Helvetica"],
    "font.size": 10,
    "path.simplify_threshold": 0.5,
    "savefig.dpi": 150,
    "savefig.facecolor": "white",
    "svg.fonttype": "none",
    "svg.hashsalt": "grpc-platform",
    "xtick.color": GREY,
    "ytick.color": GREY,
}
_WIDTH = 8.0
_LABEL_POINTS = 13

Points = tuple[Sequence[float], Sequence[float]]
"""The points of a line: x and y, of equal length."""


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A value with its minimum and maximum."""

    value: float
    low: float | None = None
    high: float | None = None


def bar(spread: Mapping[str, float]) -> Bar:
    """The bar of a `median` with its `low` and `high`."""
    return Bar(value=spread["median"], low=spread["low"], high=spread["high"])


@contextmanager
def panels(
    *titles: str, height: float = 3.0, columns: int = 1
) -> Generator[tuple[Figure, list[Axes]]]:
    """A figure with one chart for each title, one above the other on one x axis, or in columns.

    Draw within the context; its end restores the previous style. `height` is that of each chart in
    inches; the width is 8.
    """
    rows = math.ceil(len(titles) / columns)
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH, height * rows))
        FigureCanvasAgg(figure)
        grid = figure.subplots(rows, columns, sharex=columns == 1, squeeze=False)
        axes: list[Axes] = [each for row in grid for each in row]
        for unused in axes[len(titles) :]:
            unused.remove()
        axes = axes[: len(titles)]
        for each, title in zip(axes, titles, strict=True):
            each.set_title(title)
        yield figure, axes
        figure.align_ylabels()


def save(figure: Figure, directory: Path, name: str) -> tuple[Path, Path]:
    """Write NAME.svg and NAME.png."""
    directory.mkdir(parents=True, exist_ok=True)
    svg, png = directory / f"{name}.svg", directory / f"{name}.png"
    with mpl.rc_context(_STYLE):
        figure.savefig(svg, metadata={"Date": None})
        figure.savefig(png)
    return svg, png


def lines(
    axes: Axes,
    series: Mapping[str, Points],
    *,
    y_label: str,
    x_label: str = "",
    x_ticks: Sequence[float] = (),
    steps: bool = False,
    area: Mapping[str, Points] | None = None,
    events: Sequence[tuple[str, float]] = (),
    band: tuple[float, float] | None = None,
    marks: Mapping[str, float] | None = None,
) -> None:
    """Lines over time, each named at its right end.

    `events` are times with a name (vertical, dotted), `marks` values with one (horizontal, dashed);
    `band` is the expected range of y, `area` a background. `steps` keeps each value until the next.
    """
    areas = area or {}
    _check("lines", {name: ys for name, (_, ys) in (*series.items(), *areas.items())})
    for name, (xs, ys) in (*series.items(), *areas.items()):
        _same_length("lines", name, xs, ys)
    if band:
        axes.axhspan(*band, color=GREY, alpha=0.12, linewidth=0)
    ends: list[tuple[float, str, str]] = []
    for name, (xs, ys) in areas.items():
        axes.fill_between(xs, ys, color=GREY, alpha=0.18, linewidth=0)
        ends.append((ys[-1], name, GREY))
    for number, (name, (xs, ys)) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        style = "steps-post" if steps else "default"
        axes.plot(xs, ys, color=colour, linewidth=1.6, drawstyle=style)
        ends.append((ys[-1], name, colour))
    for name, value in (marks or {}).items():
        axes.axhline(value, color=GREY, linewidth=0.9, linestyle=(0, (5, 4)))
        ends.append((value, name, GREY))
    axes.margins(x=0)
    # From zero: a cut axis makes small differences large.
    axes.set_ylim(bottom=min(0, *(min(ys) for _, ys in series.values())))
    axes.set(xlabel=x_label, ylabel=y_label)
    if len(x_ticks):
        axes.set_xticks(x_ticks)
    _name_right(axes, ends)
    _events(axes, events)


def stacked(
    axes: Axes,
    xs: Sequence[float],
    shares: Mapping[str, Sequence[float]],
    *,
    y_label: str,
    x_label: str = "",
    events: Sequence[tuple[str, float]] = (),
) -> None:
    """Each part's share of the whole over time, as areas, named where they are widest."""
    _check("stacked", shares)
    for name, ys in shares.items():
        _same_length("stacked", name, xs, ys)
    colours = [COLOURS[number % len(COLOURS)] for number in range(len(shares))]
    rows = list(shares.values())
    axes.stackplot(xs, rows, colors=colours, alpha=0.75, edgecolor="white", linewidth=0.6)
    top = max(sum(column) for column in zip(*rows, strict=True))
    for number, (name, ys) in enumerate(shares.items()):
        # The middle one of the widest places, away from edges that would cut the name.
        edge = len(ys) // 10
        inner = range(edge, len(ys) - edge)
        most = max(ys[place] for place in inner)
        widest = [place for place in inner if ys[place] >= 0.98 * most]
        place = widest[len(widest) // 2]
        below = sum(row[place] for row in rows[:number])
        if ys[place] > 0.05 * top:
            spot = (xs[place], below + ys[place] / 2)
            axes.annotate(name, spot, ha="center", va="center", color="white", weight="bold")
    axes.margins(x=0)
    axes.set_ylim(0, top)
    axes.set(xlabel=x_label, ylabel=y_label)
    _events(axes, events)


def bars(
    axes: Axes,
    groups: Sequence[str],
    series: Mapping[str, Sequence[Bar]],
    *,
    y_label: str,
    x_label: str = "",
    value_format: str = "{:.3g}",
) -> None:
    """Groups of bars with one bar per series, each with its spread, and its value on top."""
    _check("bars", series)
    width = 0.8 / len(series)
    for number, (name, several) in enumerate(series.items()):
        _same_length("bars", name, groups, several)
        places = [group - 0.4 + (number + 0.5) * width for group in range(len(groups))]
        colour = COLOURS[number % len(COLOURS)]
        axes.bar(places, [each.value for each in several], width * 0.92, color=colour, label=name)
        for place, each in zip(places, several, strict=True):
            low = each.value if each.low is None else each.low
            high = each.value if each.high is None else each.high
            if low != high:
                axes.vlines(place, low, high, color="black", linewidth=1.2)
            text = value_format.format(each.value)
            axes.annotate(
                text, (place, high), (0, 2), textcoords="offset points", ha="center", fontsize=9
            )
    axes.set_xticks(range(len(groups)), groups)
    axes.tick_params(axis="x", length=0)
    axes.margins(y=0.12)
    axes.set_ylim(bottom=0)
    axes.set(xlabel=x_label, ylabel=y_label)
    if len(series) > 1:
        axes.legend(frameon=False, ncols=len(series), loc="lower right", bbox_to_anchor=(1, 1))


def _check(chart: str, series: Mapping[str, Sequence[object]]) -> None:
    if not series:
        raise ValueError(f"{chart}: no series to draw")
    for name, values in series.items():
        if not len(values):
            raise ValueError(f"{chart}: series {name!r} is empty")


def _same_length(chart: str, name: str, xs: Sequence[object], ys: Sequence[object]) -> None:
    if len(xs) != len(ys):
        raise ValueError(f"{chart}: series {name!r} has {len(ys)} values for {len(xs)} places")


def _events(axes: Axes, events: Sequence[tuple[str, float]]) -> None:
    for name, second in events:
        axes.axvline(second, color=GREY, linewidth=1, linestyle=":")
        axes.annotate(
            name,
            (second, 1),
            (3, -2),
            xycoords=axes.get_xaxis_transform(),
            textcoords="offset points",
            va="top",
            fontsize=9,
        )


def _name_right(axes: Axes, ends: Sequence[tuple[float, str, str]]) -> None:
    """Write names beside the right ends of lines, moved apart where they would overlap."""
    low, high = axes.get_ylim()
    figure = axes.get_figure(root=True)
    assert figure is not None
    rows = len(figure.axes)
    # An estimate of the chart's height, because the layout is only known after drawing.
    points = figure.get_size_inches()[1] * 72 / rows * 0.75
    apart = (high - low) * _LABEL_POINTS / points
    ordered = sorted(ends)
    places: list[float] = []
    for value, _, _ in ordered:
        places.append(max(value, places[-1] + apart) if places else value)
    for (value, name, colour), place in zip(ordered, places, strict=True):
        axes.annotate(
            name,
            (1, value),
            (6, (place - value) / (high - low) * points),
            xycoords=axes.get_yaxis_transform(),
            textcoords="offset points",
            va="center",
            color=colour,
            annotation_clip=False,
        )
