"""What is broken for an alert, and what fires then."""

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field

from experiments.experiment import Result
from experiments.lab import Lab
from grpc_platform.monitoring import rules
from grpc_platform.monitoring.alert import Scope
from testbed.cluster.errors import LocalError
from testbed.monitoring.watch import Fired, Monitoring

INTERVAL = 30.0
"""Seconds between scrapes and between evaluations, at the true times."""
NOTICE = 4 * INTERVAL
"""Seconds, at the true times, that an alert may take beyond its `for`: two scrapes and two
evaluations."""

Labels = Mapping[str, str]
"""Labels that the alert must have: they name what is broken."""


@dataclass(frozen=True, kw_only=True)
class Break:
    """Something broken on purpose, on a running platform with its Prometheus."""

    alert: str
    what: str
    act: Callable[[Lab, Monitoring], AbstractContextManager[Labels]]
    """Breaks it, and restores it at the end; it is broken from the moment that the body begins."""
    follows: Mapping[str, str] = field(default_factory=dict[str, str])
    """Other alerts that may fire, each with the reason."""


def break_all(
    lab: Lab, monitoring: Monitoring, scope: Scope, breaks: Sequence[Break]
) -> list[Result]:
    """Break several things at once, until the alert of each fires or is late."""
    names = {each.alert for each in breaks}
    for each in breaks:
        lab.say(f"{each.alert}: {each.what}")
    began = time.time()
    broken: list[Broken] = []
    error = ""
    try:
        lab.cluster.wait(
            f"{', '.join(names)} to be quiet",
            lambda: not names & set(monitoring.active()),
            timeout=_forgotten(scope),
        )
        with contextlib.ExitStack() as after:
            for each in breaks:
                labels = after.enter_context(each.act(lab, monitoring))
                broken.append(Broken(each, labels, time.time()))
            until = time.time() + max(promised(name, scope) for name in names) + scope.scale * 60
            while time.time() < until and not names <= _firing(monitoring):
                lab.pause(0.5)
    except LocalError as problem:
        error = problem.cause
        lab.say(f"it could not be done: {error}")
    # Prometheus writes the series of an alert after it says that the alert fires.
    lab.pause(INTERVAL * scope.scale)
    fired = monitoring.fired(began, time.time())
    lab.say(f"fired: {', '.join(sorted({each.name for each in fired})) or 'none'}")
    undone = [Broken(each, {}, began) for each in breaks[len(broken) :]]
    return [
        *(judged(each, broken, fired, scope) | {"error": error} for each in broken),
        *(judged(each, undone, [], scope) | {"error": error} for each in undone),
    ]


@dataclass(frozen=True)
class Broken:
    """A thing that is broken, since a time, with the labels that its alert must have."""

    cause: Break
    labels: Labels
    at: float

    def names(self, fired: Fired) -> bool:
        """Whether the labels of an alert say what is broken here."""
        return self.labels.items() <= dict(fired.labels).items()

    def meant(self, fired: Fired) -> bool:
        """Whether an alert is the one of this thing."""
        return fired.name == self.cause.alert and self.names(fired)


def judged(one: Broken, together: Sequence[Broken], fired: Sequence[Fired], scope: Scope) -> Result:
    """What was broken, and what fired for it."""
    alert = one.cause.alert
    meant = [each for each in fired if one.meant(each)]
    others = [
        asdict(each) | {"why": one.cause.follows.get(each.name)}
        for each in fired
        if one in charged(each, together)
    ]
    return {
        "alert": alert,
        "what": one.cause.what,
        "labels": dict(one.labels),
        "for": _wait(alert, scope),
        "promised": promised(alert, scope),
        "after": meant[0].at - one.at if meant else None,
        "others": others,
    }


def charged(fired: Fired, together: Sequence[Broken]) -> list[Broken]:
    """Which of the things broken together an unmeant alert is charged to: the one that it follows
    from, else the one whose alert it is, else all."""
    if any(each.meant(fired) for each in together):
        return []
    same = [each for each in together if each.cause.alert == fired.name]
    follows = [
        each
        for each in together
        if fired.name in each.cause.follows and (not same or each.names(fired))
    ]
    return follows or same or list(together)


def _firing(monitoring: Monitoring) -> set[str]:
    return {name for name, state in monitoring.active().items() if state == "firing"}


def _wait(name: str, scope: Scope) -> float:
    (alert,) = (alert for alert in rules.alerts(scope) if alert.name == name)
    return _seconds(alert.wait) * scope.scale


def promised(name: str, scope: Scope) -> float:
    """Seconds within which an alert must fire."""
    return _wait(name, scope) + NOTICE * scope.scale


def _seconds(text: str) -> float:
    return int(text[:-1]) * {"s": 1, "m": 60, "h": 3600}[text[-1]]


def _forgotten(scope: Scope) -> float:
    """Seconds after which no rule sees what was before: the longest range is 15 minutes."""
    return (900 + NOTICE) * scope.scale + 30
