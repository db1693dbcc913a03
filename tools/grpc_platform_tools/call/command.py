"""`grpc-platform call`: one call, step by step, and what is wrong when it fails."""

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from grpc_platform_tools.call.target import parse_resolver, parse_target
from grpc_platform_tools.errors import UserError
from grpc_platform_tools.plain import is_mapping

_EXTRA = {"cryptography", "dns", "google", "grpc", "grpc_health", "grpc_reflection"}
"""The modules of the distribution's extra `call`."""
_LONGEST = 3600.0  # seconds


@dataclass(frozen=True, kw_only=True)
class Flags:
    """What the command line says beside the host."""

    method: str | None = None
    data: str = "{}"
    list_services: bool = False
    authority: str | None = None
    tls: bool | None = None
    ca: Path | None = None
    timeout: float = 5.0
    resolver: str | None = None
    as_json: bool = False


def run_call(host: str, flags: Flags) -> int:
    """Take each step, print what it finds, and return the exit status. Raises UserError."""
    target = parse_target(host, tls=flags.tls, authority=flags.authority)
    resolver = parse_resolver(flags.resolver)
    data = _request(flags)
    if flags.ca and not target.tls:
        raise UserError(f"--ca {flags.ca}: this call is in plaintext; add --tls")
    # gRPC's own log would come between the lines here.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    try:
        from grpc_platform_tools.call.run import Run
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        raise UserError(
            "grpc-platform call needs more packages: pip install 'grpc-platform-tools[call]'"
        ) from error
    run = Run(
        target=target,
        method=flags.method,
        data=data,
        list_services=flags.list_services,
        ca=flags.ca,
        timeout=flags.timeout,
        resolver=resolver,
        console=Console(highlight=False, quiet=flags.as_json),
    )
    report = run.take_steps()
    if flags.as_json:
        sys.stdout.write(report.as_json() + "\n")
    return 1 if report.diagnosis else 0


def _request(flags: Flags) -> dict[str, Any]:
    if not 0 < flags.timeout <= _LONGEST:
        raise UserError(f"--timeout {flags.timeout:g}: give seconds, at most {_LONGEST:g}")
    if flags.method is None:
        if flags.data != "{}":
            raise UserError("--data is the request of a METHOD: name one")
    elif flags.list_services:
        raise UserError("--list lists the services in place of a call: leave METHOD out")
    elif flags.method.count("/") != 1 or not all(flags.method.split("/")):
        raise UserError(f"{flags.method}: give the method as package.Service/Method")
    try:
        data: object = json.loads(flags.data)
    except (ValueError, RecursionError) as error:
        raise UserError(f"--data is not JSON: {error}") from error
    if not is_mapping(data):
        raise UserError('--data must be a JSON object, such as {"name": "Ada"}')
    return data
