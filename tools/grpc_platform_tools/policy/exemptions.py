"""policy.yaml beside a program's Pulumi.yaml: its development stacks, and what is exempt from a
rule until when."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked

from grpc_platform_tools.errors import UserError
from grpc_platform_tools.graph import Graph
from grpc_platform_tools.policy.judge import Verdict, judge
from grpc_platform_tools.policy.rules import ALL
from grpc_platform_tools.preview.stack_file import parse_yaml

FILE = "policy.yaml"

_CHECKED = ConfigDict(extra="forbid")
_SAID = {
    "missing": "is missing",
    "unexpected_keyword_argument": "unknown key",
    "string_type": "must be text",
    "string_too_short": "must not be empty",
    "tuple_type": "must be a list",
    "date_from_datetime_parsing": "must be a date, such as 2027-06-30",
    "date_parsing": "must be a date, such as 2027-06-30",
    "date_type": "must be a date, such as 2027-06-30",
}


@checked(frozen=True, kw_only=True, config=_CHECKED)
class Exemption:
    """Verdicts of one rule that do not count until a day. `resource` is a pattern (`*` and `?`) for
    the resource's label, such as `Deployment edge/*`; without `stacks` it holds in all."""

    rule: str
    reason: Annotated[str, Field(min_length=1)]
    expires: date
    resource: str = "*"
    stacks: tuple[str, ...] = ()

    def covers(self, verdict: Verdict, stack: str) -> bool:
        """Whether the verdict is one of those, whatever the day."""
        return (
            self.rule == verdict.rule.name
            and fnmatchcase(verdict.label, self.resource)
            and (not self.stacks or stack in self.stacks)
        )

    def __str__(self) -> str:
        return f"{self.rule} for {self.resource}"


@checked(frozen=True, kw_only=True, config=_CHECKED)
class PolicyFile:
    """The content of policy.yaml. A stack that is not in `development` is judged as production."""

    development: tuple[str, ...] = ()
    exemptions: tuple[Exemption, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Judged:
    """The verdicts of one stack, and what its exemptions did."""

    verdicts: list[Verdict]
    """Those that count, the worst first."""
    exempt: int
    used: frozenset[Exemption]
    """The exemptions that cover a verdict, also those that have expired."""
    expired: tuple[Exemption, ...]
    """Those that would cover a verdict that counts."""


def judge_stack(graph: Graph, stack: str, given: PolicyFile, today: date) -> Judged:
    """Judge a stack by all rules, without what is exempt today."""
    verdicts: list[Verdict] = []
    used: set[Exemption] = set()
    expired: dict[Exemption, None] = {}
    exempt = 0
    for verdict in judge(graph, development=stack in given.development):
        covering = [each for each in given.exemptions if each.covers(verdict, stack)]
        used.update(covering)
        if any(each.expires >= today for each in covering):
            exempt += 1
        else:
            verdicts.append(verdict)
            expired.update(dict.fromkeys(covering))
    return Judged(verdicts=verdicts, exempt=exempt, used=frozenset(used), expired=tuple(expired))


def read_policy_file(directory: Path) -> PolicyFile:
    """The policy.yaml of the program in `directory`; empty if it has none.

    Raises UserError with a line for each mistake.
    """
    path = directory / FILE
    if not path.is_file():
        return PolicyFile()
    try:
        document = parse_yaml(path.read_bytes())
    except (yaml.YAMLError, OSError, ValueError) as error:
        raise UserError(f"{path}: {' '.join(str(error).split())}") from error
    try:
        found = TypeAdapter(PolicyFile).validate_json(json.dumps(document or {}))
    except ValidationError as error:
        places = error.errors(include_url=False)
        raise UserError(*(_problem(path, e["type"], e["loc"], e["msg"]) for e in places)) from error
    known = {rule.name for rule in ALL}
    unknown = [
        f"{path}: exemptions[{number}].rule = {each.rule!r:.60}: there is no such rule"
        for number, each in enumerate(found.exemptions)
        if each.rule not in known
    ]
    if unknown:
        raise UserError(*unknown)
    return found


def _problem(path: Path, kind: str, place: Sequence[int | str], said: str) -> str:
    where = "".join(f"[{at}]" if isinstance(at, int) else f".{at:.60}" for at in place)
    start = f"{path}: {where.lstrip('.')}" if where else str(path)
    return f"{start}: {_SAID.get(kind, said)}"
