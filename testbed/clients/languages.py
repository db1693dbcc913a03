"""How each example client is built, and what is executed then."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from testbed.cluster import parts
from testbed.cluster.errors import LocalError
from testbed.program import ROOT

FOLDER = ROOT / "examples" / "clients"


@dataclass(frozen=True, kw_only=True)
class Language:
    """Commands in the client's folder: a word with a slash is a path in it, the first words are
    programs to find."""

    build: tuple[tuple[str, ...], ...]
    run: tuple[str, ...]


LANGUAGES = {
    "java": Language(
        build=(("mvn", "--quiet", "--batch-mode", "package"),),
        run=("java", "-jar", "target/client.jar"),
    ),
    "go": Language(
        build=(("go", "build", "-o", "build/client", "."),),
        run=("build/client",),
    ),
    "python": Language(
        build=(
            (sys.executable, "-m", "venv", "build/venv"),
            ("build/venv/bin/python", "-m", "pip", "install", "--quiet", "-r", "requirements.txt"),
        ),
        run=("build/venv/bin/python", "./client.py"),
    ),
    "node": Language(
        build=(("npm", "ci", "--silent"),),
        run=("node", "./client.js"),
    ),
    "rust": Language(
        build=(("cargo", "build", "--quiet", "--release"),),
        run=("target/release/client",),
    ),
}


def missing(name: str) -> str | None:
    """The first program that this language needs and that is not here."""
    language = LANGUAGES[name]
    words = (*(command[0] for command in language.build), language.run[0])
    return next((word for word in words if "/" not in word and _find(word) is None), None)


def build(name: str) -> None:
    """Build a client. Raises LocalError with what the build said."""
    folder = FOLDER / name
    # Rust's dependencies take minutes to compile; other checkouts can use them.
    environment = os.environ | {"CARGO_BUILD_BUILD_DIR": str(parts.cache_root() / "cargo")}
    for command in LANGUAGES[name].build:
        done = subprocess.run(
            _command(command, folder),
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            said = (done.stdout + done.stderr).strip()
            raise LocalError(f"{' '.join(command)} failed in {folder}: {said}")


def execute(name: str) -> list[str]:
    """What to execute."""
    folder = FOLDER / name
    first, *others = _command(LANGUAGES[name].run, folder)
    # A pod has this machine's programs and libraries, but no /etc/alternatives.
    return [first if "/" in LANGUAGES[name].run[0] else str(Path(first).resolve()), *others]


def _command(words: tuple[str, ...], folder: Path) -> list[str]:
    first, *others = (str(folder / word) if "/" in word else word for word in words)
    return [_find(first) or first, *others]


def _find(program: str) -> str | None:
    """A program of PATH or of this environment."""
    path = os.pathsep.join((os.environ["PATH"], str(ROOT / ".venv" / "bin")))
    return shutil.which(program, path=path)
