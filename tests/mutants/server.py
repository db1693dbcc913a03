"""A pytest session that stays: it collects the tests once, then forks for every fault.

The fork plants its fault and runs the tests that reach it, the quickest first, until one fails.
"""

import gc
import time
from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from tests.mutants import plant
from tests.mutants.faults import Fault
from tests.mutants.forks import Answer, Forks, forks
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
_QUICK_SECONDS = 4
"""How long the first run of a fault's tests may take, by their usual times."""
_MOST_SECONDS = 60
"""Time of the processor after which a fault's process hangs; ten times as much with all tests."""

Reach = dict[str, dict[str, Any]]
"""For each test its `seconds` and the functions that it `reaches`."""


@dataclass(frozen=True)
class Work:
    """A fault to plant in a module, and whether to run all of its tests or the quick ones."""

    fault: Fault
    module: str
    whole: bool = False


def serve(run: Callable[["Server"], None]) -> None:
    """Collect the tests, then let `run` plant faults."""
    plant.noting_what_is_reached()
    loop = _Loop(run)
    status = pytest.main([*_PYTEST, *TESTS], plugins=[loop])
    if loop.failure:
        raise loop.failure
    if status:
        raise RuntimeError(f"the tests cannot be collected: {status}")


class _Loop:
    """Takes the place of pytest's loop over the tests."""

    def __init__(self, run: Callable[["Server"], None]) -> None:
        self._run = run
        self.failure: BaseException | None = None

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        on_import = set(plant.reached)
        _warm(session.items)
        try:
            with forks() as made:
                self._run(Server(session.items, on_import, made))
        except BaseException as error:  # pytest would print it and end
            self.failure = error
        return True


class Server:
    """The collected tests, and what has been found of them."""

    def __init__(self, items: list[pytest.Item], on_import: set[str], made: Forks) -> None:
        self.items, self.forks, self._on_import = items, made, on_import
        self.reach: Reach = {}
        self.before: Judged = {}
        self._kills: Counter[tuple[str, str]] = Counter()

    def plant(self, work: Work, done: Callable[[Answer], None]) -> None:
        """Plant a fault in a fork, and hand what comes of it to `done`."""

        def noted(answer: Answer) -> None:
            if "ended" in answer:
                answer = {"caught": f"the process ends with {answer['ended']}", "whole": False}
            if test := answer["caught"]:
                self._kills[work.module, test] += 1
            done(answer)

        chosen = self._chosen(work)
        seconds = _MOST_SECONDS * (10 if work.whole else 1)
        self.forks.start(lambda: self._tried(work, chosen), noted, seconds)

    def _at_once(self, work: Work) -> bool:
        """Whether the fault is in a function that runs in tests only: its code can be replaced."""
        name = f"{work.module}:{work.fault.scope}"
        return bool(work.fault.scope) and name not in self._on_import

    def _tried(self, work: Work, chosen: list[pytest.Item]) -> dict[str, Any]:
        started = time.monotonic()
        tree = plant.planted(work.module, work.fault.id)
        if self._at_once(work) and plant.replace_function(work.module, work.fault.scope, tree):
            caught, ran = _first_failure(chosen)
        else:
            plant.forget_components()
            plant.loading(work.module, tree)
            caught, ran = _first_failure_anew([item.nodeid for item in chosen])
        result: dict[str, Any] = {"caught": caught, "tests": ran, "whole": work.whole}
        if not caught and work.whole:
            after = judged(date.today())
            result["policy"] = broken(self.before, after)
            result["changes"] = changed(self.before, after)
        return result | {"seconds": round(time.monotonic() - started, 1)}

    def _chosen(self, work: Work) -> list[pytest.Item]:
        """The tests that can tell, file by file, because fixtures are shared within one: first
        the module's own files, and those that have told of another of its faults."""
        name, at_once = f"{work.module}:{work.fault.scope}", self._at_once(work)
        files: dict[str, list[pytest.Item]] = {}
        for item in self.items:
            if not at_once or name in self.reach[item.nodeid]["reaches"]:
                files.setdefault(item.nodeid.partition("::")[0], []).append(item)
        times = {
            file: sum(self.reach[item.nodeid]["seconds"] for item in items)
            for file, items in files.items()
        }

        path = Path(work.module)
        own = (f"test_{path.stem}.", f"/{path.parent.name or path.stem}/")
        kills = {f: sum(self._kills[work.module, i.nodeid] for i in files[f]) for f in files}
        near = {f: bool(kills[f]) or any(part in f for part in own) for f in files}
        chosen: list[pytest.Item] = []
        seconds = 0.0
        for file in sorted(files, key=lambda f: (not near[f], times[f] / (1 + kills[f]))):
            seconds += times[file]
            if seconds > _QUICK_SECONDS and not near[file] and chosen and not work.whole:
                break
            chosen += sorted(files[file], key=lambda i: -self._kills[work.module, i.nodeid])
        return chosen


def _warm(items: list[pytest.Item]) -> None:
    """Run the first test of every file, so that a fork finds imported what a test imports."""
    for item in {i.nodeid.partition("::")[0]: i for i in reversed(items)}.values():
        runtestprotocol(item, log=False, nextitem=None)
    gc.collect()
    gc.freeze()
    gc.disable()  # a fork ends before it pays


def measured(items: list[pytest.Item]) -> Reach:
    """Run the tests without a fault; RuntimeError for one that fails."""
    found: Reach = {}
    fixtures = _Fixtures()
    manager = items[0].config.pluginmanager
    manager.register(fixtures)
    for item, following in zip(items, [*items[1:], None], strict=True):
        plant.reached.clear()
        started = time.process_time()
        for report in runtestprotocol(item, log=False, nextitem=following):
            if report.failed:
                raise RuntimeError(f"{item.nodeid} fails without a fault: {report.longreprtext}")
        found[item.nodeid] = {
            "seconds": round(time.process_time() - started, 3),
            "reaches": sorted(plant.reached | fixtures.reached_by(item)),
        }
    manager.unregister(fixtures)
    return found


class _Fixtures:
    """Notes what a fixture reaches: only the first test that shares it sets it up."""

    def __init__(self) -> None:
        self._reached: dict[str, set[str]] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any]
    ) -> Generator[None, object, object]:
        before = set(plant.reached)
        plant.reached.clear()
        result = yield
        self._reached.setdefault(fixturedef.argname, set()).update(plant.reached)
        plant.reached.update(before)
        return result

    def reached_by(self, item: pytest.Item) -> set[str]:
        """What the test's fixtures reached, maybe for another test."""
        names = item.fixturenames if isinstance(item, pytest.Function) else []
        return set[str]().union(*(self._reached.get(name, set[str]()) for name in names))


def _first_failure(items: list[pytest.Item]) -> tuple[str, int]:
    following_ones = [*items[1:], None][: len(items)]  # no test may reach the fault
    for number, (item, following) in enumerate(zip(items, following_ones, strict=True), 1):
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
    except BaseException as error:  # a conftest that cannot be imported
        return plugin.caught or f"import: {type(error).__name__}", plugin.ran
    if status and not plugin.caught:
        plugin.caught = "import"
    return plugin.caught, plugin.ran
