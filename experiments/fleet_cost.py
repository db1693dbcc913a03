"""The cost of Envoy as a Deployment with an autoscaler, compared with a DaemonSet on the same
nodes.

`python -m experiments.fleet_cost curve.csv --nodes 5` replays a load curve (see experiments.curves
for the file's form) on both, with the autoscaler that `Envoy` makes.
"""

import argparse
import json
import math
import sys
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from grpc_platform.specs import ContourSpec, EnvoySpec
from grpc_platform.specs.contour import Timeouts
from grpc_platform.timing import parse_duration

from .autoscaler import SYNC_PERIOD_SECONDS, Settings
from .curves import FOLDER, SHAPES, Curve, CurveError, read
from .design import Setup, designed
from .fleet import Run, autoscaled, on_every_node

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHAPE_NODES = 5
"""The nodes that the committed curves are for."""

NODES = (5, 20, 50, 100)
TARGETS = (40, 50, 60, 70, 80)
WINDOWS = (0, 60, 300, 442, 900, 1800)
"""Seconds; 442 is the default's, `Timing().rebalance_time`."""

_WORTH_PERCENT = 10
"""A smaller saving is not worth the extra moving parts."""

_SERIES_POINTS = 300


def compare(curve: Curve, nodes: int, setup: Setup) -> dict[str, Any]:
    """Both fleets under one curve: figures, the better one and why, and lines to plot."""
    settings = setup.autoscaler
    hpa = autoscaled(curve, settings, cpu=setup.cpu, delays=setup.delays)
    daemons = on_every_node(curve, nodes, cpu=setup.cpu, delays=setup.delays)
    figures = {"hpa": _figures(hpa, settings), "daemon_set": _figures(daemons, settings)}
    saving = round(100 * (1 - hpa.pod_hours / daemons.pod_hours), 1)
    safe = None
    if hpa.minutes_over(1) > daemons.minutes_over(1):
        safe = _safe_minimum(curve, nodes, setup, daemons)
    better, because = _judge(figures["hpa"], figures["daemon_set"], saving, safe)
    return {
        "curve": curve.name,
        "hours": curve.duration / 3600,
        "nodes": nodes,
        "min_replicas": settings.min_replicas,
        "max_replicas": settings.max_replicas,
        "target_utilization": settings.target_utilization,
        **figures,
        "saving_percent": saving,
        "better": better,
        "because": because,
        "safe_minimum": safe,
        "series": _series(hpa, daemons, setup),
    }


def _figures(run: Run, settings: Settings) -> dict[str, float]:
    """ "Over the target" means far enough over it that the autoscaler would act: it counts in whole
    percent and has a tolerance."""
    tolerated = math.floor(settings.target_utilization * (1 + settings.tolerance))
    return {
        "pod_hours": round(run.pod_hours, 1),
        "peak_pods": max(run.pods),
        "highest_utilization_percent": round(100 * max(run.busiest), 1),
        "minutes_over_target": run.minutes_over((tolerated + 1) / 100),
        "minutes_over_100": run.minutes_over(1),
    }


def _judge(
    hpa: dict[str, float], daemons: dict[str, float], saving: float, safe: dict[str, float] | None
) -> tuple[str, str]:
    """`hpa`, `hpa_with_higher_minimum` or `daemon_set`, and why."""
    if hpa["minutes_over_100"] > daemons["minutes_over_100"]:
        outrun = (
            f"the load rises faster than a new Envoy takes its share: {hpa['minutes_over_100']:g} "
            "minutes over 100 %"
        )
        if safe is None or safe["saving_percent"] < _WORTH_PERCENT:
            return "daemon_set", outrun
        return "hpa_with_higher_minimum", (
            f"{outrun}; with min_replicas {safe['min_replicas']:g} it is as safe as a DaemonSet, "
            f"for {safe['saving_percent']:g} % fewer pod-hours"
        )
    if daemons["minutes_over_100"] > hpa["minutes_over_100"]:
        return "hpa", "one Envoy on each node is not enough at the peak"
    if saving < _WORTH_PERCENT:
        return "daemon_set", f"the autoscaler saves under {_WORTH_PERCENT} %"
    return "hpa", f"{saving:g} % fewer pod-hours, and no more minutes over 100 %"


def _safe_minimum(curve: Curve, nodes: int, setup: Setup, daemons: Run) -> dict[str, float] | None:
    """The smallest `min_replicas` that is overloaded for no longer than the DaemonSet, and its
    cost."""
    least = setup.autoscaler.min_replicas
    choices = range(least, max(least, min(nodes, setup.autoscaler.max_replicas)) + 1)

    def run(minimum: int) -> Run:
        settings = replace(setup.autoscaler, min_replicas=minimum)
        return autoscaled(curve, settings, cpu=setup.cpu, delays=setup.delays)

    def is_safe(minimum: int) -> bool:
        return run(minimum).minutes_over(1) <= daemons.minutes_over(1)

    found = bisect_left(choices, True, key=is_safe)
    if found == len(choices):
        return None
    hours = run(choices[found]).pod_hours
    saving = 100 * (1 - hours / daemons.pod_hours)
    return {
        "min_replicas": choices[found],
        "pod_hours": round(hours, 1),
        "saving_percent": round(saving, 1),
    }


def _series(hpa: Run, daemons: Run, setup: Setup) -> dict[str, list[float]]:
    """Thinned to a chart's resolution, keeping the highest of the values that fall together."""
    width = -(-len(hpa.pods) // _SERIES_POINTS)
    per_pod = setup.cpu * setup.autoscaler.target_utilization / 100

    def thin(values: Sequence[float]) -> list[float]:
        groups = (values[start : start + width] for start in range(0, len(values), width))
        return [round(max(group), 3) for group in groups]

    hours = [start * SYNC_PERIOD_SECONDS / 3600 for start in range(0, len(hpa.pods), width)]
    return {
        "hour": [round(each, 4) for each in hours],
        "needed": thin([each / per_pod for each in hpa.demand]),
        "hpa_pods": thin(hpa.pods),
        "daemon_set_pods": thin(daemons.pods),
        "hpa_busiest_percent": thin([100 * each for each in hpa.busiest]),
        "daemon_set_busiest_percent": thin([100 * each for each in daemons.busiest]),
    }


def sweep(
    curve: Curve,
    setup: Setup,
    *,
    targets: Sequence[int] = TARGETS,
    windows: Sequence[int] = WINDOWS,
) -> list[dict[str, Any]]:
    """The same fleet with other targets (percent) and scale-down windows (seconds)."""
    rows: list[dict[str, Any]] = []
    for target in targets:
        for window in windows:
            down = replace(setup.autoscaler.scale_down, stabilization_window_seconds=window)
            settings = replace(setup.autoscaler, target_utilization=target, scale_down=down)
            run = autoscaled(curve, settings, cpu=setup.cpu, delays=setup.delays)
            changes = sum(one != other for one, other in zip(run.pods, run.pods[1:], strict=False))
            rows.append(
                {
                    "curve": curve.name,
                    "target_utilization": target,
                    "scale_down_window_seconds": window,
                    **_figures(run, settings),
                    "changes": changes,
                }
            )
    return rows


def study(nodes: Sequence[int] = NODES) -> dict[str, Any]:
    """Every committed curve on every size of cluster, and the effect of other settings.

    The demand grows with the nodes. So does the maximum fleet, so that it never limits.
    """
    curves = [read(FOLDER / f"{name}.csv") for name in SHAPES]
    comparisons: list[dict[str, Any]] = []
    for count in nodes:
        setup = designed(EnvoySpec(max_replicas=max(EnvoySpec().max_replicas, count)))
        comparisons += [compare(each.times(count / SHAPE_NODES), count, setup) for each in curves]
    setup = designed()
    return {
        "settings": {**asdict(setup.autoscaler), "cpu": setup.cpu, "delays": asdict(setup.delays)},
        "comparisons": comparisons,
        "sweep": [row for each in curves if each.name != "week" for row in sweep(each, setup)],
    }


def draw(comparison: dict[str, Any]) -> "Figure":
    """Plot the result of `compare`: Envoys over time, and the busiest one."""
    # Imported only here: the figures need no matplotlib, which is in the local group.
    from . import plots

    series = comparison["series"]
    hours = series["hour"]
    names = {"Deployment + HPA": "hpa", "DaemonSet": "daemon_set"}
    saving = comparison["saving_percent"]
    title = f"Envoy pods, {comparison['curve']} on {comparison['nodes']} nodes: "
    title += f"{saving:.0f} % fewer pod-hours with the autoscaler"
    with plots.panels(title, "The busiest Envoy", height=2.6) as (figure, (pods, busiest)):
        plots.lines(
            pods,
            {label: (hours, series[f"{key}_pods"]) for label, key in names.items()},
            y_label="pods",
            steps=True,
            area={f"needed at {comparison['target_utilization']} %": (hours, series["needed"])},
        )
        plots.lines(
            busiest,
            {label: (hours, series[f"{key}_busiest_percent"]) for label, key in names.items()},
            y_label="% of its CPU",
            x_label="hour",
            x_ticks=range(0, int(comparison["hours"]) + 1, 4 if comparison["hours"] <= 24 else 24),
            marks={"target": comparison["target_utilization"], "limit": 100},
        )
    return figure


def show(console: Console, found: dict[str, Any]) -> None:
    """A table of one comparison, and the verdict."""
    table = Table(box=None)
    table.add_column(f"{found['curve']}, {found['hours']:g} h, {found['nodes']} nodes")
    for heading in ("Deployment + HPA", "DaemonSet"):
        table.add_column(heading, justify="right")
    for key, text in {
        "pod_hours": "pod-hours",
        "peak_pods": "peak pods",
        "highest_utilization_percent": "busiest Envoy, % of its CPU",
        "minutes_over_target": "minutes it was over the target",
        "minutes_over_100": "minutes it was over 100 %",
    }.items():
        table.add_row(text, f"{found['hpa'][key]:g}", f"{found['daemon_set'][key]:g}")
    console.print(table)
    console.print(f"saved by the autoscaler: {found['saving_percent']:g} % of the pod-hours")
    name = "DaemonSet" if found["better"] == "daemon_set" else "Deployment + HPA"
    console.print(f"better here: {name}: {found['because']}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Compare under one curve; an option left out is the design's default."""
    spec = EnvoySpec()
    parser = argparse.ArgumentParser(prog="python -m experiments.fleet_cost", description=__doc__)
    parser.add_argument("curve", type=Path)
    parser.add_argument("--nodes", type=int, default=SHAPE_NODES)
    parser.add_argument("--min-replicas", type=int, default=spec.min_replicas)
    parser.add_argument("--max-replicas", type=int, help="(default: as many as nodes, or 10)")
    parser.add_argument("--target", type=int, default=spec.target_cpu_utilization, help="percent")
    parser.add_argument("--cpu", default=spec.cpu, help="of each Envoy (default: %(default)s)")
    parser.add_argument("--max-connection-duration", type=parse_duration, default="5m")
    parser.add_argument("--cpu-seconds-per-request", type=float)
    parser.add_argument("--json", action="store_true", help="print all, with the lines, as JSON")
    parser.add_argument("--plot", type=Path, metavar="DIRECTORY", help="draw SVG and PNG there")
    asked = parser.parse_args(arguments)
    if asked.nodes < 1:
        raise SystemExit("--nodes: at least 1")
    try:
        curve = read(asked.curve, cpu_seconds_per_request=asked.cpu_seconds_per_request)
        setup = designed(
            EnvoySpec(
                min_replicas=asked.min_replicas,
                max_replicas=asked.max_replicas or max(spec.max_replicas, asked.nodes),
                target_cpu_utilization=asked.target,
                cpu=asked.cpu,
            ),
            ContourSpec(timeouts=Timeouts(max_connection_duration=asked.max_connection_duration)),
        )
    except (CurveError, OSError, ValueError) as error:
        raise SystemExit(str(error)) from error
    found = compare(curve, asked.nodes, setup)
    if asked.json:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
    else:
        show(Console(highlight=False), found)
    if asked.plot:
        from . import plots

        plots.save(draw(found), asked.plot, f"fleet-cost-{found['curve']}")


if __name__ == "__main__":
    main()
