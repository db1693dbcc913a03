"""Renders a report as a comment on a pull request: bounded in length, and safe to post.

Text from the program appears only in code spans and code blocks. So it can mention nobody and can
only look like a value.
"""

import html
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from grpc_platform_tools.diff.alike import OWN_NAME
from grpc_platform_tools.diff.lines import all_lines, cut, one_line
from grpc_platform_tools.diff.report import PolicyVerdict, PropertyChange, Report, StackDiff
from grpc_platform_tools.diff.wording import PAST, Group, Theirs, counts, groups
from grpc_platform_tools.policy.judge import OUTCOMES
from grpc_platform_tools.policy.rules import ALL
from grpc_platform_tools.preview.outline import plural

LIMIT = 60_000
"""Below GitHub's limit of 65,536 characters, with room for what the poster adds."""

_MOST_LINES = 40
_MOST_STACKS = 20
_MOST_WARNINGS = 10
_LONGEST = 200
_RANKS = {"change": 4, "create": 5, "rename": 6}
_RESERVE = 200
"""Room for the line that counts what a section left out."""


@dataclass(frozen=True, kw_only=True)
class _Block:
    """A piece that is shown whole or not at all."""

    section: str
    rank: int
    text: str
    items: tuple[str, ...]
    """Its subjects, to count those that are not shown whole."""
    generic: str
    """The text with OWN_NAME for the component's name, to find the same piece in other stacks."""


@dataclass(frozen=True, kw_only=True)
class _Part:
    """The content under one heading, for one stack or for several that share it."""

    heading: str
    blocks: list[_Block]
    stack: bool


def comment(report: Report, limit: int = LIMIT) -> str:
    """Markdown of at most `limit` characters, the most destructive changes first. Whole resources
    are left out to fit, and their number is shown."""
    busy = [s for s in report.stacks if _is_busy(s)]
    idle = [s for s in report.stacks if not _is_busy(s)]
    top = [f"### {_code(report.project)}: what this changes", ""]
    if len(report.stacks) > 1 and busy:
        top += [" · ".join(f"{_code(s.stack)} {_status(s)}" for s in busy[:_MOST_STACKS]), ""]
    if not busy:
        top.append(f"No change in {_names(s.stack for s in idle)}.")
    foot = _foot(report)
    parts = _parts(busy)
    used = len("\n".join([*top, *foot])) + 2 * _RESERVE
    shown = 0
    for part in parts:
        sections = len({block.section for block in part.blocks})
        if used + (cost := len(part.heading) + _RESERVE * sections) > limit:
            break
        used += cost
        shown += 1
    kept: set[int] = set()
    every = (block for part in parts[:shown] for block in part.blocks)
    for block in sorted(every, key=lambda block: block.rank):
        if used + len(block.text) + 2 <= limit:
            used += len(block.text) + 2
            kept.add(id(block))
    body: list[str] = []
    for part in parts[:shown]:
        body += [part.heading, *_sections(part.blocks, kept)]
    if left := sum(part.stack for part in parts[shown:]):
        body.append(f"_{plural(left, 'more stack')} in diff.json._\n")
    if busy and idle:
        body.append(f"No change in {_names(s.stack for s in idle)}.")
    return "\n".join([*top, *body, *foot]) + "\n"


def _is_busy(stack: StackDiff) -> bool:
    return stack.status != "compared" or stack.changed or bool(stack.warnings or stack.broken)


def _parts(stacks: list[StackDiff]) -> list[_Part]:
    """First what several stacks share, once for each set of stacks; then what only one stack
    has."""
    # By index: a forged report may have two stacks with one name.
    blocks = [_blocks(stack) for stack in stacks]
    found: defaultdict[tuple[str, str], list[tuple[int, _Block]]] = defaultdict(list)
    for place, mine in enumerate(blocks):
        for block in mine:
            found[block.section, block.generic].append((place, block))
    together: defaultdict[tuple[int, ...], list[_Block]] = defaultdict(list)
    said: set[int] = set()
    for members in found.values():
        places = tuple(place for place, _ in members)
        if 1 < len(members) == len(set(places)):
            said |= {id(block) for _, block in members}
            together[places].append(_common([block for _, block in members]))
    shared = [
        _Part(
            heading=f"#### {_names([stacks[p].stack for p in places], 10)}: the same in each\n",
            blocks=sorted(several, key=lambda block: block.rank),
            stack=False,
        )
        for places, several in together.items()
    ]
    own = [
        _Part(heading=_heading(stack), blocks=left, stack=True)
        for stack, mine in zip(stacks, blocks, strict=True)
        if (left := [b for b in mine if id(b) not in said]) or stack.status != "compared"
    ]
    return shared + own


def _common(blocks: list[_Block]) -> _Block:
    """One piece for several that differ only in names."""
    first = blocks[0]
    if all(block.text == first.text for block in blocks):
        return first
    return replace(first, text=f"{first.generic}\n_{OWN_NAME} is each stack's own name._\n")


def _foot(report: Report) -> list[str]:
    return [
        "",
        f"<sub>{_code(report.base)} to {_code(report.head)}. Code against code: what is deployed "
        "was not asked, so drift and failed updates do not show, and neither does what only the "
        "provider knows.</sub>",
    ]


def _heading(stack: StackDiff) -> str:
    said = _status(stack)
    if stack.status == "removed":
        said += ". What it deployed stays, and `pulumi destroy` needs the file"
    return f"#### {_code(stack.stack)}: {said}\n"


def _status(stack: StackDiff) -> str:
    return {
        "failed": "**could not be compared**",
        "new": f"a new stack, {counts(stack)}",
        "removed": "**its file is gone**",
        "compared": counts(stack),
    }[stack.status]


def _sections(blocks: list[_Block], kept: set[int]) -> Iterable[str]:
    for section in dict.fromkeys(block.section for block in blocks):
        mine = [block for block in blocks if block.section == section]
        texts = [block.text for block in mine if id(block) in kept]
        left = len({item for block in mine if id(block) not in kept for item in block.items})
        if texts and section:
            yield f"**{section}**\n"
        yield from texts
        if left:
            yield f"_{left} more {section.lower()} do not fit here: diff.json has them all._\n"


def _blocks(stack: StackDiff) -> list[_Block]:
    blocks: list[_Block] = []

    def add(
        section: str, rank: int, text: str, items: Iterable[str], generic: str | None = None
    ) -> None:
        blocks.append(
            _Block(
                section=section,
                rank=rank,
                text=text,
                items=tuple(items),
                generic=text if generic is None else generic,
            )
        )

    def add_group(section: str, rank: int, group: Group) -> None:
        add(section, rank, _group(group), group.urns, _group(group.generic()))

    for side, problems in stack.problems.items():
        said = {"base": "Before the change", "head": "With the change"}[side]
        add(f"{said}, the program cannot be recorded", 0, _fenced(problems, ""), problems)
    for rule, verdicts in _by_rule(stack.broken):
        add(
            "New policy verdicts",
            OUTCOMES.index(verdicts[0].outcome),
            _verdicts(rule, verdicts),
            (verdict.line for verdict in verdicts),
        )
    found = groups(stack)
    for group in found:
        if group.refused:
            add_group("Refused", 0, group)
        elif group.operation in ("replace", "delete"):
            add_group(PAST[group.operation].capitalize(), 1, group)
    if stack.warnings:
        add("New warnings", 2, _fenced(stack.warnings[:_MOST_WARNINGS], ""), stack.warnings)
    if stack.times:
        add("Derived times", 3, _times(stack.times), _paths(stack.times))
    if stack.config:
        add("Config", 3, _fenced(all_lines(stack.config), "diff"), _paths(stack.config))
    for group in found:
        if (rank := _RANKS.get(group.operation)) and not group.refused:
            add_group(PAST[group.operation].capitalize(), rank, group)
    if stack.outputs:
        text = _details("the stack's outputs", _fenced(all_lines(stack.outputs), "diff"))
        add("Outputs", 7, text, _paths(stack.outputs))
    if old := [verdict for verdict in stack.verdicts if not verdict.new]:
        lines = [f"{verdict.outcome} {verdict.rule}: {verdict.line}" for verdict in old]
        text = _details(f"{plural(len(old), 'verdict')} that the base has too", _fenced(lines, ""))
        add("Policy verdicts from before", 8, text, lines)
    return blocks


def _by_rule(
    verdicts: Iterable[PolicyVerdict],
) -> list[tuple[str, list[PolicyVerdict]]]:
    """Verdicts of one rule and outcome together, the worst first."""
    found: dict[tuple[str, str], list[PolicyVerdict]] = {}
    for verdict in verdicts:
        found.setdefault((verdict.outcome, verdict.rule), []).append(verdict)
    return [(rule, several) for (_, rule), several in found.items()]


def _verdicts(name: str, verdicts: list[PolicyVerdict]) -> str:
    """A rule's verdicts; its reason and remedy are ours, never the report's."""
    lines = [verdict.line for verdict in verdicts]
    known = next((rule for rule in ALL if rule.name == name), None)
    advice = f"{known.reason} **Remedy:** {known.remedy}" if known else ""
    return f"**{verdicts[0].outcome}** {_code(name)}: {advice}\n\n{_fenced(lines, '')}"


def _paths(changes: Iterable[PropertyChange]) -> list[str]:
    return [change.path for change in changes]


def _times(times: Iterable[PropertyChange]) -> str:
    rows = [f"| {_cell(t.path)} | {_cell(t.old)} | {_cell(t.new)} |" for t in times]
    return "\n".join(["| time | before | after |", "| --- | --- | --- |", *rows]) + "\n"


def _cell(value: object) -> str:
    return "" if value is None else _code(str(value)).replace("|", "\\|")


def _group(group: Group) -> str:
    if not group.lines:
        return f"- {''.join(_code(p) if isinstance(p, Theirs) else p for p in group.heading)}\n"
    heading = "".join(_tagged(p) if isinstance(p, Theirs) else _bold(p) for p in group.heading)
    is_open = group.operation in ("replace", "change") or not _has_values(group)
    return _details(heading, _fenced(group.lines, "diff"), is_open=is_open)


def _bold(ours: str) -> str:
    """Inside a block of HTML, Markdown's bold has no effect."""
    return re.sub(r"\*\*(.*?)\*\*", r"<b>\1</b>", ours)


def _has_values(group: Group) -> bool:
    return any(line[0] in "-+!" for line in group.lines)


def _details(summary: str, body: str, *, is_open: bool = False) -> str:
    return (
        f"<details{' open' if is_open else ''}><summary>{summary}</summary>\n\n{body}\n</details>\n"
    )


def _fenced(texts: Iterable[str], language: str) -> str:
    """A code block that its content cannot end."""
    every = [cut(one_line(text)) for text in texts]
    if left := len(every[_MOST_LINES:]):
        every = [*every[:_MOST_LINES], f" … {left} more lines in diff.json"]
    content = "\n".join(every)
    runs = [len(run) for run in re.findall("`+", content)]
    fence = "`" * max([3, *(n + 1 for n in runs)])
    return f"{fence}{language}\n{content}\n{fence}\n"


def _names(names: Iterable[str], most: int = 50) -> str:
    found = list(names)
    left = len(found) - most
    return ", ".join(map(_code, found[:most])) + (f" and {left} more" if left > 0 else "")


def _code(text: str) -> str:
    """A code span of any text (https://spec.github.com/gfm/#code-spans)."""
    line = one_line(text)[:_LONGEST]
    runs = [len(run) for run in re.findall("`+", line)]
    ticks = "`" * (max(runs, default=0) + 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{ticks}{pad}{line}{pad}{ticks}" if line else ""


def _tagged(text: str) -> str:
    """A code span inside a block of HTML, where Markdown has no effect."""
    return f"<code>{html.escape(one_line(text)[:_LONGEST])}</code>"
