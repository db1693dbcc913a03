"""A well-formed but malicious diff: the effect in a reader's browser."""

import json
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from html.parser import HTMLParser
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from grpc_platform_tools.diff.report import (
    PolicyVerdict,
    PropertyChange,
    Report,
    ResourceChange,
    StackDiff,
)
from grpc_platform_tools.github.artifact import UnusableError, read_report
from grpc_platform_tools.github.event import Run
from grpc_platform_tools.github.text import with_diff
from tests.hostile.cases import cases, said
from tests.hostile.trees import mutated
from tests.tools.github.fake import LONGEST_BODY
from tests.tools.github.scene import RUN_URL, SHA

RUN = Run(
    repository="acme/platform",
    cause="pull_request",
    conclusion="success",
    url=RUN_URL,
    commit=SHA,
    branch="feature",
    fork_id=1,
    fork_owner="acme",
)
PIECES = [
    *("`", "```", "~~~", "|", "\\", "*", "_", "#", "- ", "    ", "\t", "\n", "\r", "\u2028"),
    *("@everyone", "#1", "https://evil.example", "[x](javascript:y)", "![x](//evil.example)"),
    *("<img src=//evil.example onerror=x>", "<script>x</script>", "</code>", "</summary>"),
    *("</details>", "<!--", "-->", "<!-- grpc-platform diff: billing -->", "&lt;", "$$x$$"),
    *("\x00", "\x1b[31m", "\u202e", "\ud7ff", "é"),
]
EVIL = st.lists(st.sampled_from(PIECES), min_size=1, max_size=12).map("evil".join)
SAFE_TAGS = {
    *("h3", "h4", "p", "b", "ul", "li", "strong", "em", "sub", "hr", "br", "details", "summary"),
    *("code", "pre", "table", "thead", "tbody", "tr", "th", "td", "a"),
}


class Page(HTMLParser):
    """A browser's view of a comment."""

    def __init__(self, markdown: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.links: set[str | None] = set()
        self.comments: list[str] = []
        self.bare = ""
        """Text outside of code, where GitHub makes links and mentions."""
        parser = MarkdownIt("commonmark", {"html": True}).enable("table")
        self.feed(parser.render(markdown))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.tags.add(tag)
        self.links |= {value for name, value in attrs if name not in ("class", "open")}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"code", "pre"} & set(self.open):
            self.bare += data

    def handle_comment(self, data: str) -> None:
        self.comments.append(data.strip())


def every_field(evil: str, other: str) -> Report:
    """A report that says both wherever a report takes text."""
    properties = (
        PropertyChange(path=evil, kind="changed", old=evil, new={other: [evil, None, 1]}),
        PropertyChange(path=other, kind="added", new=f"a: |\n  b{evil}"),
    )
    resources = tuple(
        ResourceChange(
            operation=operation,
            urn=f"{evil}{operation}",
            type=f"kubernetes:core/v1:{other}",
            label=f"{evil} {operation}",
            component=other,
            properties=properties,
            forced_by=(evil, other),
            because=(other, evil),
            was=other,
            moved=other,
            loses=evil,
            refused=other if operation == "change" else "",
            notes=(evil, other),
        )
        for operation in ("replace", "delete", "change", "create")
    )
    verdicts = tuple(
        PolicyVerdict(rule=other, outcome="error", urn=evil, label=other, text=evil, new=new)
        for new in (True, False)
    )
    busy = StackDiff(
        stack=f"{evil} busy",
        status="compared",
        problems={},
        resources=resources,
        totals={other: 3},
        config=properties,
        times=properties,
        outputs=properties,
        warnings=(evil, other),
        verdicts=verdicts,
    )
    failed = StackDiff(
        stack=f"{other} failed",
        status="failed",
        problems={"head": [evil, other], "base": [other, evil]},
    )
    idle = StackDiff(stack=f"{evil} idle", status="compared", problems={})
    return Report(project="shop", base=evil, head=other, stacks=(busy, failed, idle))


@settings(deadline=None)
@given(EVIL, EVIL)
@example("```", "evil @everyone")
@example("a\n```\nevil @everyone", "x")
@example("`", "`evil|")
def test_a_hostile_diff_shows_as_code_and_as_nothing_else(evil: str, other: str) -> None:
    page = Page(with_diff(every_field(evil, other), RUN))
    assert not page.open
    assert page.tags <= SAFE_TAGS
    assert page.links == {RUN_URL}
    assert page.comments == ["grpc-platform diff: shop"]
    assert "evil" not in page.bare


def as_json(report: Report) -> Any:
    """A report as its file says it."""
    with TemporaryDirectory() as folder:
        report.save(path := Path(folder, "diff.json"))
        return json.loads(path.read_bytes())


def filled(value: Any) -> Iterator[str]:
    """The fields of a report's parts that have a value: `StackDiff.warnings`."""
    if is_dataclass(value):
        for field in fields(value):
            if inner := getattr(value, field.name):
                yield f"{type(value).__name__}.{field.name}"
                yield from filled(inner)
    elif isinstance(value, tuple):
        for each in cast("tuple[Any, ...]", value):
            yield from filled(each)


def test_a_hostile_diff_has_a_text_in_every_field_that_takes_one() -> None:
    parts = (Report, StackDiff, ResourceChange, PropertyChange, PolicyVerdict)
    every = {f"{part.__name__}.{field.name}" for part in parts for field in fields(part)}
    flags = {"PropertyChange.hidden", "ResourceChange.deleted_first"}
    assert every - set(filled(every_field("evil", "other"))) == flags


@cases(60)
@given(mutated(as_json(every_field("evil", "evil other"))))
def test_a_spoiled_diff_is_refused_or_shown_as_code(
    tmp_path_factory: pytest.TempPathFactory, spoiled: Any
) -> None:
    folder = tmp_path_factory.getbasetemp()
    path = folder / "shop" / "diff.json"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(json.dumps(spoiled).encode())
    try:
        report = read_report(folder, "shop")
    except UnusableError as refused:
        said([str(refused)])
        return
    page = Page(with_diff(report, RUN))
    assert page.tags <= SAFE_TAGS
    assert page.links == {RUN_URL}
    assert "evil" not in page.bare


def test_the_largest_diff_fits_in_a_comment() -> None:
    resources = every_field("`" * 5_000, "x").stacks[0].resources * 500
    stacks = tuple(
        StackDiff(stack=f"prod{number}", status="compared", problems={}, resources=resources)
        for number in range(3)
    )
    report = Report(project="shop", base="a", head="b", stacks=stacks)
    assert len(with_diff(report, RUN)) <= LONGEST_BODY
