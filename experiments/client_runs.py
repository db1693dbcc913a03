"""What the experiments with the example clients share."""

import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from experiments.experiment import Result
from experiments.lab import Lab
from testbed.clients.languages import LANGUAGES, build, missing
from testbed.clients.pods import Call, Clients, install

CONTRACT, DEFAULTS = "contract", "defaults"
MODES = (CONTRACT, DEFAULTS)
_TO_DIAL = ("target_uri", "host", "port", "tls")
"""What a client needs of a contract; without the rest it keeps its language's defaults."""
LATE = 1000.0
"""Milliseconds over the client's median from which a call counts as late."""


def choose(lab: Lab) -> tuple[list[str], dict[str, str]]:
    """Build the clients and let pods run them. Returns the languages, and those left out with the
    program that they need."""
    absent = {name: program for name in LANGUAGES if (program := missing(name))}
    for name, program in absent.items():
        lab.say(f"{name} is left out: there is no {program}")
    languages = [name for name in LANGUAGES if name not in absent]
    for name in languages:
        lab.say(f"building the client in {name}")
        build(name)
    install(lab.cluster, languages)
    return languages, absent


def pod(language: str, mode: str) -> str:
    """The name of a client's pod."""
    return f"client-{language}-{mode}"


def start(
    clients: Clients, languages: Iterable[str], contract: Any, arguments: Sequence[str]
) -> None:
    """Start a client of each language in each mode, and wait until all call."""
    to_dial = {key: contract[key] for key in _TO_DIAL}
    for language in languages:
        for mode in MODES:
            given = contract if mode == CONTRACT else to_dial
            clients.start(pod(language, mode), language, given, arguments)
    clients.wait_until_calling()


def of_each(languages: Iterable[str], tell: Callable[[str], Result]) -> Result:
    """What is told of each client's pod, by language and mode."""
    return {language: {mode: tell(pod(language, mode)) for mode in MODES} for language in languages}


def account(
    calls: Sequence[Call], unanswered: int, opened: int, since: float, address: str
) -> Result:
    """What became of a client's calls: how many failed (also those ``unanswered`` at the end) or
    were late, the seconds from ``since`` until the Envoy at ``address`` carried its first call
    (None: never) and until the last call that failed or was late was sent."""
    usual = statistics.median(call.ms for call in calls)
    failed = [call for call in calls if call.code != "OK"]
    late = [call for call in calls if call.code == "OK" and call.ms > usual + LATE]
    found = (call.at for call in calls if call.envoy == address)
    first = min(found, default=None)
    return {
        "calls": len(calls) + unanswered,
        "failed": len(failed) + unanswered,
        "unanswered": unanswered,
        "late": len(late),
        "codes": dict(Counter(call.code for call in calls)),
        "messages": [said for said, _ in Counter(call.message for call in failed).most_common(3)],
        "milliseconds": round(usual, 1),
        "adopted": None if first is None else round(max(0.0, first - since), 1),
        "left": round(max((call.at - since for call in (*failed, *late)), default=0.0), 1),
        "opened": opened,
        "rate": round(len(calls) / (max(c.end for c in calls) - min(c.at for c in calls)), 2),
    }


def bad(account: Result) -> int:
    """The calls of a client that failed or were late."""
    return account["failed"] + account["late"]


def lost_and_late(of: Result) -> str:
    """A table's cell about a language: with the contract, and by default in brackets."""
    by, default = of[CONTRACT], of[DEFAULTS]
    return (
        f"{by['failed']} + {by['late']} ({default['failed']} + {default['late']}) of {by['calls']}"
    )
