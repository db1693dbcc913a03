"""Plant faults in the components one at a time, and tell who catches each.

Each fault is planted in a process of its own; no file of the checkout changes. The results are in
build/mutants, one file for each module: a run resumes where the last one stopped, and tries again
what has survived if a test has changed since. A fault that survives is one line on stdout, unless
argued.yaml gives the reason why it may.
"""

import argparse
import fnmatch
import random
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from tests.mutants.faults import Fault, faults, modules, tree_of
from tests.mutants.judged import judged
from tests.mutants.ledger import PLACE, Ledger, catcher, components, digest, read, write
from tests.mutants.server import Reach, Server, Work, measured, serve
from tests.tree import ROOT

_ARGUED = Path(__file__).with_name("argued.yaml")


def main() -> int:
    """0: every fault is caught or argued. 1: one survives. 2: argued.yaml or an argument is wrong."""
    options = _options()
    wanted = [m for m in modules() if not options.only or _named(m, options.only.split(","))]
    if not wanted:
        print(f"no module is named {options.only}", file=sys.stderr)
        return 2
    found = [(fault, module) for module in wanted for fault in faults(module, tree_of(module))]
    if options.match:
        found = [pair for pair in found if fnmatch.fnmatchcase(pair[0].id, f"*{options.match}*")]
    argued: dict[str, str] = yaml.safe_load(_ARGUED.read_text()) or {}
    if options.sample:
        found = [pair for pair in found if pair[0].id not in argued]
        found = random.Random(options.seed).sample(found, min(options.sample, len(found)))
    if options.list:
        print("\n".join(fault.id for fault, _ in found))
        return 0
    run = _Run(found, argued)
    serve(run.work, run.done)
    complete = not (options.sample or options.match)
    return run.told(stale=complete, everywhere=not options.only)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--only", metavar="NAMES", help="modules or folders, such as contour,pods")
    parser.add_argument("--match", metavar="TEXT", help="only faults with this in their id")
    parser.add_argument("--sample", type=int, metavar="N", help="so many faults, by chance")
    parser.add_argument("--seed", type=int, default=0, help="of the sample (%(default)s)")
    parser.add_argument("--list", action="store_true", help="print the faults and plant none")
    return parser.parse_args()


def _named(module: str, names: Iterable[str]) -> bool:
    parts = Path(module).with_suffix("").parts
    return any(name in (*parts, "/".join(parts)) for name in names)


class _Run:
    """One run over some faults."""

    def __init__(self, found: list[tuple[Fault, str]], argued: dict[str, str]) -> None:
        self._found, self._argued = found, argued
        self._ledgers = {module: Ledger(module) for _, module in found}
        self._started, self._done = time.monotonic(), 0

    def work(self, server: Server) -> Iterator[Work]:
        """The faults without a result; then, with all of their tests, those that survive."""
        missing = [
            (fault, module)
            for fault, module in self._found
            if fault.id not in self._argued and not self._ledgers[module].known(fault.id)
        ]
        if missing:
            _say(f"measuring what {len(server.items)} tests reach")
            server.reach = _reach(server)
        for number, (fault, module) in enumerate(missing, 1):
            self._progress(number, len(missing), fault)
            yield fault, module, False
        left = [
            (fault, module)
            for fault, module in self._found
            if (known := self._ledgers[module].known(fault.id))
            and not catcher(known)
            and not known["whole"]
        ]
        if left:
            server.reach = server.reach or _reach(server)
            server.before = server.in_child(lambda: judged(date.today()))
        for number, (fault, module) in enumerate(left, 1):
            self._progress(number, len(left), fault, "all tests of ")
            yield fault, module, True

    def _progress(self, number: int, count: int, fault: Fault, what: str = "") -> None:
        seconds = time.monotonic() - self._started
        _say(f"{number} of {count} in {seconds:.0f} s: {what}{fault.id}")

    def done(self, work: Work, result: dict[str, Any]) -> None:
        """Keep a result."""
        fault, module, whole = work
        ledger = self._ledgers[module]
        before = ledger.results.get(fault.id, {}) if whole else {}
        ledger.add(fault.id, before | result)

    def told(self, *, stale: bool, everywhere: bool) -> int:
        """Print who caught how many, and what survives; the exit status."""
        caught: Counter[str] = Counter()
        survivors: list[str] = []
        ids = {fault.id for fault, _ in self._found}
        wrong = [name for name in self._argued if everywhere and stale and name not in ids]
        for fault, module in self._found:
            if fault.id in self._argued:
                caught["argued"] += 1
                continue
            result = self._ledgers[module].results[fault.id]
            by = catcher(result)
            caught["policies" if by.startswith("policy ") else "tests" if by else "nobody"] += 1
            if not by:
                where = ", ".join(result.get("changes", [])) or "no committed stack"
                survivors.append(
                    f"components/grpc_platform/{module}:{fault.line} {fault.id}  ({where})"
                )
        for line in survivors:
            print(line)
        for name in wrong:
            print(f"argued.yaml: there is no fault {name}")
        counts = ", ".join(f"{by} {count}" for by, count in sorted(caught.items()))
        print(f"{len(self._found)} faults, caught by: {counts}. Results: {PLACE.relative_to(ROOT)}")
        return 2 if wrong else 1 if survivors else 0


def _reach(server: Server) -> Reach:
    """What each test reaches, measured again for files that have changed."""
    path = PLACE / "reach.json"
    stored = read(path)
    known: dict[str, Any] = stored["files"] if stored.get("components") == components() else {}
    reach: Reach = {}
    for name in dict.fromkeys(item.nodeid.partition("::")[0] for item in server.items):
        content = digest(ROOT / name)
        if known.get(name, {}).get("content") != content:
            items = [item for item in server.items if item.nodeid.startswith(f"{name}::")]
            tests = server.in_child(lambda items=items: measured(items))
            known[name] = {"content": content, "tests": tests}
            write(path, {"components": components(), "files": known})
        reach |= known[name]["tests"]
    return reach


def _say(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text[:150]}", end="", file=sys.stderr, flush=True)
    else:
        print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
