"""What is known of each fault, on disk, so that a run resumes where the last one stopped."""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from tests.mutants.faults import PACKAGE
from tests.tree import ROOT

PLACE = ROOT / "build" / "mutants"
_TESTS = ROOT / "tests"
Result = dict[str, Any]


def digest(*paths: Path) -> str:
    """The content of files."""
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in paths)).hexdigest()[:16]


@cache
def components() -> str:
    """The content of the components."""
    return digest(*sorted(PACKAGE.rglob("*.py")))


@cache
def all_tests() -> str:
    """The content of the tests."""
    return digest(*sorted(_TESTS.rglob("*.py")))


class Ledger:
    """The results of one module, void when its file changes."""

    def __init__(self, module: str) -> None:
        self._tests = all_tests()
        self._path = PLACE / f"{module.removesuffix('.py').replace('/', '.')}.json"
        self._source = digest(PACKAGE / module)
        stored = read(self._path)
        self.results: dict[str, Result] = (
            stored["faults"] if stored.get("source") == self._source else {}
        )

    def known(self, fault_id: str) -> Result | None:
        """The result of a fault. A test that is new may catch what none has caught before."""
        result = self.results.get(fault_id)
        if result and not catcher(result) and result["after"] != self._tests:
            return None
        return result

    def add(self, fault_id: str, result: Result) -> None:
        """Keep a result."""
        self.results[fault_id] = result | {"after": self._tests}
        write(self._path, {"source": self._source, "faults": self.results})


def catcher(result: Result) -> str:
    """The test or policy that catches a fault, or nothing."""
    policy = result.get("policy")
    return result["caught"] or (f"policy {policy}" if policy else "")


def read(path: Path) -> dict[str, Any]:
    """What `write` wrote, or nothing."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return {}


def write(path: Path, content: dict[str, Any]) -> None:
    """Write a file that is there as a whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(content, indent=1))
    part.rename(path)
