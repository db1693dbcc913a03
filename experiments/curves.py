"""Load curves: the CPU demand on a fleet of Envoys over time.

`python -m experiments.curves` writes the shapes below to experiments/curves/, in 5-minute steps and
for a cluster of 5 nodes. They are synthetic sums of bell curves and steps, not from a real service.
"""

import csv
import math
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

FOLDER = Path(__file__).parent / "curves"
STEP_SECONDS = 300
_DAY = 86_400


class CurveError(Exception):
    """A curve's file is not valid."""


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Points in time, from 0 s on and in order; straight lines between them."""

    name: str
    seconds: tuple[float, ...]
    cores: tuple[float, ...]
    """The demand on the whole fleet."""
    nodes: tuple[int, ...] = ()
    """The number of nodes that the applications need from that second on, if the file has it."""

    @property
    def duration(self) -> float:
        """Seconds from the first point to the last."""
        return self.seconds[-1]

    def cores_at(self, second: float) -> float:
        """The demand at that second, which must be within the curve."""
        right = min(bisect_right(self.seconds, second), len(self.seconds) - 1)
        start, end = self.seconds[right - 1], self.seconds[right]
        share = (second - start) / (end - start)
        return self.cores[right - 1] + share * (self.cores[right] - self.cores[right - 1])

    def nodes_at(self, second: float, otherwise: int) -> int:
        """The nodes at that second; `otherwise` if the curve has none."""
        if not self.nodes:
            return otherwise
        return self.nodes[bisect_right(self.seconds, second) - 1]

    def times(self, factor: float) -> "Curve":
        """The same shape for a cluster that many times as large."""
        return Curve(
            name=self.name,
            seconds=self.seconds,
            cores=tuple(each * factor for each in self.cores),
            nodes=tuple(math.ceil(each * factor) for each in self.nodes),
        )


def read(path: Path, *, cpu_seconds_per_request: float | None = None) -> Curve:
    """Read a CSV: `second,cores` or `second,requests_per_second`, and optionally `nodes`.

    Lines that begin with # are comments. Raises CurveError with the file and what is wrong.
    """
    with path.open(newline="") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    columns = set(rows[0]) if rows else set[str]()
    if len(rows) < 2 or "second" not in columns:
        raise CurveError(f"{path}: needs a header with `second`, and two points at least")
    if "cores" in columns:
        column, cost = "cores", 1.0
    elif "requests_per_second" in columns:
        if cpu_seconds_per_request is None:
            raise CurveError(f"{path}: requests_per_second needs the CPU seconds of a request")
        column, cost = "requests_per_second", cpu_seconds_per_request
    else:
        raise CurveError(f"{path}: needs a column `cores` or `requests_per_second`")
    try:
        seconds = [float(row["second"]) for row in rows]
        cores = [float(row[column]) * cost for row in rows]
        nodes = [int(row["nodes"]) for row in rows] if "nodes" in columns else []
    except (TypeError, ValueError) as error:
        raise CurveError(f"{path}: {error}") from error
    if (
        not all(map(math.isfinite, (*seconds, *cores)))
        or min(cores) < 0
        or min(nodes, default=1) < 1
    ):
        raise CurveError(f"{path}: demand must be finite and not below 0, nodes at least 1")
    if any(later <= earlier for earlier, later in pairwise(seconds)):
        raise CurveError(f"{path}: seconds must rise")
    return Curve(
        name=path.stem,
        seconds=tuple(each - seconds[0] for each in seconds),
        cores=tuple(cores),
        nodes=tuple(nodes),
    )


def _bell(second: float, hour: float, width_hours: float) -> float:
    return math.exp(-(((second / 3600 - hour) / width_hours) ** 2) / 2)


def _working_day(second: float) -> float:
    return 0.15 + 2.2 * _bell(second, 10.5, 1.3) + 1.7 * _bell(second, 15.5, 1.6)


def _flat(second: float) -> float:  # noqa: ARG001
    return 2.7


def _spike(second: float) -> float:
    return 3.2 if 12 * 3600 <= second < 12.5 * 3600 else 0.5


def _bursts(second: float) -> float:
    return 2.2 if second % 1800 < 600 else 0.8


def _week(second: float) -> float:
    day = second // _DAY
    return _working_day(second % _DAY) * (1.0 if day < 5 else 0.3)


SHAPES: dict[str, tuple[int, Callable[[float], float], str]] = {
    "working-day": (1, _working_day, "0.15 + 2.2 at 10:30 (sd 1.3 h) + 1.7 at 15:30 (sd 1.6 h)"),
    "flat": (1, _flat, "always 2.7: 5 Envoys at 60 %, one for each node"),
    "spike": (1, _spike, "0.5; within 5 minutes of 11:55 3.2, for half an hour"),
    "bursts": (1, _bursts, "0.8, and 2.2 in the first 10 minutes of each half hour"),
    "week": (7, _week, "working-day Monday to Friday, 0.3 of it at the weekend"),
}


def write(folder: Path = FOLDER) -> None:
    """Write every shape as CSV."""
    for name, (days, shape, text) in SHAPES.items():
        rows = [f"# cores of a 5-node cluster's Envoys: {text}; generated by experiments.curves"]
        rows += ["second,cores"]
        seconds = range(0, days * _DAY + 1, STEP_SECONDS)
        rows += [f"{second},{shape(second):.3f}" for second in seconds]
        (folder / f"{name}.csv").write_text("\n".join(rows) + "\n")


if __name__ == "__main__":
    write()
