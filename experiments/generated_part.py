"""The part of a page that is generated, between two marks."""

import sys
from collections.abc import Collection
from pathlib import Path

ROOT = Path(__file__).parents[1]


def refresh(page: Path, begin: str, end: str, text: str, arguments: Collection[str]) -> int:
    """Write ``text`` between the marks of a page of this repository, or with --check among the
    arguments say whether it stands there. Returns the exit status: 1 when the page is stale."""
    found = page.read_text()
    before, _, rest = found.partition(begin)
    _, _, after = rest.partition(end)
    wanted = f"{before}{begin}{text}{end}{after}"
    if "--check" not in arguments:
        page.write_text(wanted)
    elif wanted != found:
        sys.stderr.write(f"{page.relative_to(ROOT)} is stale: make docs\n")
        return 1
    return 0
