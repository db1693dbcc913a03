"""Shows progress while the cluster starts: the steps, and how far a build is."""

import time
from collections.abc import Generator
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from testbed.cluster.build import Builder, Progress

_PLAIN_EVERY = 15.0  # seconds between lines about a build, without a terminal
_EXPLANATION = "building what has no package, once; after Ctrl-C the next run continues"


class Display:
    """Steps with their times: updated live on a terminal, elsewhere one line per finished step."""

    def __init__(self, console: Console, builder: Builder) -> None:
        self.seconds: dict[str, float] = {}
        self._console = console
        self._builder = builder
        self._began = time.monotonic()
        self._step: tuple[str, float] | None = None
        self._live = Live(
            console=console, get_renderable=self._render, refresh_per_second=8, transient=True
        )
        self._said = 0.0
        self._built: set[str] = set()
        self._explained = False

    def __enter__(self) -> "Display":
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._live.stop()

    @contextmanager
    def step(self, name: str) -> Generator[None]:
        """Show ``name`` as the current step, and its time when it is done."""
        started = time.monotonic()
        self._step = (name, started)
        try:
            yield
        except BaseException:
            self._console.print(f"[red]✗[/] {name}")
            raise
        finally:
            self._step = None
        self.seconds[name] = took = time.monotonic() - started
        self._console.print(f"[green]✓[/] {name} [dim]{took:.1f} s[/]")

    def tick(self) -> None:
        """Print each built part once; without a terminal, also print a build's progress now and
        then."""
        for part in self._builder.progress():
            if part.state == "building" and not self._explained:
                self._explained = True
                self._console.print(f"  [dim]{_EXPLANATION}[/]")
            if part.state == "built" and part.part not in self._built:
                self._built.add(part.part)
                self._console.print(f"  [dim]built {part.part} in {part.seconds:.0f} s[/]")
        now = time.monotonic()
        if self._console.is_terminal or now - self._said < _PLAIN_EVERY:
            return
        resting = ("ready", "waiting", "built", "failed")
        building = [p for p in self._builder.progress() if p.state not in resting]
        if building:
            self._said = now
            self._console.print("  " + ", ".join(_line(p) for p in building))

    def _render(self) -> RenderableType:
        rows: list[RenderableType] = []
        building = [p for p in self._builder.progress() if p.state not in ("ready", "built")]
        if building:
            table = Table.grid(padding=(0, 2))
            for part in self._builder.progress():
                bar: RenderableType = Text(part.state, style="dim")
                if part.total:
                    bar = ProgressBar(total=part.total, completed=part.done, width=30)
                count = f"{part.done}/{part.total} packages" if part.total else ""
                took = f"{part.seconds:.0f} s" if part.seconds else ""
                table.add_row("  " + part.part, bar, count, Text(took, style="dim"))
            rows.append(table)
        if self._step:
            name, started = self._step
            rows.append(Text(f"… {name}  {time.monotonic() - started:.0f} s", style="bold"))
        return Group(*rows)


def _line(part: Progress) -> str:
    if part.total:
        return f"{part.part} {part.done}/{part.total} packages"
    return f"{part.part} {part.state}"
