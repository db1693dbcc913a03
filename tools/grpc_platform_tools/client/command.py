"""`grpc-platform client`: what a client of a service must know, and how it says so to gRPC."""

import json
import shlex
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from grpc_platform_tools.client.contract import find_contract, read_outputs
from grpc_platform_tools.client.language import LANGUAGES, Language, snippet
from grpc_platform_tools.client.text import lines, not_said
from grpc_platform_tools.diff.lines import one_line
from grpc_platform_tools.errors import UserError
from grpc_platform_tools.preview.command import OUTPUTS_FILE, preview_folder, render
from grpc_platform_tools.preview.stack_file import read_stack_file


def run_client(
    service: str,
    directory: Path,
    *,
    stack: str | None,
    outputs: Path | None,
    language: Language | None,
    as_json: bool,
) -> None:
    """Print the contract of `service`, from the outputs in a file (`-`: standard input) or from the
    preview of a stack of the program in `directory`, which is made if there is none.

    Raises whatever carries `problems` (grpc_platform_tools.errors) instead of printing it.
    """
    if stack is not None and outputs is not None:
        raise UserError("give --stack or --outputs, not both")
    if as_json and language is not None:
        raise UserError("give --json or --language, not both")
    made = ""
    if outputs == Path("-"):
        where, options = "standard input", ["--outputs", "FILE"]
        exports = read_outputs(_text_in(sys.stdin.buffer.read(), where), where)
    elif outputs is not None:
        where, options = str(outputs), ["--outputs", str(outputs)]
        exports = read_outputs(_content(outputs), where)
    else:
        stack = stack or "dev"
        file = _previewed(directory, stack)
        where, options = f"stack {stack}", ["--stack", stack]
        options += ["--program", str(directory)] if directory != Path() else []
        exports = read_outputs(file.read_text(), where)
        made = f", previewed {datetime.fromtimestamp(file.stat().st_mtime):%Y-%m-%d %H:%M}"
    contract = find_contract(exports, service, where)
    if as_json:
        answer = json.dumps(contract, indent=2)
    elif language is not None:
        command = shlex.join(["grpc-platform", "client", service, *options, "--json"])
        answer = snippet(language, one_line(command))
    else:
        answer = _text(service, contract, f"{where}{made}")
    sys.stdout.write(f"{answer}\n")
    if missing := not_said(contract):
        sys.stderr.write(
            f"{where} does not export {', '.join(missing)}: it was deployed by an older release; "
            "run pulumi up there with this one\n"
        )


def _content(file: Path) -> str:
    try:
        return _text_in(file.read_bytes(), str(file))
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}") from error


def _text_in(content: bytes, where: str) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise UserError(f"{where} cannot be read: it is not text") from error


def _previewed(directory: Path, stack: str) -> Path:
    """The outputs of the stack's preview."""
    stack_file = read_stack_file(directory, stack)
    folder = preview_folder(directory, stack)
    if not (folder / OUTPUTS_FILE).is_file():
        render(stack, stack_file, directory, folder)
    return folder / OUTPUTS_FILE


def _text(service: str, contract: dict[str, Any], where: str) -> str:
    head = one_line(f"{service} ({where})")
    snippets = f"How to dial it: --language {', '.join(LANGUAGES[:-1])} or {LANGUAGES[-1]}."
    return "\n".join([head, "", *lines(contract), "", snippets])
