"""The `grpc-platform` command."""

from pathlib import Path
from typing import Annotated

import typer

from grpc_platform_tools.client.language import Language
from grpc_platform_tools.problems import problems_told

# Each command imports what it runs, so that --help and a mistyped name answer at once.

app = typer.Typer(
    help="Tools for a Pulumi program that runs gRPC on EKS behind Contour and Envoy.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def main() -> None:
    """Tools that know no program of their own, so they serve any."""


_Program = Annotated[
    Path, typer.Option(metavar="DIR", help="Where Pulumi.yaml and __main__.py are.")
]
_Stack = Annotated[
    str, typer.Argument(help="The stack, as in Pulumi.<stack>.yaml.", metavar="STACK")
]

PREVIEW_HELP = """Render a stack: every resource its program registers, with no engine.

Runs the program's own __main__.py. It needs no credentials, no network, no Pulumi CLI and no
plugin; encrypted config stays encrypted and appears nowhere. It does not look at what is deployed:
`pulumi preview` does that.

Leaves resources.json, manifests/ (kubectl apply --server-side -f takes them in order; a folder for
each cluster when there are several), dns.json, topology.mmd and summary.md.

Exit status: 0 when rendered; 1 when the program failed or registered something unsound; 2 when the
stack, its file, its config or a flag is wrong."""


@app.command(help=PREVIEW_HELP)
def preview(
    stack: Annotated[
        str, typer.Argument(help="The stack, as in Pulumi.<stack>.yaml.", metavar="[STACK]")
    ] = "dev",
    program: _Program = Path(),
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="The folder for the files. An earlier preview in it is replaced.",
            show_default="build/preview/STACK in the program's directory",
        ),
    ] = None,
) -> None:
    """Render a stack without an engine."""
    from grpc_platform_tools.preview.command import run_preview

    with problems_told():
        run_preview(stack, program, output)


DIFF_HELP = """Compare what a program registers at two revisions, with no engine.

Runs the program's own __main__.py for every stack, at BASE and as the files are now (or at --head),
each in a process of its own, with the dependencies that each revision locks. It needs no
credentials, and no network once the dependencies are installed. It compares code with code and does
not look at what is deployed.

Leaves comment.md (for a pull request: at most 60,000 characters) and diff.json (the whole diff).
Neither holds secrets or account ids.

Exit status: 0 when nothing changes; 2 when something changes; 1 when a revision cannot be recorded,
when --fail-on refuses, or when an argument is wrong."""


@app.command(help=DIFF_HELP)
def diff(
    base: Annotated[str, typer.Argument(help="The git revision to compare with.", metavar="BASE")],
    head: Annotated[
        str | None,
        typer.Option(metavar="REF", help="Another revision.", show_default="the files as they are"),
    ] = None,
    program: _Program = Path(),
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="The folder for the files.",
            show_default="build/diff in the program's directory",
        ),
    ] = None,
    fail_on: Annotated[
        str,
        typer.Option(
            metavar="LIST",
            help="Fail on these (replace, delete) when they hit a resource whose loss cuts "
            "calls or loses names, addresses or data, or one with `protect`.",
        ),
    ] = "",
) -> None:
    """Compare two revisions without an engine."""
    from grpc_platform_tools.diff.command import parse_operations, run_diff

    with problems_told(status=1):
        status = run_diff(base, head, program, output, parse_operations(fail_on))
    raise typer.Exit(status)


TEARDOWN_HELP = """Say what `pulumi destroy` of a stack leaves behind, and in which order to go.

Changes nothing. Runs the program's own __main__.py as `preview` does: no credentials, no network.
Names what the engine or AWS refuses to delete, what is deleted with things of others in it, and
what stays: external-dns's names, retained resources, log groups, network interfaces, keys that AWS
deletes later. It knows what the program registers, not what is deployed.

Exit status: 0 when printed; 1 when the program failed; 2 when the stack, its file, its config or a
flag is wrong."""


@app.command(help=TEARDOWN_HELP)
def teardown(
    stack: _Stack,
    program: _Program = Path(),
    as_json: Annotated[
        bool, typer.Option("--json", help="Print all of it as JSON; a terminal shows 12 of a kind.")
    ] = False,
) -> None:
    """Say how to take a stack down."""
    from grpc_platform_tools.teardown.command import run_teardown

    with problems_told():
        run_teardown(stack, program, as_json=as_json)


DRIFT_HELP = """Say what differs from a program, as the text of an issue.

LOG is what `pulumi preview --refresh --event-log LOG` wrote. The text names resources and the
paths of their fields, no values, so it holds neither secrets nor account ids. See docs/life.md for
the workflow that opens and closes the issue.

Exit status: 0 when nothing differs; 2 when something differs; 1 when the log cannot be read, or
the preview did not end."""


@app.command(help=DRIFT_HELP)
def drift(
    log: Annotated[Path, typer.Argument(metavar="LOG", help="The engine's event log.")],
    stack: Annotated[str, typer.Option(metavar="STACK", help="The stack, to be named.")],
) -> None:
    """Say what differs from a program."""
    from grpc_platform_tools.drift.command import run_drift

    with problems_told(status=1):
        status = run_drift(log, stack)
    raise typer.Exit(status)


POLICY_HELP = """Judge what stacks register by rules, with no engine.

Previews every stack of the program, or those that are named, and prints a line for each breach, the
worst first. A breach is an error or a warning; a rule that meets a value which is not known here
(a secret) says so. docs/policies.md lists the rules.

policy.yaml in the program's directory names its development stacks, where some rules are milder,
and what is exempt from a rule until a day.

Exit status: 0 when no breach is an error; 1 when one is, or a program failed; 2 when a stack, a
file or a flag is wrong."""


@app.command(help=POLICY_HELP)
def policy(
    stacks: Annotated[
        list[str] | None,
        typer.Argument(
            help="Stacks, as in Pulumi.<stack>.yaml.", metavar="[STACK]...", show_default="all"
        ),
    ] = None,
    program: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR", help="Where Pulumi.yaml is; repeatable.", show_default="this directory"
        ),
    ] = None,
) -> None:
    """Judge stacks by rules."""
    from datetime import date

    from grpc_platform_tools.policy.command import run_policy

    with problems_told():
        status = run_policy(stacks or [], program or [Path()], date.today())
    raise typer.Exit(status)


RIGHTS_HELP = """Write what a stack's deployer and previewer must be allowed.

Runs the program's own __main__.py as `preview` does: no credentials, no network. For each of both
roles it leaves an IAM policy (ROLE-iam.json, for an inline policy: a managed one may be shorter
only), and for each cluster Kubernetes roles, bound to a group (ROLE-CLUSTER.yaml).

The rights follow the stack file. Give those of an update's both sides: what is no longer in the
stack file must still be deleted. The state's bucket and key are not among them.

Exit status: 0 when written; 1 when the program failed; 2 when the stack, its file, its config or a
flag is wrong, or the calls of a type are not known."""


@app.command(help=RIGHTS_HELP)
def rights(
    stack: _Stack,
    program: _Program = Path(),
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="The folder for the files.",
            show_default="build/rights/STACK in the program's directory",
        ),
    ] = None,
) -> None:
    """Write the rights of a stack's roles."""
    from grpc_platform_tools.rights.command import run_rights

    with problems_told():
        run_rights(stack, program, output)


CLIENT_HELP = """Print what a client of a service must know, or how to say it to gRPC.

Prints the service's contract: target, TLS, deadline, keepalive, service config and the times to
expect. With --language it prints the lines that make a channel from it.

The contract comes from a file with what `pulumi stack output --json` prints, or from the preview in
build/preview/STACK, which is made if there is none. It needs no credentials and no network, and
prints no other output. SERVICE is a service of a platform's stack, or an output of a team's stack
that is a contract.

Exit status: 0 when printed; 1 when the program failed; 2 when a name, a file or a flag is wrong."""


@app.command(help=CLIENT_HELP)
def client(
    service: Annotated[str, typer.Argument(metavar="SERVICE", help="The service's name.")],
    stack: Annotated[
        str | None,
        typer.Option(
            metavar="STACK", help="The stack, as in Pulumi.<stack>.yaml.", show_default="dev"
        ),
    ] = None,
    outputs: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A stack's outputs as JSON; - reads standard input."),
    ] = None,
    language: Annotated[
        Language | None, typer.Option(help="Print the lines for a language instead.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the contract as JSON, for a client to read.")
    ] = False,
    program: _Program = Path(),
) -> None:
    """Print the contract of a service."""
    from grpc_platform_tools.client.command import run_client

    with problems_told():
        run_client(
            service, program, stack=stack, outputs=outputs, language=language, as_json=as_json
        )


COMMENT_HELP = """Post what a pull request changes as a comment on it, from GitHub Actions.

For a workflow_run job that follows the run of `grpc-platform diff`. It finds the pull request by
the event, reads DIR/PROJECT/diff.json, and creates or updates one comment per project. If the run
failed or left no readable diff, the comment says so. Nothing is posted once the pull request is
closed or has a newer commit. See docs/pull-requests.md.

Reads GITHUB_TOKEN (pull-requests: write), GITHUB_EVENT_PATH and GITHUB_API_URL. Waits for rate
limits and repeats lost calls, for ten minutes at most.

Exit status: 0 when posted, or when there is nothing to post to; 1 when GitHub refused or could not
be reached; 2 when a flag or the environment is wrong."""


@app.command(help=COMMENT_HELP)
def comment(
    diffs: Annotated[Path, typer.Argument(metavar="DIR", help="The run's folder, untrusted.")],
    project: Annotated[
        list[str], typer.Option(metavar="PROJECT", help="A name in a Pulumi.yaml; repeatable.")
    ],
) -> None:
    """Post a diff as a comment."""
    from grpc_platform_tools.github.command import run_comment

    with problems_told():
        run_comment(diffs, project)


CALL_HELP = """Call a gRPC service step by step, and say what is wrong when it fails.

Follows the name to its addresses, connects to each of them, looks at the certificate, and makes one
call through the first Envoy that is reached: to health (grpc.health.v1.Health/Check), or to METHOD,
which it finds by the server's reflection. HOST may be an IPv4 address, or a gRPC target
(dns:///HOST:PORT). Without a port it is 8080, with --tls 8443.

Needs the extra `call`: pip install 'grpc-platform-tools[call]'. See docs/operations.md for the list
of diagnoses.

Exit status: 0 when the call succeeded; 1 when it failed, with a diagnosis; 2 when an argument is
wrong."""


@app.command(help=CALL_HELP)
def call(
    host: Annotated[str, typer.Argument(metavar="HOST[:PORT]", help="Where the clients dial.")],
    method: Annotated[
        str | None,
        typer.Argument(metavar="METHOD", help="As package.Service/Method.", show_default="health"),
    ] = None,
    data: Annotated[str, typer.Option(metavar="JSON", help="METHOD's request.")] = "{}",
    list_services: Annotated[
        bool, typer.Option("--list", help="List the server's services in place of a call.")
    ] = False,
    tls: Annotated[
        bool | None,
        typer.Option(
            "--tls/--plaintext", help="How to call.", show_default="TLS for the ports 443 and 8443"
        ),
    ] = None,
    ca: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The authorities to trust, in PEM.",
            show_default="this machine's",
        ),
    ] = None,
    authority: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The :authority of the call, and the certificate's name.",
            show_default="HOST:PORT",
        ),
    ] = None,
    timeout: Annotated[
        float,
        typer.Option(metavar="SECONDS", help="For each step; also the call's deadline."),
    ] = 5.0,
    resolver: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS[:PORT]",
            help="The name server to ask.",
            show_default="this machine's",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print every step and the diagnosis as JSON.")
    ] = False,
) -> None:
    """Make one call and diagnose it."""
    from grpc_platform_tools.call.command import Flags, run_call

    flags = Flags(
        method=method,
        data=data,
        list_services=list_services,
        authority=authority,
        tls=tls,
        ca=ca,
        timeout=timeout,
        resolver=resolver,
        as_json=as_json,
    )
    with problems_told():
        status = run_call(host, flags)
    raise typer.Exit(status)
