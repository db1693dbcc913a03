"""`grpc-platform policy`: preview stacks and judge them by the rules."""

import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from rich.console import Console
from rich.text import Text

from grpc_platform_tools.diff.lines import cut, one_line
from grpc_platform_tools.diff.recordings import record_all
from grpc_platform_tools.diff.redaction import Accounts
from grpc_platform_tools.diff.revisions import Repository, Revision
from grpc_platform_tools.errors import UserError
from grpc_platform_tools.interruption import ended_in_order
from grpc_platform_tools.policy.exemptions import (
    FILE,
    Judged,
    PolicyFile,
    judge_stack,
    read_policy_file,
)
from grpc_platform_tools.policy.judge import OUTCOMES, Verdict
from grpc_platform_tools.preview.outline import plural
from grpc_platform_tools.preview.stack_file import read_project, stacks_of
from grpc_platform_tools.progress import progress

_STYLES = {"error": "bold red", "unknown": "magenta", "warning": "yellow"}
_MOST_VERDICTS = 200


@dataclass(frozen=True)
class _Program:
    directory: Path
    project: str
    stacks: list[str]
    policies: PolicyFile


@dataclass
class _Result:
    verdicts: list[tuple[str, Verdict]] = field(default_factory=list[tuple[str, Verdict]])
    failures: list[str] = field(default_factory=list[str])
    remarks: list[str] = field(default_factory=list[str])
    exempt: int = 0


def run_policy(stacks: list[str], directories: list[Path], today: date) -> int:
    """Judge `stacks`, or all, of the programs in `directories`; 1 if a rule is broken whose breach
    is an error, or a program fails.

    Raises UserError for a stack, a program or a policy.yaml that cannot be read.
    """
    started = time.monotonic()
    programs = [_read(directory, stacks) for directory in directories]
    if unknown := sorted(set(stacks) - {stack for program in programs for stack in program.stacks}):
        raise UserError(*(f"no stack {stack!r} in these programs" for stack in unknown))
    with ended_in_order(), progress("previewing") as say:
        result = _judge(programs, say, today, complete=not stacks)
    console = Console(highlight=False)
    _print(result, console)
    count = sum(len(program.stacks) for program in programs)
    console.print(
        f"{plural(count, 'stack')}: {_counts(result)} in {time.monotonic() - started:.1f} s",
        soft_wrap=True,
    )
    broken = any(verdict.outcome == "error" for _, verdict in result.verdicts)
    return 1 if broken or result.failures else 0


def _read(directory: Path, asked: Iterable[str]) -> _Program:
    project, _ = read_project(directory)
    found = stacks_of(directory)
    if not found:
        raise UserError(f"{directory}: there is no Pulumi.<stack>.yaml")
    stacks = [stack for stack in found if not asked or stack in asked]
    return _Program(directory, project, stacks, read_policy_file(directory))


def _judge(
    programs: list[_Program], say: Callable[[str], None], today: date, *, complete: bool
) -> _Result:
    wanted = [(program, stack) for program in programs for stack in program.stacks]

    def recorded(done: int) -> None:
        say(f"previewing stacks: {done} of {len(wanted)}")

    recorded(0)
    revisions = {id(program): _as_it_is(program.directory) for program in programs}
    recordings = record_all(
        [(revisions[id(program)], stack) for program, stack in wanted], Accounts(), b"", recorded
    )
    result = _Result()
    judged: list[tuple[_Program, Judged]] = []
    for (program, stack), recording in zip(wanted, recordings, strict=True):
        label = f"{program.project}/{stack}" if len(programs) > 1 else stack
        if recording.graph is None:
            result.failures += [f"{label} cannot be previewed: {p}" for p in recording.problems]
            continue
        found = judge_stack(recording.graph, stack, program.policies, today)
        judged.append((program, found))
        result.verdicts += [(label, verdict) for verdict in found.verdicts]
        result.exempt += found.exempt
        result.remarks += [
            f"{label}: the exemption of {each} expired on {each.expires}" for each in found.expired
        ]
    result.verdicts.sort(key=lambda pair: OUTCOMES.index(pair[1].outcome))
    if complete and not result.failures:
        result.remarks += _unused(programs, judged)
    return result


def _as_it_is(directory: Path) -> Revision:
    """The program as its files are now, with the Python that runs this."""
    try:
        repository = Repository.around(directory)
        root, inside = repository.root, repository.inside
    except UserError:  # not in a repository
        root, inside = directory.resolve(), Path()
    return Revision(label="", checkout=root, inside=inside, python=Path(sys.executable))


def _unused(programs: list[_Program], judged: list[tuple[_Program, Judged]]) -> Iterable[str]:
    """Exemptions that no verdict of any stack needs."""
    for program in programs:
        used = {each for owner, found in judged if owner is program for each in found.used}
        for exemption in program.policies.exemptions:
            if exemption not in used:
                yield f"{program.directory / FILE}: the exemption of {exemption} is not needed"


def _print(result: _Result, console: Console) -> None:
    for failure in result.failures:
        console.print(Text(cut(one_line(failure)), style="bold red"), soft_wrap=True)
    width = max((len(label) for label, _ in result.verdicts), default=0)
    for label, verdict in result.verdicts[:_MOST_VERDICTS]:
        line = Text(f"{verdict.outcome:<7} ", style=_STYLES[verdict.outcome])
        line.append(cut(one_line(f"{label:<{width}}  {verdict.line}")), style="not bold default")
        console.print(line, soft_wrap=True)
    if left := len(result.verdicts[_MOST_VERDICTS:]):
        console.print(f"… {left} more; name a stack to see its own")
    remedies = {verdict.rule.name: verdict.rule.remedy for _, verdict in result.verdicts}
    for name, remedy in sorted(remedies.items()):
        console.print(Text(f"{name}: {remedy}", style="dim"), soft_wrap=True)
    for remark in result.remarks:
        console.print(Text(cut(one_line(remark)), style="yellow"), soft_wrap=True)


def _counts(result: _Result) -> str:
    outcomes = [verdict.outcome for _, verdict in result.verdicts]
    parts = [plural(outcomes.count("error"), "error"), plural(outcomes.count("warning"), "warning")]
    if unknown := outcomes.count("unknown"):
        parts.append(f"{unknown} not judged")
    if result.exempt:
        parts.append(f"{result.exempt} exempt")
    return ", ".join(parts)
