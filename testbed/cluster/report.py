"""The report of a run: JSON for programs, markdown for a page, a table for a terminal."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

REPORTS = ("report.json", "report.md")


@dataclass(frozen=True, kw_only=True)
class Route:
    """The calls of one service and their path."""

    service: str
    chain: tuple[str, ...]
    """The name dialled, the CNAME's target, Envoy's addresses."""
    made: int
    failed: int
    codes: dict[str, int]
    envoys: dict[str, int]
    """Calls by Envoy pod."""
    servers: dict[str, int]
    """Calls by server pod."""
    milliseconds: dict[str, float]
    direct_milliseconds: dict[str, float] | None = None
    """Calls that bypass Envoy, alternating with calls through it in one run."""

    @property
    def added(self) -> dict[str, float]:
        """Latency that Envoy adds to a call, in milliseconds, by quantile."""
        direct = self.direct_milliseconds or {}
        return {q: self.milliseconds[q] - direct[q] for q in direct if q in self.milliseconds}


@dataclass(frozen=True, kw_only=True)
class Part:
    """One program that ran."""

    name: str
    version: str
    processes: int
    mebibytes: float
    ready_seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class Command:
    """One command of the engine."""

    command: str
    changes: Mapping[str, int]
    """Resources by operation."""
    seconds: float

    @property
    def resources(self) -> str:
        """`49 create`."""
        return ", ".join(f"{count} {op}" for op, count in self.changes.items())


@dataclass(frozen=True, kw_only=True)
class Report:
    """The result of one run of the local cluster."""

    stack: str
    routes: tuple[Route, ...]
    parts: tuple[Part, ...]
    seconds: dict[str, float]
    """How long each step took."""
    first_call_seconds: float
    """From the start of the command to the first answered call."""
    differences: tuple[str, ...] = ()
    """Where this cluster differs from the manifests."""
    engine: tuple[Command, ...] = ()
    """What the real engine did, if it deployed the stack."""
    problems: tuple[str, ...] = field(default=())
    """Why the run failed although it completed."""

    @property
    def calls(self) -> dict[str, int]:
        """Calls made and failed, over all services."""
        return {
            "made": sum(route.made for route in self.routes),
            "failed": sum(route.failed for route in self.routes),
        }

    @property
    def green(self) -> bool:
        """Whether every service was called and no call failed."""
        return not self.problems and not self.calls["failed"] and all(r.made for r in self.routes)

    def save(self, directory: Path) -> None:
        """Write report.json and report.md."""
        data: dict[str, Any] = {"calls": self.calls, "green": self.green, **asdict(self)}
        for_programs, for_people = (directory / name for name in REPORTS)
        for_programs.write_text(json.dumps(data, indent=2) + "\n")
        for_people.write_text(self.markdown())

    def markdown(self) -> str:
        """The report as a page."""
        calls = self.calls
        lines = [
            f"# Local cluster: stack {self.stack}",
            "",
            f"{calls['made']} calls, {calls['failed']} failed; "
            f"first call {self.first_call_seconds:.1f} s after the start.",
        ]
        for route in self.routes:
            lines += ["", f"## {route.service}", "", "```", *tree(route), "```"]
        lines += ["", "| part | version | processes | MiB | ready after |", "|---|---|---|---|---|"]
        for part in self.parts:
            ready = f"{part.ready_seconds:.1f} s" if part.ready_seconds is not None else ""
            lines.append(
                f"| {part.name} | {part.version} | {part.processes} "
                f"| {part.mebibytes:.0f} | {ready} |"
            )
        lines += ["", "| step | seconds |", "|---|---|"]
        lines += [f"| {step} | {seconds:.1f} |" for step, seconds in self.seconds.items()]
        if self.engine:
            lines += ["", "| pulumi | resources | seconds |", "|---|---|---|"]
            lines += [
                f"| {done.command} | {done.resources} | {done.seconds} |" for done in self.engine
            ]
        for title, items in (
            ("What differs from the manifests", self.differences),
            ("Problems", self.problems),
        ):
            if items:
                lines += ["", f"## {title}", "", *(f"- {item}" for item in items)]
        return "\n".join(lines) + "\n"

    def show(self, console: Console) -> None:
        """Print it for a person."""
        for route in self.routes:
            style = "green" if route.made and not route.failed else "red"
            console.print(
                Panel("\n".join(tree(route)), title=route.service, title_align="left",
                      border_style=style, expand=False)
            )  # fmt: skip
        table = Table(box=None, padding=(0, 2), header_style="dim")
        for heading in ("part", "version"):
            table.add_column(heading)
        for heading in ("processes", "MiB", "ready after"):
            table.add_column(heading, justify="right")
        for part in self.parts:
            ready = f"{part.ready_seconds:.1f} s" if part.ready_seconds is not None else ""
            table.add_row(
                part.name, part.version, str(part.processes), f"{part.mebibytes:.0f}", ready
            )
        console.print(table)
        for done in self.engine:
            console.print(f"pulumi {done.command}: {done.resources} [dim]{done.seconds} s[/]")
        for item in self.differences:
            console.print("[yellow]![/]", escape(item), soft_wrap=True)
        for item in self.problems:
            console.print("[red]✗[/]", escape(item), soft_wrap=True)
        calls = self.calls
        style = "bold green" if self.green else "bold red"
        console.print(
            f"[{style}]{calls['made']} calls, {calls['failed']} failed[/]; first call "
            f"{self.first_call_seconds:.1f} s after the start"
        )


def tree(route: Route) -> list[str]:
    """The path of a service's calls, one line per hop."""
    lines = [route.chain[0]]
    lines += [f"{'   ' * depth}└─ {hop}" for depth, hop in enumerate(route.chain[1:])]
    made = max(1, sum(route.servers.values()))
    for title, counts in (("Envoy", route.envoys), ("server", route.servers)):
        shares = (f"{pod} {100 * count / made:.0f} %" for pod, count in sorted(counts.items()))
        lines.append(f"{title}: {', '.join(shares)}")
    codes = ", ".join(f"{code} {count}" for code, count in sorted(route.codes.items()))
    times = ", ".join(f"{q} {value:.1f} ms" for q, value in route.milliseconds.items())
    lines.append(f"calls: {codes}; {times}")
    if route.added:
        added = ", ".join(f"{q} {value:+.2f} ms" for q, value in route.added.items())
        lines.append(f"Envoy adds: {added} (against calls past it, in turn)")
    return lines
