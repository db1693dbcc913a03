"""Copy the lines between `snippet: begin` and `snippet: end` of the example clients to the tools,
whose `grpc-platform client SERVICE --language LANGUAGE` prints them.

`python -m examples.clients.snippets` writes the copies, with --check it fails when one is stale.
"""

import sys
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parents[2]
SOURCES = {
    "java": "src/main/java/**/*.java",
    "go": "*.go",
    "python": "*.py",
    "node": "*.js",
    "rust": "src/*.rs",
}
"""A client's own files, in its folder of examples/clients."""


def main(arguments: list[str], root: Path = ROOT) -> int:
    """Write the copies, or with --check name the stale ones; returns the exit status."""
    folder = root / "tools" / "grpc_platform_tools" / "client" / "snippets"
    wanted = {folder / f"{language}.txt": text for language, text in snippets(root).items()}
    there = set(folder.glob("*.txt"))
    stale = [p for p, text in wanted.items() if p not in there or p.read_text() != text]
    stale += sorted(there - wanted.keys())
    if "--check" in arguments:
        for path in stale:
            sys.stderr.write(f"{path.relative_to(root)} is stale: make docs\n")
        return 1 if stale else 0
    folder.mkdir(exist_ok=True)
    for path in stale:
        if path in wanted:
            path.write_text(wanted[path])
        else:
            path.unlink()
    return 0


def snippets(root: Path = ROOT) -> dict[str, str]:
    """The lines of every client that there is, by language."""
    found: dict[str, str] = {}
    for language, pattern in SOURCES.items():
        files = sorted((root / "examples" / "clients" / language).glob(pattern))
        texts = [text for file in files if (text := _marked(file))]
        if len(texts) > 1 or (files and not texts):
            raise SystemExit(f"examples/clients/{language}: {len(texts)} snippets; mark one")
        if texts:
            found[language] = texts[0]
    return found


def _marked(file: Path) -> str:
    """The lines between the marks, without the indentation that they share."""
    _, begin, rest = file.read_text().partition("snippet: begin\n")
    lines, end, _ = rest.partition("snippet: end")
    if bool(begin) != bool(end):
        raise SystemExit(f"{file}: one of `snippet: begin` and `snippet: end` is missing")
    # The last line is what stands before the second mark: the comment's beginning.
    return dedent(lines.rpartition("\n")[0]).strip("\n") + "\n" if begin else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
