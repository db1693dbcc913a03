"""For any input, a comment is bounded and shows program text only as values."""

import re
import sys
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grpc_platform_tools.diff.comment import LIMIT, comment
from grpc_platform_tools.diff.report import (
    OPERATIONS,
    Operation,
    PropertyChange,
    Report,
    ResourceChange,
    StackDiff,
)

PIECES = ["`", "<", ">", "|", "@a", "[x](y)", "\n", "\r", "\u2028", "x", "&", "*", " ", "</code>"]
NASTY = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


def change(number: int, operation: Operation = "change", **more: Any) -> ResourceChange:
    default: dict[str, Any] = {
        "urn": f"urn:{number}",
        "type": "aws:x/y:Thing",
        "label": f"Thing t{number}",
        "component": f"Box b{number}",
        "properties": (PropertyChange(path="size", kind="changed", old=number, new=-number),),
    }
    return ResourceChange(operation=operation, **{**default, **more})


def report(*stacks: StackDiff) -> Report:
    return Report(project="shop", base="main (1)", head="2", stacks=stacks)


def stack(name: str, *resources: ResourceChange, **more: Any) -> StackDiff:
    given: dict[str, Any] = {"status": "compared", "problems": {}, **more}
    return StackDiff(stack=name, resources=resources, **given)


def large(count: int) -> Report:
    properties = tuple(
        PropertyChange(path=f"p{n}", kind="changed", old="o" * 150, new="n" * 150) for n in range(8)
    )

    def named(number: int, operation: Operation) -> ResourceChange:
        mine = (PropertyChange(path=f"own{number}", kind="added", new=number), *properties)
        return change(number, operation, properties=mine if number % 2 else mine[:1])

    return report(
        stack("dev", *(named(n, "change") for n in range(count))),
        stack("prod", *(named(n, OPERATIONS[n % 4]) for n in range(count))),
    )


@pytest.mark.parametrize("count", [10, 300, 3000])
def test_it_fits_and_counts_what_it_leaves_out(count: int) -> None:
    text = comment(large(count))
    assert len(text) <= LIMIT
    left = sum(int(n) for n in re.findall(r"_(\d+) more \w+ do not fit here", text))
    assert (left > 0) == (count > 100)
    if count == 300:
        shown = len(set(re.findall(r"own\d+", text)))
        assert shown > 50


def test_what_is_destroyed_anywhere_is_kept_before_what_changes_elsewhere() -> None:
    many = [change(n, properties=(PropertyChange(path=f"p{n}", kind="added", new="x" * 200),))
            for n in range(500)]  # fmt: skip
    text = comment(report(stack("dev", *many), stack("prod", change(1, "delete", label="Zone z"))))
    assert "Zone z" in text
    assert "do not fit" in text


def test_two_stacks_of_one_name_are_bounded_too() -> None:
    text = comment(report(*large(2000).stacks, *large(2000).stacks))
    assert len(text) <= LIMIT


@pytest.mark.parametrize("count", [20, 200])
def test_notes_on_what_is_left_out_fit_too(count: int) -> None:
    """Every section of every stack has a piece that is too long."""
    big = tuple(PropertyChange(path=f"p{n}", kind="added", new="x" * 250) for n in range(40))
    everything = {
        "warnings": ("w" * 2000,),
        "times": big,
        "config": big,
        "outputs": big,
    }
    stacks = [
        stack(f"stack-{n}", *(change(i, o, properties=big) for i, o in enumerate(OPERATIONS)),
              **everything)
        for n in range(count)
    ]  # fmt: skip
    assert len(comment(report(*stacks))) <= LIMIT


def test_a_long_problem_is_cut_and_not_left_out() -> None:
    failed = stack("dev", status="failed", problems={"head": ["the reason: " + "x" * 70_000]})
    assert "the reason: xxx" in comment(report(failed))


def image(stack_name: str, new: str, own: str) -> StackDiff:
    """One stack, whose component has a name of its own."""
    properties = (PropertyChange(path="image", kind="changed", old="envoy:1", new=new),)
    return stack(stack_name, change(1, component=f"Envoy {own}", properties=properties))


def test_what_is_the_same_in_several_stacks_is_said_once_with_their_names() -> None:
    text = comment(
        report(
            image("dev", "envoy:2", "edge"),
            image("test", "envoy:3", "edge"),
            stack("prod", *image("prod", "envoy:2", "serving").resources, change(2)),
        )
    )
    assert text.count("+image: envoy:2") == 1
    assert "#### `dev`, `prod`: the same in each" in text
    assert "<code>Envoy {name}</code>" in text
    assert "_{name} is each stack's own name._" in text
    assert "#### `dev`:" not in text
    assert "#### `test`: 1 changed" in text
    assert text.index("Thing t2") > text.index("#### `prod`: 2 changed")
    alike = comment(report(image("dev", "envoy:2", "edge"), image("prod", "envoy:2", "edge")))
    assert "Envoy edge" in alike
    assert "{name}" not in alike


def test_many_stacks_are_cut_too() -> None:
    stacks = [stack(f"stack-{n}", change(n)) for n in range(2000)]
    text = comment(report(*stacks))
    assert len(text) <= LIMIT
    assert re.search(r"_\d+ more stacks in diff.json._", text)


def test_four_times_as_many_stacks_take_about_four_times_as_much_work() -> None:
    """A forged report may have hundreds of thousands."""

    def calls(count: int) -> int:
        several = report(*(stack(f"stack-{n}", status="new") for n in range(count)))
        made: Counter[str] = Counter()
        before = sys.getprofile()
        sys.setprofile(lambda _frame, event, _argument: made.update([event]))
        try:
            comment(several)
        finally:
            sys.setprofile(before)
        return made["call"]

    assert calls(1_000) < 6 * calls(250)


@pytest.mark.parametrize("limit", [3_000, 60_000])
@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(NASTY, NASTY, st.sampled_from(OPERATIONS)), max_size=5))
def test_nothing_that_a_program_wrote_is_markdown_or_html(
    limit: int, found: list[tuple[str, str, Any]]
) -> None:
    resources = [
        change(
            number,
            operation,
            label=f"T {text}",
            component=text,
            notes=(text,),
            type=f"a:{value}",
            was=value,
            properties=(PropertyChange(path=value, kind="changed", old=text, new=value),),
        )
        for number, (text, value, operation) in enumerate(found)
    ]
    problems = {"head": [value for _, value, _ in found]}
    text = comment(
        report(
            stack("a", *resources, warnings=tuple(text for text, _, _ in found)),
            stack("b", status="failed", problems=problems),
        ),
        limit,
    )
    assert len(text) <= limit
    assert not re.findall(r"@a|\[x\]\(y\)", outside_code(text))
    assert not re.findall(r"<(?!/?(?:details|summary|code|sub)\b)", outside_code(text))


def outside_code(text: str) -> str:
    """The text that GitHub reads as Markdown or HTML: all but code blocks, code spans and
    <code>."""
    lines: list[str] = []
    fence = ""
    for line in text.split("\n"):
        mark = re.match(r"`{3,}", line)
        if fence:
            fence = "" if line == fence else fence
        elif (mark and not line.endswith("`" * 3)) or (mark and line == mark[0]):
            fence = mark[0]
        else:
            lines.append(line)
    assert not fence
    spans = re.sub(r"<code>[^<]*</code>", "", "\n".join(lines))
    return re.sub(r"(`+)(?!`).+?(?<!`)\1(?!`)", "", spans)


def test_a_report_is_read_back_as_it_was_saved_and_nothing_else_is(tmp_path: Any) -> None:
    made = large(5)
    made.save(tmp_path / "diff.json")
    text = (tmp_path / "diff.json").read_bytes()
    assert Report.load(text) == made
    for broken in (text[:-10], text.replace(b'"format": 3', b'"format": 1'), b'{"project": 3}'):
        with pytest.raises(ValueError, match="validation error"):
            Report.load(broken)
