"""The lines of a language that make a channel from a contract."""

from pathlib import Path
from typing import Literal, get_args

from grpc_platform_tools.errors import UserError

Language = Literal["java", "go", "python", "node", "rust"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
SNIPPETS = Path(__file__).parent / "snippets"
"""Copies of the marked lines in examples/clients; `make docs` writes them."""


def snippet(language: Language, command: str) -> str:
    """The lines for a language; `command` prints the contract.

    Raises UserError if this release has none for the language.
    """
    file = SNIPPETS / f"{language}.txt"
    if not file.is_file():
        raise UserError(f"this release has no lines for {language}")
    comment = "#" if language == "python" else "//"
    return f"{comment} The contract: {command}\n{file.read_text().rstrip()}"
