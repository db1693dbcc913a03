"""What a command of the engine did, as `testbed.engine.child` tells it."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed.cluster.errors import LocalError, ended

PASSPHRASE = "PULUMI_CONFIG_PASSPHRASE"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""Stands for an input that a preview does not know yet."""
_NO_CHANGES: dict[str, int] = {}
UNCHANGED = {"same", "refresh", "read"}


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of a plan or an update, as the engine told it before taking it."""

    op: str
    """One of Pulumi's (`pulumi.automation.OpType`): same, create, update, delete, replace..."""
    urn: str
    type: str
    custom: bool
    """Whether a provider makes it; a component groups others."""
    parent: str | None
    provider: str | None
    inputs: dict[str, Any]
    """The new ones; of what is deleted, the old ones."""
    differs: tuple[str, ...]
    """What the provider finds different."""
    replaces: tuple[str, ...]
    """Of that, what makes it replace the resource."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a command of the engine did, or for a preview, would do."""

    steps: tuple[Step, ...]
    changes: Mapping[str, int]
    """Resources by operation, as the engine sums them up."""
    warnings: tuple[str, ...]
    seconds: float
    log: Path
    """What the command wrote beside its steps."""
    result: Any = None

    @property
    def changed(self) -> dict[str, int]:
        """`changes` without what stays as it is."""
        return {op: count for op, count in self.changes.items() if op not in UNCHANGED}


def read(command: str, told: Path, log: Path, *, status: int, seconds: float) -> Outcome:
    """What the child told of ``command`` in the file ``told``. Raises LocalError with the engine's
    own reason if its exit status is not 0."""
    said = list(_lines(told))
    if status:
        failed = next((line["failed"] for line in said if "failed" in line), None)
        if failed is None:
            raise LocalError(f"{command} {ended(status)}", log=log)
        raise _failure(command, failed, said, log)
    return Outcome(
        steps=tuple(_steps(said)),
        changes=next((line["changes"] for line in said if "changes" in line), _NO_CHANGES),
        warnings=tuple(w for w in _messages(said, "warning") if "from $PATH at" not in w),
        seconds=seconds,
        log=log,
        result=next((line["result"] for line in said if "result" in line), None),
    )


def read_steps(told: Path) -> list[Step]:
    """The steps of a command that still runs, so far."""
    return list(_steps(_lines(told)))


def _lines(told: Path) -> Iterator[dict[str, Any]]:
    """A child that runs or was killed may have left a part of a line."""
    whole = told.read_text().rpartition("\n")[0]
    return (json.loads(line) for line in whole.splitlines())


def _steps(said: Iterable[dict[str, Any]]) -> Iterator[Step]:
    for told in (line["step"] for line in said if "step" in line):
        # JSON's lists made tuples.
        lists: dict[str, Any] = {name: tuple(told[name]) for name in ("differs", "replaces")}
        yield Step(**(told | lists))


def _failure(
    what: str, failed: dict[str, str], said: Iterable[dict[str, Any]], log: Path
) -> LocalError:
    text = failed["said"]
    with log.open("a") as file:
        file.write(text)
    if failed["kind"] == "locked":
        return LocalError(f"{what}: the stack is locked by another update", log=log)
    reasons = [*_messages(said, "error"), *_errors(text)]
    if not reasons and (code := re.search(r"^\s*code: (-?\d+)", text, re.MULTILINE)):
        return LocalError(f"{what} {ended(int(code[1]))}", log=log)
    # A program that raised is told by its exception; the log has the traceback.
    told = (" ".join(reason.partition("\nTraceback ")[0].split()) for reason in reasons)
    reason = next(told, "no reason was given")
    if "passphrase" in reason:
        return LocalError(
            f"{what}: its stack file has encrypted values, and their passphrase is missing or "
            "another one",
            advice=f"set {PASSPHRASE} to the one that they were encrypted with",
            log=log,
        )
    return LocalError(f"{what} failed: {reason}", log=log)


def _messages(said: Iterable[dict[str, Any]], severity: str) -> list[str]:
    found = (line["message"] for line in said if "message" in line)
    return [message["text"] for message in found if message["severity"] == severity]


def _errors(text: str) -> list[str]:
    return re.findall(r"^\s*(?:stderr: )?error: (.+)", text, re.MULTILINE)
