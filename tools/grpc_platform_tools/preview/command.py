"""`grpc-platform preview`: run the program, write the files, print the summary."""

import json
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from grpc_platform_tools.errors import UserError
from grpc_platform_tools.graph import Graph
from grpc_platform_tools.preview.manifests import manifests
from grpc_platform_tools.preview.stack_file import StackFile, read_stack_file
from grpc_platform_tools.preview.summary import Summary, as_markdown, print_summary, summarise
from grpc_platform_tools.preview.topology import topology
from grpc_platform_tools.progress import progress

_GRAPH_FILE = "resources.json"
OUTPUTS_FILE = "outputs.json"
"""The stack's outputs, in a preview's folder."""


def run_preview(stack: str, directory: Path, output: Path | None) -> None:
    """Render `stack` of the program in `directory` into `output` and say what was found.

    Raises whatever carries `problems` (grpc_platform_tools.errors) instead of printing it.
    """
    started = time.monotonic()
    stack_file = read_stack_file(directory, stack)
    target = output or preview_folder(directory, stack)
    summary, written = render(stack, stack_file, directory, target)
    console = Console(highlight=False)
    print_summary(summary, console)
    took = time.monotonic() - started
    console.print(
        f"\nWrote {target} ({written} manifests) in {took:.1f} s", markup=False, soft_wrap=True
    )


def preview_folder(directory: Path, stack: str) -> Path:
    """Where the files of a preview go by default."""
    return directory / "build" / "preview" / stack


def render(stack: str, stack_file: StackFile, directory: Path, target: Path) -> tuple[Summary, int]:
    """Render `stack` into `target`; returns what was found, and the number of manifests."""
    _refuse_strange(target)
    with progress(f"previewing {stack}"):
        # This import is half of a short preview, so a mistyped stack fails before it.
        from grpc_platform_tools.preview.program import run_program

        graph = run_program(directory, stack, stack_file)
        summary = summarise(graph, stack)
        try:
            return summary, write_preview(graph, summary, target)
        except OSError as error:  # read-only, full, or another preview wrote here meanwhile
            raise UserError(f"{target} cannot be written: {error.strerror}") from error


def write_preview(graph: Graph, summary: Summary, target: Path) -> int:
    """Write every file, so that `target` holds either the whole run or the whole previous one.
    Returns the number of manifests."""
    found = manifests(graph)
    with _replaced(target) as folder:
        graph.save(folder / _GRAPH_FILE)
        for manifest in found:
            path = folder / "manifests" / manifest.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(manifest.text())
        # Fixtures of a stack that refers to this one may use it: see fixture_file.
        (folder / OUTPUTS_FILE).write_text(_json(graph.exports))
        (folder / "dns.json").write_text(_json([asdict(chain) for chain in summary.chains]))
        (folder / "topology.mmd").write_text(topology(graph, summary.chains))
        (folder / "summary.md").write_text(as_markdown(summary))
    return len(found)


def _json(value: object) -> str:
    return json.dumps(value, indent=2) + "\n"


def _refuse_strange(target: Path) -> None:
    """Refuse a folder that holds anything but a preview: everything in the target is deleted."""
    if not target.exists() or (target / _GRAPH_FILE).is_file():
        return
    if not target.is_dir() or any(target.iterdir()):
        raise UserError(f"{target} holds something other than a preview; name another --output")


@contextmanager
def _replaced(target: Path) -> Generator[Path]:
    """A folder to fill; it replaces `target` when the block ends without an error."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as beside:
        new, old = Path(beside, "new"), Path(beside, "old")
        new.mkdir()
        yield new
        if target.exists():
            target.rename(old)
        try:
            new.rename(target)
        except BaseException:
            if old.exists():
                old.rename(target)
            raise
