"""The lines of a language that make a channel from a contract."""

from pathlib import Path
from typing import Literal, get_args

from grpc_platform_tools.errors import UserError

Language = Literal["java", "go", "python", "node", "rust"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
SNIPPETS = Path(__file__).parent / "snippets"
"""Copies of the marked lines in examples/clients; `make docs` writes them."""

_PACKAGES: dict[Language, str] = {
    "java": "io.grpc:grpc-netty-shaded, com.google.code.gson:gson",
    "go": "google.golang.org/grpc from 1.79 on",
    "python": "grpcio",
    "node": "@grpc/grpc-js",
    "rust": "serde (derive), tokio (net, rt, time), tonic (tls-native-roots, tls-ring)",
}
_IMPORTS: dict[Language, str] = {
    "python": "import json\nfrom typing import Any\n\nimport grpc\n\n",
    "node": "import grpc from '@grpc/grpc-js';\n\n",
}
"""Where the marked lines do not begin with them."""


def snippet(language: Language, command: str) -> str:
    """The lines for a language with all that they need; `command` prints the contract.

    Raises UserError if this release has none for the language.
    """
    file = SNIPPETS / f"{language}.txt"
    if not file.is_file():
        raise UserError(f"this release has no lines for {language}")
    comment = "#" if language == "python" else "//"
    return (
        f"{comment} The contract: {command}\n"
        f"{comment} Packages: {_PACKAGES[language]}\n"
        f"{comment} A whole client: examples/clients/{language} of grpc-platform\n\n"
        f"{_IMPORTS.get(language, '')}{file.read_text().rstrip()}"
    )
