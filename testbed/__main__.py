"""`python -m testbed`: the commands."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from grpc_platform_tools.progress import progress
from testbed.cluster.errors import LocalError, tell

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

_Directory = Annotated[
    Path,
    typer.Option(
        metavar="DIR", exists=True, file_okay=False, help="Where Pulumi.yaml and __main__.py are."
    ),
]
_PASS_ON = {"ignore_unknown_options": True, "allow_interspersed_args": False}


@app.callback()
def main() -> None:
    """A real cluster of processes on this machine: no Docker, no cloud."""
    out: Any = sys.stdout  # typed as one that cannot be reconfigured
    out.reconfigure(errors="replace")  # a terminal may not have all characters


@app.command()
def up(
    stack: Annotated[str, typer.Argument(help="The <stack> of a Pulumi.<stack>.yaml.")] = "local",
    program: _Directory = Path(),
    graph: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="Deploy this resources.json, not a fresh preview.",
        ),
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the cluster up afterwards.")] = False,
    engine: Annotated[
        bool,
        typer.Option("--engine", help="Deploy by pulumi up, and end with pulumi destroy."),
    ] = False,
) -> None:
    """Start a cluster, deploy a stack, send gRPC calls through it, report, tear it down.

    Builds what is missing first (minutes, once). Leaves build/local/report.json and report.md.
    Exit status: 0 when every call went well, 1 otherwise.
    """
    console = Console(highlight=False)
    with _failures_told(console):
        from testbed.cluster import run

        report = run.up(
            program.resolve(), console, stack=stack, graph=graph, keep=keep, engine=engine
        )
    if not report.green:
        raise typer.Exit(1)


@app.command()
def deploy(
    graph: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", exists=True, dir_okay=False, help="A preview's resources.json."
        ),
    ],
) -> None:
    """Deploy a previewed stack to a kept cluster, beside the stacks that are there."""
    console = Console(highlight=False)
    with _failures_told(console), progress("deploying"):
        from testbed.cluster import run

        done = run.deploy_beside(Path.cwd(), graph)
    made = f"deployed {len(done.objects)} objects and {len(done.records)} names"
    names = ", ".join(record["Name"] for record in done.records)
    console.print(f"{made}: {names}" if names else made, soft_wrap=True)


@app.command()
def down(program: _Directory = Path()) -> None:
    """End a cluster that was kept up."""
    console = Console(highlight=False)
    with _failures_told(console):
        from testbed.cluster import run

        was_up = run.down(program.resolve())
    console.print("the local cluster is gone" if was_up else "no local cluster was up")


@app.command(name="exec", context_settings=_PASS_ON)
def exec_(
    arguments: Annotated[
        list[str], typer.Argument(metavar="[-c CONTAINER] NAMESPACE/POD [-- COMMAND...]")
    ],
) -> None:
    """Run a command, or a shell, in a pod of a kept cluster; a Deployment's name is one of its
    pods."""
    with _failures_told(Console(highlight=False)):
        from testbed.cluster import usage

        command = usage.pod_command(Path("build/local/state").resolve(), arguments)
    foreground = _has_terminal()
    # One in the background would take the terminal from the shell.
    stdin = subprocess.DEVNULL if os.isatty(0) and not foreground else None
    status = subprocess.run(command, stdin=stdin, check=False).returncode
    if foreground:  # the command had it for its own
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        os.tcsetpgrp(0, os.getpgrp())
    raise typer.Exit(status)


def _has_terminal() -> bool:
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except OSError:
        return False


@app.command()
def unsupported() -> None:
    """List the fields of a pod that the local node does not honour, and why."""
    # A room of its own, which only its command line opens.
    agent = [sys.executable, "-m", "testbed.node_agent", "--unsupported"]
    raise typer.Exit(subprocess.run(agent, check=False).returncode)


@contextlib.contextmanager
def _failures_told(console: Console) -> Generator[None]:
    try:
        yield
    except LocalError as error:
        tell(error, console)
        raise typer.Exit(error.exit_status) from None
    except PermissionError as error:
        advice = "if it is another user's, run this as that one, or have it removed"
        told = LocalError(f"permission denied: {error.filename or error}", advice=advice)
        tell(told, console)
        raise typer.Exit(LocalError.exit_status) from None
    except ModuleNotFoundError as error:
        # What is imported in here needs the packages of requirements-local.lock.
        if str(error.name).startswith(("grpc_platform", "testbed")):
            raise
        console.print(f"{error.name} is not installed here: make local installs it")
        raise typer.Exit(2) from None


if __name__ == "__main__":
    app(prog_name="python -m testbed")
