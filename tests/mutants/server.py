"""A pytest session that stays: it collects the tests once, then forks for every fault.

The fork plants its fault and runs the tests that reach it, the quickest first, until one fails.
"""

import json
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from tests.mutants import plant
from tests.mutants.faults import Fault
from tests.mutants.judged import Judged, broken, changed, judged

TESTS = [
    "tests/components",
    "tests/config",
    "tests/monitoring",
    *(f"tests/test_{name}.py" for name in ("iam", "program", "two_clusters")),
]
"""The tests of `make test` that say what the components must be. Not those of tests/upgrades and
tests/examples, which compare with a copy: that something changed does not make it wrong."""

_PYTEST = (
    *("-o", "addopts=", "--import-mode=importlib", "--capture=no"),
    *("-p", "no:terminal", "-p", "no:cacheprovider", "-p", "no:xdist"),
)
_QUICK_SECONDS = 3
"""How long the first run of a fault's tests may take, by their usual times."""
_LONGEST_SECONDS = 300

Reach = dict[str, dict[str, Any]]
"""For each test its `seconds` and the functions that it `reaches`."""
Work = tuple[Fault, str, bool]
"""A fault, its module, and whether to run all of its tests."""


def serve(
    work: Callable[["Server"], Iterable[Work]], done: Callable[[Work, dict[str, Any]], None]
) -> None:
    """Collect the tests, then plant what `work` gives and hand each result to `done`."""
    plant.noting_what_is_reached()
    server = Server(work, done)
    status = pytest.main([*_PYTEST, *TESTS], plugins=[server])
    if status or server.failure:
        raise RuntimeError(server.failure or f"the tests cannot be collected: {status}")


class Server:
    """Takes the place of pytest's loop over the tests."""

    def __init__(
        self,
        work: Callable[["Server"], Iterable[Work]],
        done: Callable[[Work, dict[str, Any]], None],
    ) -> None:
        self._work, self._done = work, done
        self.items: list[pytest.Item] = []
        self.on_import: set[str] = set()
        self.reach: Reach = {}
        self.before: Judged = {}
        self.kills: Counter[tuple[str, str]] = Counter()
        self.failure = ""

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self.items = session.items
        self.on_import = set(plant.reached)
        running: dict[int, tuple[Work, Path]] = {}
        try:
            with tempfile.TemporaryDirectory() as place:
                for number, each in enumerate(self._work(self)):
                    if len(running) == os.cpu_count():
                        self._one_ends(running)
                    answer = Path(place) / str(number)
                    running[self._forked(each, answer)] = each, answer
                while running:
                    self._one_ends(running)
        except Exception as error:  # noqa: BLE001  pytest would print it and end with 0
            self.failure = f"{type(error).__name__}: {error}"
        finally:
            for child in running:
                os.kill(child, signal.SIGKILL)
        return True

    def in_child(self, function: Callable[[], Any]) -> Any:
        """What a function answers in a fork, which leaves nothing behind in this process."""
        with tempfile.TemporaryDirectory() as place:
            answer = Path(place) / "answer"
            if (child := os.fork()) == 0:
                _end_with(function, answer)
            os.waitpid(child, 0)
            return json.loads(answer.read_text())

    def _one_ends(self, running: dict[int, tuple[Work, Path]]) -> None:
        child, status = os.wait()
        work, answer = running.pop(child)
        if answer.exists():
            result = json.loads(answer.read_text())
        else:
            result = {"caught": f"the process ends with {os.waitstatus_to_exitcode(status)}"}
        if test := result.get("caught"):
            self.kills[work[1], test] += 1
        self._done(work, result)

    def _forked(self, work: Work, answer: Path) -> int:
        chosen = self._chosen(work)
        if (child := os.fork()) == 0:
            signal.alarm(_LONGEST_SECONDS if work[2] else _LONGEST_SECONDS // 5)
            _end_with(lambda: self._tried(work, chosen), answer)
        return child

    def _tried(self, work: Work, chosen: list[pytest.Item]) -> dict[str, Any]:
        fault, module, whole = work
        started = time.monotonic()
        tree = plant.planted(module, fault.id)
        name = f"{module}:{fault.scope}"
        at_once = fault.scope and name not in self.on_import
        if at_once and plant.replace_function(module, fault.scope, tree):
            caught, ran = _first_failure(chosen)
        else:
            plant.forget_components()
            plant.loading(module, tree)
            caught, ran = _first_failure_anew([item.nodeid for item in chosen])
        result: dict[str, Any] = {"caught": caught, "tests": ran, "whole": whole}
        if not caught and whole:
            after = judged(date.today())
            result["policy"], result["changes"] = (
                broken(self.before, after),
                changed(self.before, after),
            )
        return result | {"seconds": round(time.monotonic() - started, 1)}

    def _reaching(self, work: Work) -> Iterator[pytest.Item]:
        fault, module, _ = work
        name = f"{module}:{fault.scope}"
        for item in self.items:
            reaches = self.reach[item.nodeid]["reaches"]
            at_once = fault.scope and name not in self.on_import
            if name in reaches if at_once else True:
                yield item

    def _chosen(self, work: Work) -> list[pytest.Item]:
        """The tests that can tell, those that have and the quick ones of this module first."""
        _, module, whole = work
        stem = Path(module).stem

        def rank(item: pytest.Item) -> tuple[int, float]:
            test = self.reach[item.nodeid]
            far = 2
            if any(name.startswith(f"{module}:") for name in test["reaches"]):
                far = 1
            if f"test_{stem}" in item.nodeid:
                far = 0
            kills = self.kills[module, item.nodeid]
            return (0 if kills else far), test["seconds"] / (1 + kills)

        ordered = sorted(self._reaching(work), key=rank)
        if whole:
            return ordered
        seconds, quick = 0.0, list[pytest.Item]()
        for item in ordered:
            seconds += self.reach[item.nodeid]["seconds"]
            if seconds > _QUICK_SECONDS and quick:
                break
            quick.append(item)
        return quick


def measured(items: list[pytest.Item]) -> Reach:
    """Run the tests without a fault; RuntimeError for one that fails."""
    found: Reach = {}
    shared: dict[Any, set[str]] = {}
    plugin = _Fixtures(shared)
    if not items:
        return found
    manager = items[0].config.pluginmanager
    manager.register(plugin)
    for item, following in zip(items, [*items[1:], None], strict=True):
        plant.reached.clear()
        started = time.process_time()
        for report in runtestprotocol(item, log=False, nextitem=following):
            if report.failed:
                raise RuntimeError(f"{item.nodeid} fails without a fault: {report.longreprtext}")
        definitions = getattr(item, "_fixtureinfo").name2fixturedefs.values()  # noqa: B009
        reaches = plant.reached.union(
            *(shared.get(each, set[str]()) for found in definitions for each in found)
        )
        seconds = time.process_time() - started
        found[item.nodeid] = {"seconds": round(seconds, 3), "reaches": sorted(reaches)}
    manager.unregister(plugin)
    return found


class _Fixtures:
    """Notes what a fixture reaches: only the first test that shares it sets it up."""

    def __init__(self, shared: dict[Any, set[str]]) -> None:
        self._shared = shared

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> Generator[None, Any, Any]:
        before = set(plant.reached)
        plant.reached.clear()
        result = yield
        self._shared[fixturedef] = self._shared.get(fixturedef, set[str]()) | plant.reached
        plant.reached.update(before)
        return result


def _first_failure(items: list[pytest.Item]) -> tuple[str, int]:
    for number, (item, following) in enumerate(zip(items, [*items[1:], None], strict=True), 1):
        if any(report.failed for report in runtestprotocol(item, log=False, nextitem=following)):
            return item.nodeid, number
    return "", len(items)


class _Ordered:
    """Runs these tests in this order, and keeps the first that fails."""

    def __init__(self, wanted: list[str]) -> None:
        self._place = {name: place for place, name in enumerate(wanted)}
        self.caught, self.ran = "", 0

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if item.nodeid in self._place]
        items.sort(key=lambda item: self._place[item.nodeid])

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed and not self.caught:
            self.caught = report.nodeid

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.ran += report.when == "call"
        if report.failed and not self.caught:
            self.caught = report.nodeid


def _first_failure_anew(wanted: list[str]) -> tuple[str, int]:
    files = list(dict.fromkeys(name.partition("::")[0] for name in wanted))
    plugin = _Ordered(wanted)
    try:
        status = pytest.main([*_PYTEST, "-x", *files], plugins=[plugin])
    except BaseException as error:  # noqa: BLE001  a conftest that cannot be imported
        return plugin.caught or f"import: {type(error).__name__}", plugin.ran
    if status and not plugin.caught:
        plugin.caught = "import"
    return plugin.caught, plugin.ran


def _end_with(function: Callable[[], Any], answer: Path) -> None:
    """Write what the function answers, and end this process as it is."""
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    try:
        text = json.dumps(function())
        answer.with_suffix(".new").write_text(text)
        answer.with_suffix(".new").rename(answer)
    except BaseException:  # noqa: BLE001
        import traceback

        Path("/dev/shm/mutants-error").write_text(traceback.format_exc())
    finally:
        sys.stdout.flush()
        os._exit(0)
