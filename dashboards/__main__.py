"""Writes the dashboards' JSON into the components; with `--check`, names the stale files."""

import sys
from pathlib import Path

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder

import grpc_platform
from dashboards import fleet, service

FOLDER = Path(grpc_platform.__file__).parent / "monitoring" / "dashboards"


def generated() -> dict[Path, str]:
    """The text of each file, by path."""
    return {
        FOLDER / "fleet.json": _text(fleet.build()),
        FOLDER / "services.json": _text(service.build()),
    }


def main(arguments: list[str]) -> int:
    """Write the files, or with --check name the stale ones; returns the exit status."""
    wanted = generated()
    stale = [p for p, text in wanted.items() if not p.exists() or p.read_text() != text]
    if "--check" in arguments:
        for path in stale:
            sys.stderr.write(f"{path} is stale: make docs\n")
        return 1 if stale else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path in stale:
        path.write_text(wanted[path])
    return 0


def _text(board: Dashboard) -> str:
    built = board.build()
    # The SDK gives rows the id 0; panels of one id share a link in Grafana.
    for number, panel in enumerate(built.panels or [], 1):
        panel.id_val = number
    return JSONEncoder(sort_keys=True, indent=1).encode(built) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
