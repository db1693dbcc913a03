"""The panels of a dashboard as pictures, a picture for each row."""

# matplotlib leaves its keyword arguments without a type.
# pyright: reportUnknownMemberType=false

from collections.abc import Iterator, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from experiments import plots
from experiments.dashboards_page import picture
from experiments.experiment import Result

_COLUMNS = 2
_HEIGHT = 2.6
_MOST = 8  # names that fit below a chart
_UNITS = {
    "reqps": "calls/s",
    "cps": "per second",
    "ms": "ms",
    "s": "s",
    "d": "days",
    "percent": "%",
    "percentunit": "%",
    "×": "×",
    "short": "",
}


def draw(result: Result) -> dict[str, Figure]:
    """A picture for each row of each dashboard, its panels beside each other."""
    return {
        picture(name, row["title"]): _row(result, row["panels"])
        for name, board in result["dashboards"].items()
        for row in board["rows"]
    }


def _row(result: Result, panels: Sequence[Result]) -> Figure:
    titles = [panel["title"] for panel in panels]
    with plots.panels(*titles, height=_HEIGHT, columns=_COLUMNS) as (figure, axes):
        for each, panel in zip(axes, panels, strict=True):
            _panel(each, panel, result)
    return figure


def _panel(axes: Axes, panel: Result, result: Result) -> None:
    factor = 100 if panel["unit"] == "percentunit" else 1
    lines = [(name, [None if v is None else factor * v for v in vs]) for name, vs in _lines(panel)]
    seconds = [number * result["step"] for number in range(max(len(vs) for _, vs in lines))]
    if panel["stacked"]:
        rows = [[v or 0 for v in values] for _, values in lines]
        colours = [_colour(number) for number in range(len(rows))]
        axes.stackplot(seconds, rows, colors=colours, labels=[name for name, _ in lines], alpha=0.8)
    else:
        for number, (name, values) in enumerate(lines):
            points = [float("nan") if value is None else value for value in values]
            axes.plot(seconds, points, color=_colour(number), linewidth=1.2, label=name)
    if panel["limit"] is not None:
        axes.axhline(factor * panel["limit"], color="red", linewidth=1, linestyle="--")
    for number, (_, at) in enumerate(result["events"], 1):
        axes.axvline(at, color=plots.GREY, linewidth=0.8, linestyle=":")
        axes.annotate(
            str(number),
            (at, 1),
            (2, -1),
            xycoords=axes.get_xaxis_transform(),
            textcoords="offset points",
            va="top",
            fontsize=7,
        )
    axes.margins(x=0)
    highest = max((v or 0 for _, values in lines for v in values), default=0)
    axes.set_ylim(0, None if highest else 1)
    axes.tick_params(labelsize=8)
    axes.set_ylabel(_UNITS[panel["unit"]], fontsize=8)
    axes.xaxis.set_major_formatter(FuncFormatter(_minutes))
    axes.set_xticks(range(0, int(seconds[-1]) + 1, 120))
    handles, names = axes.get_legend_handles_labels()
    more = [f"and {len(names) - _MOST} more"] if len(names) > _MOST else []
    axes.legend(
        handles[:_MOST],
        [*names[: _MOST - len(more)], *more],
        frameon=False,
        fontsize=7,
        ncols=2,
        loc="upper left",
        bbox_to_anchor=(0, -0.12),
    )


def _lines(panel: Result) -> Iterator[tuple[str, list[float | None]]]:
    for query in panel["queries"]:
        for series in query["series"]:
            yield _short(series["name"]), series["values"]


def _short(name: str) -> str:
    """The end of a pod's name, which tells it from the others."""
    kind, _, rest = name.partition("-")
    return f"{kind} {rest.rpartition('-')[2]}" if kind in ("envoy", "contour") and rest else name


def _minutes(second: float, _: int) -> str:
    return f"{second / 60:g} min"


def _colour(number: int) -> str:
    return plots.COLOURS[number % len(plots.COLOURS)]
