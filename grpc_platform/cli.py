"""The `grpc-platform` command."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from grpc_platform.local.cli import app as local

# Each command imports what it runs, so that --help and a mistyped name answer at once.

app = typer.Typer(
    help="Tools for a Pulumi program that runs gRPC on EKS behind Contour and Envoy.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


app.add_typer(local, name="local")


@app.callback()
def main() -> None:
    """Tools that know only a program's recorded resources, so they serve any such program."""


PREVIEW_HELP = """Render a stack: every resource its program registers, with no engine.

Runs the program's own __main__.py. It needs no credentials, no network, no Pulumi CLI and no
plugin; encrypted config stays encrypted and appears nowhere. Compared with what is deployed it
says nothing: that is `pulumi preview`.

Leaves resources.json, manifests/ (kubectl apply --server-side -f takes them in order; a folder for
each cluster when there are several), dns.json, topology.mmd and summary.md.

Exit status: 0 when rendered; 1 when the program failed or registered something unsound; 2 when the
stack, its file, its config or a flag is wrong."""


@app.command(help=PREVIEW_HELP)
def preview(
    stack: Annotated[
        str, typer.Argument(help="The <stack> of a Pulumi.<stack>.yaml.", metavar="[STACK]")
    ] = "dev",
    program: Annotated[
        Path, typer.Option(metavar="DIR", help="Where Pulumi.yaml and __main__.py are.")
    ] = Path(),
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Where the files go, replacing an earlier preview there as a whole.",
            show_default="build/preview/STACK in the program's directory",
        ),
    ] = None,
) -> None:
    """Render a stack without an engine."""
    from grpc_platform.preview.command import run_preview

    try:
        run_preview(stack, program, output)
    except Exception as error:
        problems = getattr(error, "problems", None)
        if not isinstance(problems, list):
            raise
        sys.stderr.writelines(f"{problem}\n" for problem in problems)  # pyright: ignore[reportUnknownVariableType]
        raise typer.Exit(getattr(error, "exit_status", 1)) from None
