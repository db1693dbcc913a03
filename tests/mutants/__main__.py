"""Plant faults in the components one at a time, and tell who catches each.

Each fault is planted in a process of its own; no file of the checkout changes. The results are in
build/mutants, one file for each module: a run resumes where the last one stopped, and tries again
what has survived if a test has changed since. A fault that survives is one line on stdout, unless
argued.yaml gives the reason why it may.
"""

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from grpc_platform_tools.progress import progress
from tests.mutants.faults import Fault, faults, modules, tree_of
from tests.mutants.judged import judged
from tests.mutants.ledger import (
    PLACE,
    Ledger,
    Result,
    catcher,
    components,
    digest,
    read,
    write,
)
from tests.mutants.server import Reach, Server, Work, measured, serve
from tests.tree import ROOT

_ARGUED = Path(__file__).with_name("argued.yaml")
_MOST_SECONDS = 300
_CONSOLE = Console(highlight=False, markup=False)


def main() -> int:
    """0: every fault is caught or argued. 1: one survives. 2: an argument or argued.yaml is
    wrong."""
    options = _options()
    wanted = [m for m in modules() if not options.only or _named(m, options.only.split(","))]
    if not wanted:
        _CONSOLE.print(f"no module is named {options.only}")
        return 2
    found = [(fault, module) for module in wanted for fault in faults(module, tree_of(module))]
    argued: dict[str, str] = yaml.safe_load(_ARGUED.read_text()) or {}
    ids = {fault.id for fault, _ in found}
    if stale := [] if options.only else [name for name in argued if name not in ids]:
        for name in stale:
            _CONSOLE.print(f"argued.yaml: there is no fault {name}", soft_wrap=True)
        return 2
    if options.sample:
        found = [pair for pair in found if pair[0].id not in argued]
        found = random.Random(options.seed).sample(found, min(options.sample, len(found)))
    if options.list:
        for fault, _ in found:
            _CONSOLE.print(fault.id, soft_wrap=True)
        return 0
    with progress("collecting the tests") as say:
        run = _Run(found, argued, say)
        serve(run.on)
    return run.told()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--only", metavar="NAMES", help="modules or folders, such as contour,pods")
    parser.add_argument("--sample", type=int, metavar="N", help="so many faults, by chance")
    parser.add_argument("--seed", type=int, default=0, help="of the sample (%(default)s)")
    parser.add_argument("--list", action="store_true", help="print the faults and plant none")
    return parser.parse_args()


def _named(module: str, names: Iterable[str]) -> bool:
    parts = Path(module).with_suffix("").parts
    return any(name in (*parts, "/".join(parts)) for name in names)


class _Run:
    """One run over some faults."""

    def __init__(
        self,
        found: list[tuple[Fault, str]],
        argued: dict[str, str],
        say: Callable[[str], None],
    ) -> None:
        self._found, self._argued, self._say = found, argued, say
        self._ledgers = {module: Ledger(module) for _, module in found}
        self._started = time.monotonic()

    def on(self, server: Server) -> None:
        """Try the faults without a result, by their quick tests; then what survives, by all."""
        first = [Work(f, m) for f, m in self._found if self._known(f, m) is None]
        # A function's code is replaced at once; for the rest the components are imported anew.
        first.sort(key=lambda work: not work.fault.scope)
        self._try(server, first, "planted")
        then = [Work(f, m, whole=True) for f, m in self._found if self._is_left(f, m)]
        if then:
            self._say("recording the committed stacks")
            server.forks.start(lambda: judged(date.today()), server.before.update, _MOST_SECONDS)
            server.forks.finish()
        self._try(server, then, "tried with all tests")

    def _try(self, server: Server, work: list[Work], done: str) -> None:
        if work and not server.reach:
            self._say(f"measuring what {len(server.items)} tests reach")
            _measure(server)
        for number, each in enumerate(work):
            seconds = time.monotonic() - self._started
            self._say(f"{number} of {len(work)} faults {done} in {seconds:.0f} s: {each.fault.id}")
            server.plant(each, partial(self._ledgers[each.module].add, each.fault.id))
        server.forks.finish()

    def _known(self, fault: Fault, module: str) -> Result | None:
        if fault.id in self._argued:
            return {"caught": "argued"}
        return self._ledgers[module].known(fault.id)

    def _is_left(self, fault: Fault, module: str) -> bool:
        known = self._known(fault, module)
        return known is not None and not catcher(known) and not known["whole"]

    def told(self) -> int:
        """Print what survives, and who caught how many; the exit status."""
        caught: Counter[str] = Counter()
        for fault, module in self._found:
            by = catcher(self._known(fault, module) or {"caught": ""})
            kind = by if by == "argued" else "policies" if by.startswith("policy ") else "tests"
            caught[kind if by else "nobody"] += 1
            if not by:
                stacks = self._ledgers[module].results[fault.id]["changes"]
                where = f"changes {', '.join(stacks) or 'no committed stack'}"
                _CONSOLE.print(
                    f"components/grpc_platform/{module}:{fault.line} {fault.id} ({where})",
                    soft_wrap=True,
                )
        counts = ", ".join(f"{by} {count}" for by, count in sorted(caught.items()))
        place = PLACE.relative_to(ROOT)
        _CONSOLE.print(f"{len(self._found)} faults, caught by: {counts}. Each one: {place}")
        return 1 if caught["nobody"] else 0


def _measure(server: Server) -> None:
    """What each test reaches, measured again for files that have changed."""
    path = PLACE / "reach.json"
    stored = read(path)
    known: dict[str, Any] = stored["files"] if stored.get("components") == components() else {}
    files: dict[str, list[pytest.Item]] = {}
    for item in server.items:
        files.setdefault(item.nodeid.partition("::")[0], []).append(item)
    for name, items in files.items():
        content = digest(ROOT / name)

        def add(tests: Reach, name: str = name, content: str = content) -> None:
            known[name] = {"content": content, "tests": tests}

        before = known.get(name, {"content": "", "tests": {}})
        # The names too: a file may have changed after it was collected.
        if before["content"] != content or before["tests"].keys() != {i.nodeid for i in items}:
            server.forks.start(partial(measured, items), add, _MOST_SECONDS)
    server.forks.finish()
    write(path, {"components": components(), "files": known})
    for name in files:
        server.reach |= known[name]["tests"]


if __name__ == "__main__":
    sys.exit(main())
